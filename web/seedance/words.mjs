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
  return (known(key) ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * The text at `key`, if there is one.
 * @param {string} key
 * @returns {string | undefined}
 */
export function known(key) {
  const wanted = locale();
  const path = key.split(".");
  return [wanted, wanted.split("-")[0], "en"]
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
 * How far an order is: `rendering 40 %, about 12 s left`.
 * @param {Progress} progress
 */
export function progressWords({ code, values, text, seconds_left: left }) {
  const key = `progress.${code}`;
  if (known(key) === undefined) return text; // a code that these words do not know yet
  const numbers = Object.entries(values).map(([name, value]) => [name, Number(value)]);
  const words = t(key, Object.fromEntries(numbers));
  return left ? t("secondsLeft", { text: words, seconds: Math.round(left) }) : words;
}
