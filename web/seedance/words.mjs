/**
 * Words in the language of the page, from locales/<language>/main.json by way of ComfyUI. A text
 * that is missing in one language is shown in English.
 */
import { locale, request } from "../page.mjs";

/** @typedef {{ [key: string]: string | Words }} Words */
/** @typedef {import("./server.mjs").Progress} Progress */

/** @type {Record<string, Words>} */
let languages = {};
/** @type {Promise<void> | undefined} */
let loading;

/** Resolves when `t` can be used. */
export function ready() {
  loading ??= load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load() {
  const all = await (await request("/i18n")).json();
  languages = Object.fromEntries(
    Object.entries(all).map(([language, words]) => [language, words.seedance ?? {}]),
  );
}

/**
 * The text at `key`, with `{name}` replaced by `values.name`.
 * @param {string} key - a path such as `keys.set`
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return filled(known(key) ?? key, values);
}

/** @param {string} template @param {Record<string, string | number>} values */
const filled = (template, values) =>
  template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));

/**
 * The text at `key`, if there is one.
 * @param {string} key
 * @returns {string | undefined}
 */
export function known(key) {
  return translated(key) ?? at(languages.en, key.split("."));
}

/**
 * The text at `key` in the language of the page, if that is not English and has one.
 * @param {string} key
 * @returns {string | undefined}
 */
function translated(key) {
  const wanted = locale();
  const path = key.split(".");
  return [wanted, wanted.split("-")[0]]
    .filter((language) => !language.startsWith("en"))
    .map((language) => at(languages[language], path))
    .find((text) => text !== undefined);
}

/**
 * @param {Words | undefined} words
 * @param {string[]} path
 * @returns {string | undefined}
 */
function at(words, path) {
  /** @type {string | Words | undefined} */
  let found = words;
  for (const step of path) found = typeof found === "object" ? found[step] : undefined;
  return typeof found === "string" ? found : undefined;
}

/**
 * A sentence of the server (seedance/said.py), or a value in one, in the language of the page. What
 * these words do not know, and what is no sentence of ours, stays as it came.
 * @typedef {{ text: string, code?: string, values?: Record<string, any> }} Said
 * @param {unknown} said - a `Said`, several values, a text, a number or a switch
 * @returns {string}
 */
export function sayWords(said) {
  if (Array.isArray(said)) return said.map(sayWords).join(t("value.list"));
  if (typeof said === "boolean") return t(said ? "value.on" : "value.off");
  if (typeof said !== "object" || said === null) return String(said ?? "");
  const { text, code, values = {} } = /** @type {Said} */ (said);
  const template = code && translated(`said.${code}`);
  if (!template) return String(text ?? "");
  const parts = Object.entries(values).map(([name, value]) => [name, sayWords(value)]);
  // A sentence within another one has no full stop.
  return filled(template, Object.fromEntries(parts)).replace(/。(?=[。；，）])/g, "");
}

/**
 * What went wrong, and what to do: an error of the server.
 * @param {import("./server.mjs").Trouble} trouble
 */
export function troubleWords(trouble) {
  const hint = { text: trouble.hint, code: trouble.hint_code, values: trouble.hint_values };
  if (!trouble.hint) return messageWords(trouble);
  const values = { one: messageWords(trouble), other: sayWords(hint) };
  return sayWords({ text: `${values.one} ${values.other}`, code: "one_other", values });
}

/** What went wrong. @param {import("./server.mjs").Trouble} trouble */
export const messageWords = ({ message, code, values }) => sayWords({ text: message, code, values });

/**
 * How far an order is: `rendering 40 %, about 12 s left`.
 * @param {Progress} progress
 */
export function progressWords({ code, values, text, seconds_left: left }) {
  const key = `progress.${code}`;
  if (known(key) === undefined) return text; // a code that these words do not know yet
  const numbers = Object.entries(values).map(([name, value]) => [name, Number(value)]);
  const words = t(key, Object.fromEntries(numbers));
  const seconds = Math.round(left ?? 0);
  return seconds ? t("secondsLeft", { text: words, seconds }) : words;
}
