/**
 * Puts the order of a task into a new node, so that it can be changed and made again, with nodes that
 * load its pictures, clips and sounds.
 */
import { addToGraph, loadInto, makeNode, toast } from "../../page.mjs";
import { widget } from "../node/sketch.mjs";
import * as server from "../server.mjs";
import { ready, t } from "../words.mjs";

/** @type {Record<string, string>} */
const NODES = {
  text: "SeedanceT2V",
  image: "SeedanceI2V",
  frames: "SeedanceFrames",
  reference: "SeedanceReference",
  edit: "SeedanceV2V",
  extend: "SeedanceV2V",
};

/** Fields of an order that are widgets of the same name. */
const PLAIN = [
  "prompt",
  "provider",
  "model",
  "resolution",
  "ratio",
  "duration",
  "generate_audio",
  "seed",
  "watermark",
  "camera_fixed",
  "operation",
  "keep_audio",
  "on_unsupported",
  "draft",
  "web_search",
  "output_format",
];

/** @typedef {{ kind: "image" | "video" | "audio", sha256?: string, name?: string, address?: string,
 *   asset?: string }} Medium - `asset`: the prompt names it */

/**
 * @param {number} row
 * @returns {Promise<string>} what the person should know
 */
export async function loadIntoNode(row) {
  const { order, mode } = await server.task(row);
  return put(order, mode);
}

/**
 * Puts the order of a video's sidecar into a new node.
 * @param {File} file
 */
export async function loadSidecar(file) {
  await ready();
  try {
    const order = JSON.parse(await file.text())?.order;
    if (typeof order !== "object" || order === null) throw new Error(t("tasks.noOrder"));
    toast("info", file.name, await put(order, modeOf(order)));
  } catch (error) {
    toast("error", file.name, /** @type {Error} */ (error).message);
  }
}

/** @param {Record<string, any>} order */
function modeOf(order) {
  if (order.video) return order.operation ?? "edit";
  if (order.references?.length || order.assets?.length) return "reference";
  if (order.last_frame) return "frames";
  return order.first_frame ? "image" : "text";
}

/**
 * @param {Record<string, any>} order
 * @param {string} mode
 * @returns {Promise<string>} what the person should know
 */
async function put(order, mode) {
  const node = makeNode(NODES[mode] ?? "SeedanceT2V");
  if (!node) throw new Error(t("tasks.noNode"));
  fill(node, order);
  addToGraph(node);
  const missing = await connect(node, mediaOf(node, order));
  return missing.length
    ? t("tasks.loadedWithout", { missing: missing.join(", ") })
    : t("tasks.loaded");
}

/** @param {ComfyNode} node @param {Record<string, any>} order */
function fill(node, order) {
  for (const name of PLAIN) set(node, name, order[name]);
  if (Object.keys(order.extra ?? {}).length) set(node, "extra", JSON.stringify(order.extra));
  const frame = node.comfyClass === "SeedanceI2V" ? "image_url" : "first_frame_url";
  set(node, frame, order.first_frame?.address);
  set(node, "last_frame_url", order.last_frame?.address);
  set(node, "video_url", order.video?.address);
  /** @type {Medium[]} */
  const references = order.references ?? [];
  const urls = references
    .filter(({ address, asset }) => address && !asset)
    .map(({ kind, address }) => `${kind}: ${address}`);
  set(node, "urls", urls.join("\n"));
}

/**
 * The media of an order that came by links, each with the input that it came by.
 * @param {ComfyNode} node
 * @param {Record<string, any>} order
 * @returns {[input: string, medium: Medium][]}
 */
function mediaOf(node, order) {
  const first = node.comfyClass === "SeedanceI2V" ? "image" : "first_frame";
  /** @type {Record<string, number>} */
  const counts = {};
  /** @type {[string, Medium][]} */
  const single = [
    [first, order.first_frame],
    ["last_frame", order.last_frame],
    ["video", order.video],
  ];
  const given = (order.references ?? []).filter((/** @type {Medium} */ { asset }) => !asset);
  const references = given.map((/** @type {Medium} */ medium) => {
    if (medium.address) return ["", medium];
    counts[medium.kind] = (counts[medium.kind] ?? 0) + 1;
    return [`${medium.kind}s.${medium.kind}_${counts[medium.kind]}`, medium];
  });
  return [...single, ...references].filter(([, medium]) => medium && !medium.address);
}

/**
 * @param {ComfyNode} node
 * @param {[input: string, medium: Medium][]} media
 * @returns {Promise<string[]>} what must be connected by hand, by its name where it has one
 */
async function connect(node, media) {
  if (!media.length) return [];
  const files = await server.media(media.map(([, medium]) => medium)).catch(() => []);
  const missing = [];
  let number = 0;
  for (const [at, [input, medium]] of media.entries()) {
    const file = files[at]?.file;
    const there = file && (await loadInto(node, input, medium.kind, file, number));
    if (there) number += 1;
    else missing.push(medium.name ? `${input} (${medium.name})` : input);
  }
  return missing;
}

/** @param {ComfyNode} node @param {string} name @param {unknown} value */
function set(node, name, value) {
  const field = widget(node, name);
  if (field && value !== undefined && value !== null) field.value = /** @type {any} */ (value);
}
