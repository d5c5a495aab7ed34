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
  const wanted = locale();
  const text = [wanted, wanted.split("-")[0], "en"]
    .map((language) => at(languages[language], key.split(".")))
    .find((found) => found !== undefined);
  return (text ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/**
 * A phrase that the server made of known parts, `picture 2: by your bucket`, as far as it is known.
 * @param {string} phrase
 */
export function translated(phrase) {
  const part = (/** @type {string} */ text) => {
    const [, words, number = ""] = /^(.*?)( \d+)?$/.exec(text) ?? [];
    const key = `server.${words}`;
    const found = t(key);
    return found === key ? text : found + number;
  };
  return phrase.split(": ").map(part).join(": ");
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
