/**
 * The signing key of a provider's asset library: an access key's id and its secret. Both go from
 * their fields to the server's write-only route and nowhere else.
 */
import { button, h } from "../dom.mjs";
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { failed, form, said, secret, status } from "./parts.mjs";

/** @typedef {import("../server.mjs").Provider} Provider */
/** @typedef {NonNullable<Provider["assets"]>} Library */

/** @param {Provider} provider @param {Library} library */
export function signingRow(provider, library) {
  const title = `${provider.name}: ${t("signing.title")}`;
  const element = h("section", { class: "seedance-key", "aria-label": title });
  draw(element, provider, library);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Provider} provider
 * @param {Library} library
 * @param {HTMLElement} [message]
 */
function draw(element, provider, library, message) {
  const below = h("div", { class: "seedance-below" }, message);
  element.replaceChildren(
    h(
      "div",
      { class: "seedance-who" },
      h("strong", {}, provider.name),
      h("small", {}, t("signing.title")),
    ),
    status(library.key, library.variables.join(", ")),
    h("div", { class: "seedance-actions" }, ...actions(element, provider, library, below)),
    below,
  );
}

/**
 * @param {HTMLElement} element
 * @param {Provider} provider
 * @param {Library} library
 * @param {HTMLElement} below
 */
function actions(element, provider, library, below) {
  const { id, name } = provider;
  const label = (/** @type {string} */ words) => `${name}, ${t("signing.title")}: ${words}`;
  const change = async (/** @type {() => Promise<any>} */ work, /** @type {string} */ done) => {
    try {
      library.key = (await work()).key;
      server.forgetProviders();
      draw(element, provider, library, said("check", t(done), "good"));
    } catch (error) {
      draw(element, provider, library, failed(error));
    }
  };
  const setting = library.key === "file" ? t("keys.replace") : t("keys.set");
  const set = button(
    setting,
    () => {
      const fields = ["access_key_id", "secret_access_key"].map((half) =>
        secret(`${name}: ${t(`signing.${half}`)}`, t(`signing.${half}`)),
      );
      const save = async (/** @type {string[]} */ [access_key_id, secret_access_key]) =>
        change(
          () => server.setSigningKey(id, { access_key_id, secret_access_key }),
          "signing.saved",
        );
      below.replaceChildren(form(fields, save, () => set, t("signing.note")));
    },
    { label: label(setting), disabled: library.key === "environment" },
  );
  const test = button(
    t("keys.test"),
    async () => {
      test.disabled = true;
      below.replaceChildren(said("spinner pi-spin", t("keys.testing"), ""));
      try {
        await server.testSigningKey(id);
        below.replaceChildren(said("check", t("signing.works"), "good"));
      } catch (error) {
        below.replaceChildren(failed(error));
      }
      test.disabled = false;
    },
    { label: label(t("keys.test")) },
  );
  const remove = button(
    t("keys.remove"),
    () => change(() => server.removeSigningKey(id), "signing.removed"),
    { label: label(t("keys.remove")) },
  );
  return [set, library.key && test, library.key === "file" && remove].filter(
    (each) => each instanceof HTMLElement,
  );
}
