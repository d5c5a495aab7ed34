/**
 * Words in the language of the page, from locales/<language>/main.json by way of ComfyUI.
 *
 * Owns nothing but the look-up: a text missing in one language is shown in English.
 */
import { app } from "../../../scripts/app.js";

/** @typedef {{ [key: string]: string | Words }} Words */

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
  const answer = await app.api.fetchApi("/i18n");
  const all = await answer.json();
  languages = Object.fromEntries(
    Object.entries(all).map(([language, words]) => [language, words.seedance ?? {}]),
  );
}

/** The language of the page, `zh-TW` for instance. @returns {string} */
export const locale = () => app.extensionManager.setting.get("Comfy.Locale") ?? "en";

/**
 * The text at `key`, with `{name}` replaced by `values.name`.
 * @param {string} key - a path such as `keys.set`
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return (known(key) ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** The text at `key`, if there is one. @param {string} key */
export const known = (key) => inLanguage((words) => at(words, key.split(".")));

/**
 * What the server says, made of parts with numbers in them (`picture 2: by your bucket`,
 * `rendering 40 %, about 50 s left`), as far as its parts are known: `#` stands for a number.
 * @param {string} phrase
 */
export function translated(phrase) {
  return phrase.split(SEAMS).map(part).join("");
}

const SEAMS = /(: | · |, |\n)/;

/** @param {string} text */
function part(text) {
  /** @type {string[]} */
  const numbers = [];
  const key = text.replace(/\d+(\.\d+)?/g, (number) => (numbers.push(number), "#"));
  const found = inLanguage((words) => at(words, ["server", key]));
  return found?.replace(/#/g, () => numbers.shift() ?? "#") ?? text;
}

/**
 * What is found in the words of the page's language, else in the English ones.
 * @param {(words: Words | undefined) => string | undefined} find
 */
function inLanguage(find) {
  const wanted = locale();
  return [wanted, wanted.split("-")[0], "en"]
    .map((language) => find(languages[language]))
    .find((found) => found !== undefined);
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
