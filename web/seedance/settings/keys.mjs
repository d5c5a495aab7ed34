/**
 * Settings > Seedance > Providers: whether each provider has a key, and where that comes from.
 *
 * A key goes from its field to the server's write-only route and nowhere else: the setting of this
 * panel has no value, and the field is thrown away with its form.
 */
import { amount, button, h, icon, style } from "../dom.mjs";
import * as server from "../server.mjs";
import { ready, sayWords, t } from "../words.mjs";
import { failed, form, said, secret, status } from "./parts.mjs";
import { signingRow } from "./signing.mjs";

/** @typedef {import("../server.mjs").Provider} Provider */
/** @typedef {import("../server.mjs").Settings} Settings */

/** @param {HTMLElement} place */
export async function render(place) {
  style();
  await ready();
  server.forgetProviders();
  const [providers, settings] = await Promise.all([server.providers(), server.settings()]);
  const rows = providers.map((provider) => row(provider, settings));
  place.replaceChildren(
    h("p", { class: "seedance-note" }, t("keys.about")),
    h("div", { class: "seedance-keys" }, ...withLibraries(providers, rows)),
  );
  follow(providers, settings, rows);
}

/** Each row, and below it that of its asset library. @param {Provider[]} providers @param {HTMLElement[]} rows */
const withLibraries = (providers, rows) =>
  providers.flatMap((provider, index) =>
    provider.assets ? [rows[index], signingRow(provider, provider.assets)] : [rows[index]],
  );

/**
 * Draw the row of a provider again whose address was changed elsewhere on the page.
 * @param {Provider[]} providers
 * @param {Settings} settings
 * @param {HTMLElement[]} rows
 */
function follow(providers, settings, rows) {
  const look = async () => {
    if (!rows[0]?.isConnected) {
      server.news.removeEventListener("providers", look);
      return;
    }
    const [now, keys] = await Promise.all([server.settings(), server.providers()]);
    providers.forEach((provider, index) => {
      if (now.base_urls[provider.id] === settings.base_urls[provider.id]) return;
      settings.base_urls[provider.id] = now.base_urls[provider.id];
      provider.key = keys.find(({ id }) => id === provider.id)?.key ?? null;
      draw(rows[index], provider, settings);
    });
  };
  server.news.addEventListener("providers", look);
}

/** @param {Provider} provider @param {Settings} settings */
function row(provider, settings) {
  const element = h("section", { class: "seedance-key", "aria-label": provider.name });
  draw(element, provider, settings);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Provider} provider
 * @param {Settings} settings
 * @param {HTMLElement} [message]
 */
function draw(element, provider, settings, message) {
  const below = h("div", { class: "seedance-below" }, message);
  element.replaceChildren(
    h(
      "div",
      { class: "seedance-who" },
      h("strong", {}, provider.name),
      h("small", {}, address(provider, settings)),
      keyPage(provider),
    ),
    status(provider.key, provider.key_variable),
    h("div", { class: "seedance-actions" }, ...actions(element, provider, settings, below)),
    below,
  );
}

/** @param {Provider} provider @param {Settings} settings */
function address(provider, settings) {
  if (provider.key === "not needed") return t("keys.offline");
  return settings.base_urls[provider.id] ?? t("keys.noAddress");
}

/** Where a person makes a key. @param {Provider} provider */
function keyPage({ key_page: href, name }) {
  if (!href) return null;
  return h(
    "a",
    {
      class: "seedance-link",
      href,
      target: "_blank",
      rel: "noopener noreferrer",
      "aria-label": `${name}: ${t("keys.get")}`,
    },
    t("keys.get"),
    icon("external-link"),
  );
}

/**
 * @param {HTMLElement} element
 * @param {Provider} provider
 * @param {Settings} settings
 * @param {HTMLElement} below
 */
function actions(element, provider, settings, below) {
  if (provider.key === "not needed") return [];
  const label = (/** @type {string} */ words) => `${provider.name}: ${words}`;
  const show = (/** @type {Node[]} */ ...nodes) => below.replaceChildren(...nodes);
  const again = (/** @type {HTMLElement} */ message) => draw(element, provider, settings, message);
  const fromEnvironment = provider.key === "environment";

  const setting = provider.key === "file" ? t("keys.replace") : t("keys.set");
  const set = button(
    setting,
    () => show(keyForm(provider, again, () => set)),
    { label: label(setting), disabled: fromEnvironment || !settings.base_urls[provider.id] },
  );
  const test = button(
    t("keys.test"),
    async () => {
      test.disabled = true;
      show(said("spinner pi-spin", t("keys.testing"), ""));
      show(await outcome(provider));
      test.disabled = false;
    },
    { label: label(t("keys.test")) },
  );
  const remove = button(
    t("keys.remove"),
    async () =>
      again(await changeKey(provider, () => server.removeKey(provider.id), "keys.removed")),
    { label: label(t("keys.remove")) },
  );
  const move = button(
    t("keys.address"),
    () => show(addressForm(provider, settings, again, () => move)),
    {
      label: label(t("keys.address")),
      disabled: settings.environment.includes(`SEEDANCE_${provider.id.toUpperCase()}_BASE_URL`),
    },
  );
  const fits = [set, provider.key && test, provider.key === "file" && remove];
  return [!provider.base_url && move, ...fits].filter((each) => each instanceof HTMLElement);
}

/** @param {Provider} provider */
async function outcome(provider) {
  try {
    const { left, ...answer } = await server.testKey(provider.id);
    const account = sayWords(answer.said ?? answer.account);
    const words = left
      ? t("keys.worksLeft", { account, left: amount(left) })
      : t("keys.works", { account });
    return said("check", words, "good");
  } catch (error) {
    return failed(error);
  }
}

/**
 * @param {Provider} provider
 * @param {() => Promise<{ key: Provider["key"] }>} change
 * @param {string} done
 */
async function changeKey(provider, change, done) {
  try {
    provider.key = (await change()).key;
    server.forgetProviders();
    return said("check", t(done), "good");
  } catch (error) {
    return failed(error);
  }
}

/**
 * @param {Provider} provider
 * @param {(message: HTMLElement) => void} done
 * @param {() => HTMLElement} opener - gets the focus back
 */
function keyForm(provider, done, opener) {
  return form(
    [secret(t("keys.keyOf", { provider: provider.name }), t("keys.paste"))],
    async ([key]) =>
      done(await changeKey(provider, () => server.setKey(provider.id, key), "keys.saved")),
    opener,
  );
}

/**
 * @param {Provider} provider
 * @param {Settings} settings
 * @param {(message: HTMLElement) => void} done
 * @param {() => HTMLElement} opener
 */
function addressForm(provider, settings, done, opener) {
  const save = async (/** @type {string[]} */ [url]) => {
    try {
      const changed = await server.putSettings({ base_urls: { [provider.id]: url || null } });
      Object.assign(settings, changed);
      server.forgetProviders();
      const now = (await server.providers()).find(({ id }) => id === provider.id);
      provider.key = now?.key ?? null;
      const gone = changed.keys_removed?.includes(provider.id);
      done(
        said(
          gone ? "exclamation-triangle" : "check",
          t(gone ? "keys.movedWithout" : "keys.moved"),
          gone ? "warn" : "good",
        ),
      );
    } catch (error) {
      done(failed(error));
    }
  };
  const value = settings.base_urls[provider.id] ?? "";
  return form(
    [
      {
        "aria-label": t("keys.addressOf", { provider: provider.name }),
        type: "url",
        value,
        placeholder: "https://gateway.example",
      },
    ],
    save,
    opener,
    t("keys.addressNote"),
  );
}
