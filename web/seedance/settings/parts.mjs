/** What the rows of keys are made of: where a key comes from, its form, and what came of it. */
import { button, h, icon } from "../dom.mjs";
import { t } from "../words.mjs";

/**
 * @param {import("../server.mjs").Provider["key"]} key
 * @param {string | null} variable - in the environment
 */
export function status(key, variable) {
  const [name, words, kind] = {
    environment: ["check-circle", t("keys.environment"), "good"],
    file: ["check-circle", t("keys.stored"), "good"],
    "not needed": ["check-circle", t("keys.notNeeded"), "good"],
    none: ["circle", t("keys.notSet"), "none"],
  }[key ?? "none"];
  const title = key === "environment" ? variable : null;
  return h(
    "div",
    { class: `seedance-status ${kind}`, title },
    icon(name),
    h("span", {}, words),
  );
}

/**
 * The attributes of a field for a secret, which no password manager is to keep.
 * @param {string} label
 * @param {string} placeholder
 */
export const secret = (label, placeholder) => ({
  "aria-label": label,
  type: "password",
  placeholder,
  "data-1p-ignore": true,
  "data-lpignore": "true",
});

/**
 * Fields, Save and Cancel in one line.
 * @param {Record<string, any>[]} fields - the attributes of each
 * @param {(values: string[]) => Promise<void>} save
 * @param {() => HTMLElement} opener - gets the focus back
 * @param {string} [note]
 */
export function form(fields, save, opener, note) {
  const inputs = fields.map((attributes) =>
    h("input", {
      class: "seedance-input",
      autocomplete: "off",
      spellcheck: "false",
      ...attributes,
    }),
  );
  const close = () => {
    element.remove();
    opener().focus();
  };
  const element = h(
    "form",
    {
      class: "seedance-form",
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const values = inputs.map((input) => input.value.trim());
        for (const input of inputs) input.value = "";
        void save(values);
      },
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        event.stopPropagation(); // ComfyUI's shortcuts
        if (event.key === "Escape") close();
      },
    },
    ...inputs,
    h("button", { class: "seedance-button primary" }, t("save")),
    button(t("close"), close),
    note && h("small", {}, note),
  );
  queueMicrotask(() => inputs[0].focus());
  return element;
}

/** @param {string} name @param {string} words @param {string} kind */
export function said(name, words, kind) {
  return h(
    "p",
    { class: `seedance-said ${kind}`, role: "status" },
    icon(name),
    h("span", {}, words),
  );
}

/** @param {any} error */
export const failed = (error) => said("times-circle", error.message, "bad");
