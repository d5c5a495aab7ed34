/** A group of values in the settings: fields, where each value comes from, and one Save. */
import { button, field, h, icon, style } from "../dom.mjs";
import * as server from "../server.mjs";
import { ready, t } from "../words.mjs";

/**
 * @typedef {object} Field
 * @property {string} name - in the answer of the settings route
 * @property {string} variable - in the environment
 * @property {Record<string, any>} attributes - of the input
 * @property {string} [label] - where it is the same in each language
 *
 * @typedef {import("../server.mjs").Settings} Settings
 *
 * @typedef {object} Options - what a group has that is not simply one of the settings
 * @property {() => Promise<string>} [test] - tries out what is stored; gives a sentence
 * @property {(settings: Settings) => Record<string, any>} [read] - its values
 * @property {(values: Record<string, string | null>, settings: Settings) => object} [write] - what
 *   is sent to the route for changed values
 */

/**
 * @param {HTMLElement} place
 * @param {string} group
 * @param {Field[]} fields
 * @param {Options} [options]
 */
export async function renderGroup(place, group, fields, options = {}) {
  style();
  await ready();
  draw(place, group, fields, await server.settings(), options);
}

/**
 * @param {HTMLElement} place
 * @param {string} group
 * @param {Field[]} fields
 * @param {Settings} settings
 * @param {Options & { message?: HTMLElement }} options
 */
function draw(place, group, fields, settings, { message, ...options }) {
  const {
    test,
    read = (/** @type {any} */ all) => all[group],
    write = (/** @type {object} */ values) => ({ [group]: values }),
  } = options;
  const present = read(settings);
  const made = fields.map(({ name, variable, attributes, label: own }) => {
    const value = present[name];
    const fixed = settings.environment.includes(variable);
    const secret = attributes.type === "password";
    const own_note = own ? "" : t(`${group}.${name}Note`);
    const note = fixed ? t("form.fromEnvironment", { variable }) : own_note;
    const { label, input } = field(
      own ?? t(`${group}.${name}`),
      {
        ...attributes,
        autocomplete: "off",
        spellcheck: "false",
        disabled: fixed,
        value: secret ? null : value,
        placeholder: secret && value ? t("form.secretSet") : attributes.placeholder,
      },
      note,
    );
    const kept = secret && Boolean(value) && !fixed;
    const element = kept
      ? h("div", { class: "seedance-secret" }, label, remover(name, input))
      : label;
    return { name, element, input, before: input.value, fixed };
  });

  /**
   * Removes a stored secret at once: its empty field means that it stays. What is typed in other
   * fields stays there.
   * @param {string} name
   * @param {import("../dom.mjs").Input} input
   */
  function remover(name, input) {
    const remove = button(
      t("form.remove"),
      async () => {
        remove.disabled = true;
        try {
          await server.putSettings({ [group]: { [name]: null } });
          input.setAttribute("placeholder", "");
          remove.remove();
          input.focus();
          message_.replaceChildren(said("check", t("form.removed"), "good"));
        } catch (error) {
          remove.disabled = false;
          failed(error);
        }
      },
      { label: `${t(`${group}.${name}`)}: ${t("form.remove")}` },
    );
    return remove;
  }

  /** @param {unknown} error */
  function failed(error) {
    message_.replaceChildren(said("times-circle", /** @type {Error} */ (error).message, "bad"));
  }

  const save = async () => {
    const changed = made.filter(
      ({ input, before, fixed }) => !fixed && input.value.trim() !== before,
    );
    const values = Object.fromEntries(
      changed.map(({ name, input }) => [name, input.value.trim() || null]),
    );
    try {
      const now = await server.putSettings(write(values, settings));
      const saved = now.keys_removed?.length
        ? said("exclamation-triangle", t("keys.movedWithout"), "warn")
        : said("check", t("form.saved"), "good");
      draw(place, group, fields, now, { ...options, message: saved });
    } catch (error) {
      failed(error);
    }
  };

  /** @param {() => Promise<string>} run */
  function tester(run) {
    const made = button(t("keys.test"), async () => {
      made.disabled = true;
      message_.replaceChildren(said("spinner pi-spin", t("keys.testing"), ""));
      try {
        message_.replaceChildren(said("check", await run(), "good"));
      } catch (error) {
        failed(error);
      }
      made.disabled = false;
    }, { label: `${t(`${group}.title`)}: ${t("keys.test")}` });
    return made;
  }

  const message_ = h("div", { role: "status" }, message);
  place.replaceChildren(
    h("p", { class: "seedance-note" }, t(`${group}.about`)),
    h(
      "form",
      {
        class: "seedance-group",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          void save();
        },
        onkeydown: (/** @type {Event} */ event) => event.stopPropagation(),
      },
      ...made.map(({ element }) => element),
      h(
        "div",
        { class: "seedance-end" },
        message_,
        test && tester(test),
        h("button", { class: "seedance-button primary" }, t("save")),
      ),
    ),
  );
}

/** @param {string} name @param {string} words @param {string} kind */
const said = (name, words, kind) =>
  h("p", { class: `seedance-said ${kind}` }, icon(name), h("span", {}, words));
