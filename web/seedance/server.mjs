/**
 * Requests to the pack's own routes (nodes/routes.py), and the shapes of their answers. Keeps
 * nothing of what is sent.
 */
import { addressOf, request } from "../page.mjs";
import { known as inWords, troubleWords } from "./words.mjs";

/**
 * @typedef {{ amount: number, currency: string, estimated: boolean }} Money
 * @typedef {Money & { as_of: string | null, reported?: boolean, usd?: number | null,
 *   rate?: string | null }} Price - by a list of that date; in USD, by a rate of that date
 * @typedef {import("./words.mjs").Said} Said
 * @typedef {{ field: string, asked: unknown, given: unknown, why: string,
 *   values?: Record<string, any> }} Change - `values` are the parts in words
 * @typedef {{ kind: string, message: string, hint: string, spent?: string, code?: string,
 *   values?: Record<string, any>, hint_code?: string, hint_values?: Record<string, any> }} Trouble
 *
 * @typedef {object} Progress - how far an order is (seedance/runner/progress.py)
 * @property {string} code
 * @property {Record<string, number>} values - that the words of the code name
 * @property {string} text - in English
 * @property {number | null} fraction - 0..1
 * @property {number | null} seconds_left
 *
 * @typedef {object} Model
 * @property {string[]} modes
 * @property {string[]} resolutions
 * @property {string[]} ratios
 * @property {[number, number]} durations
 * @property {boolean} auto_duration
 *
 * @typedef {object} Provider
 * @property {string} id
 * @property {string} name
 * @property {string | null} key_variable
 * @property {string | null} key_page - where a key is made
 * @property {string | null} base_url - the default, null where none is published
 * @property {Record<string, Model>} models - those that are offered as it is configured
 * @property {Record<string, string[]>} choices - values of settings that it has of its own
 * @property {Record<string, string[]>} adaptive - by model, the modes that can follow a source
 * @property {number | null} result_life - seconds
 * @property {"environment" | "file" | "not needed" | null} key
 * @property {{ key: "environment" | "file" | null, variables: string[] } | null} assets - its asset
 *   library: where the signing key comes from, and the variables of its two parts
 *
 * @typedef {object} Asset
 * @property {string} name
 * @property {string} provider - `any` for one of this server
 * @property {"image" | "video" | "audio"} kind
 * @property {boolean} person - whether it shows a real one
 * @property {string} state
 * @property {string} problem
 * @property {string | null} handle - of one in a library, `asset://...`
 * @property {string | null} file - of one of this server, without its folder
 * @property {boolean} picture - whether there is one to show
 *
 * @typedef {object} Settings
 * @property {Record<string, string | null>} base_urls
 * @property {Record<string, string | true>} bucket - a secret is `true`
 * @property {Record<string, number>} budget
 * @property {Record<string, { models?: Record<string, string>, dialect?: string }>} providers - what
 *   is set for them beside address and key
 * @property {string[]} environment - names of variables
 * @property {string[]} [keys_removed]
 *
 * @typedef {object} Quote
 * @property {string} provider
 * @property {unknown} payload
 * @property {string} url
 * @property {Change[]} changes
 * @property {string[]} notes
 * @property {(Said | string)[]} [notes_said]
 * @property {Price | null} price
 * @property {string[]} media - how each medium reaches the provider, in English
 * @property {Delivery[]} [deliveries] - the same as data
 * @property {Provider["key"]} key
 * @property {Trouble | null} problem
 * @typedef {{ medium: string, number: number, delivery: string }} Delivery
 * @typedef {{ quotes: Quote[], auto: string | null, storyboard?: Storyboard }} Check
 *
 * @typedef {object} Storyboard - what the shots of a list would cost now
 * @property {number} shots
 * @property {number} to_make - of them
 * @property {boolean} free - whether making those costs nothing
 * @property {number} usd
 * @property {number} unknown - takes without a known price
 * @property {Trouble | null} problem - why they cannot be made
 *
 * @typedef {{ usd: number, orders: number, unknown: number, max_usd: number }} GraphSum - what a
 *   graph would cost: videos with a known price, those without one, and the limit (0: none)
 *
 * @typedef {object} Task
 * @property {number} row
 * @property {string | null} task
 * @property {string} provider
 * @property {string} model
 * @property {string} state
 * @property {string} created
 * @property {string} updated
 * @property {string} prompt
 * @property {number} seed
 * @property {string | null} file
 * @property {Money | null} cost
 * @property {Trouble | null} error
 * @property {boolean} live
 * @property {Progress | null} progress - of a task that this server works on
 * @property {string} mode
 * @property {string} resolution
 * @property {number} duration - seconds
 * @property {string | null} expires
 * @property {string | null} [finish_until] - until when a draft can be finished
 * @property {string} [takes_of] - the same for all takes of one order
 * @property {boolean} picture
 * @property {boolean} there - whether the video file is
 * @property {{ video: string, image: string } | null} output - as ComfyUI's Load nodes name them
 * @property {boolean} can_cancel
 * @property {Record<string, any>} [order]
 *
 * @typedef {{ day: string, provider: string, currency: string, amount: number, usd: number | null,
 *   videos: number, estimated: boolean }} Total - `usd` null where that is not known
 */

/** What the server refused, in the words of the page. */
export class Refusal extends Error {
  /** @param {Trouble} trouble */
  constructor(trouble) {
    super(troubleWords(trouble));
    this.kind = trouble.kind;
  }
}

/**
 * @param {string} method
 * @param {string} path - below /seedance
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function ask(method, path, body) {
  const answer = await request(`/seedance${path}`, {
    method,
    cache: "no-store",
    ...(body && {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said;
  const status = `${answer.status} ${answer.statusText}`;
  throw new Refusal(said?.error ?? { kind: "", message: status, hint: "" });
}

/** @type {Promise<Provider[]> | undefined} */
let known;

/**
 * The providers and what they can do, their names in the page's language; asked for once, until
 * `forgetProviders`.
 * @returns {Promise<Provider[]>}
 */
export function providers() {
  known ??= named().catch((error) => {
    known = undefined;
    throw error;
  });
  return known;
}

/** @returns {Promise<Provider[]>} */
async function named() {
  const all = await ask("GET", "/providers");
  return all.map((/** @type {Provider} */ one) => ({
    ...one,
    name: inWords(`provider.${one.id}`) ?? one.name,
  }));
}

/** Says `providers` when keys or addresses have changed. */
export const news = new EventTarget();

/** A key or an address has changed. */
export function forgetProviders() {
  known = undefined;
  checks.clear();
  news.dispatchEvent(new Event("providers"));
}

/** @param {string} provider @param {string} key @returns {Promise<{ key: Provider["key"] }>} */
export const setKey = (provider, key) => ask("PUT", `/keys/${provider}`, { key });
/** @param {string} provider @returns {Promise<{ key: Provider["key"] }>} */
export const removeKey = (provider) => ask("DELETE", `/keys/${provider}`);
/** @param {string} provider @returns {Promise<{ account: string, said?: Said, left: Money | null }>} */
export const testKey = (provider) => ask("POST", `/keys/${provider}/test`, {});

/** @param {string} provider @param {{ access_key_id: string, secret_access_key: string }} halves */
export const setSigningKey = (provider, halves) => ask("PUT", `/keys/${provider}/assets`, halves);
/** @param {string} provider */
export const removeSigningKey = (provider) => ask("DELETE", `/keys/${provider}/assets`);
/** @param {string} provider @returns {Promise<{ works: true }>} */
export const testSigningKey = (provider) => ask("POST", `/keys/${provider}/assets/test`, {});

/** @returns {Promise<Settings>} */
export const settings = () => ask("GET", "/settings");
/** @param {object} changes @returns {Promise<Settings>} */
export async function putSettings(changes) {
  const now = await ask("PUT", "/settings", changes);
  forgetProviders(); // prices, media and budgets may be others now
  return now;
}
/** @returns {Promise<{ bucket: string }>} */
export const testBucket = () => ask("POST", "/bucket/test", {});

/** What the nodes of a workflow said last. @param {string} workflow @returns {Promise<any[]>} */
export const said = (workflow) => ask("GET", `/said?workflow=${encodeURIComponent(workflow)}`);

/** Answers to checks, by what was asked: a graph may hold an order many times. @type {Map<string, Promise<Check>>} */
const checks = new Map();
const MOST_CHECKS = 200;

/** @param {{ node?: string }} order @returns {Promise<Check>} */
export function check(order) {
  // What is there of a storyboard changes with each run.
  if (order.node === "SeedanceStoryboard") return ask("POST", "/check", order);
  const key = JSON.stringify(order);
  const present = checks.get(key);
  if (present) return present;
  const asking = ask("POST", "/check", order).catch((error) => {
    checks.delete(key);
    throw error;
  });
  if (checks.size >= MOST_CHECKS) checks.delete([...checks.keys()][0]);
  checks.set(key, asking);
  return asking;
}

/**
 * What the nodes of a graph would order now.
 * @param {object} prompt - nodes as ComfyUI's API has them
 * @returns {Promise<GraphSum | null>} null from a server that has no sum
 */
export async function graphSum(prompt) {
  const sum = await ask("POST", "/check", { prompt });
  return typeof sum?.usd === "number" ? sum : null;
}

/** @returns {Promise<Asset[]>} */
export const assets = () => ask("GET", "/assets");
/** The same after the libraries were asked. @returns {Promise<{ assets: Asset[], problems: string[] }>} */
export const refreshAssets = () => ask("POST", "/assets/refresh", {});
/** @param {string} name @param {string} provider @returns {Promise<Asset[]>} */
export const removeAsset = (name, provider) => ask("POST", "/assets/remove", { name, provider });
/** The address of an asset's picture. @param {Asset} asset */
export function pictureOf({ provider, name, file, handle }) {
  const query = { provider, ...(file === null ? { handle: handle ?? "" } : { name, file }) };
  return addressOf(`/seedance/assets/picture?${new URLSearchParams(query)}`);
}

/** @param {number} limit @param {number} since - Unix seconds @returns {Promise<Task[]>} */
export const tasks = (limit, since) => ask("GET", `/tasks?limit=${limit}&since=${since}`);
/** @param {number} row @returns {Promise<Required<Task>>} */
export const task = (row) => ask("GET", `/tasks/${row}`);
/**
 * The media of an order as ComfyUI's Load nodes name them, null for one that is not here.
 * @param {object[]} media
 * @returns {Promise<{ file: string | null }[]>}
 */
export const media = (media) => ask("POST", "/media", { media });
/** @param {number} days @returns {Promise<Total[]>} */
export const totals = (days) => ask("GET", `/totals?days=${days}`);
/** @param {number} row @returns {Promise<{ row: number }>} */
export const collect = (row) => ask("POST", `/tasks/${row}/collect`, {});
/** @param {number} row @returns {Promise<{ message: string, code?: string, values?: object }>} */
export const cancel = (row) => ask("POST", `/tasks/${row}/cancel`, {});
/** @param {number} row @returns {Promise<Task>} */
export const forget = (row) => ask("POST", `/tasks/${row}/forget`, {});

/** The address of a row's picture or video. @param {number} row @param {"thumbnail" | "video"} what */
export const fileOf = (row, what) => addressOf(`/seedance/tasks/${row}/${what}`);
