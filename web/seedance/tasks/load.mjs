/** Puts the order of a task into a new node, so that it can be changed and made again. */
import { addToGraph, makeNode, toast } from "../../page.mjs";
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
];

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
    const { order } = JSON.parse(await file.text());
    if (typeof order !== "object" || order === null) throw new Error(t("tasks.noOrder"));
    toast("info", file.name, put(order, modeOf(order)));
  } catch (error) {
    toast("error", file.name, /** @type {Error} */ (error).message);
  }
}

/** @param {Record<string, any>} order */
function modeOf(order) {
  if (order.video) return order.operation ?? "edit";
  if (order.references?.length) return "reference";
  if (order.last_frame) return "frames";
  return order.first_frame ? "image" : "text";
}

/**
 * @param {Record<string, any>} order
 * @param {string} mode
 * @returns {string} what the person should know
 */
function put(order, mode) {
  const node = makeNode(NODES[mode] ?? "SeedanceT2V");
  if (!node) throw new Error(t("tasks.noNode"));
  const missing = fill(node, order);
  addToGraph(node);
  return missing ? t("tasks.loadedWithout", { missing }) : t("tasks.loaded");
}

/**
 * @param {ComfyNode} node
 * @param {Record<string, any>} order
 * @returns {number} how many media must be connected by hand
 */
function fill(node, order) {
  for (const name of PLAIN) set(node, name, order[name]);
  if (Object.keys(order.extra ?? {}).length) set(node, "extra", JSON.stringify(order.extra));
  const frame = node.comfyClass === "SeedanceI2V" ? "image_url" : "first_frame_url";
  set(node, frame, order.first_frame?.address);
  set(node, "last_frame_url", order.last_frame?.address);
  set(node, "video_url", order.video?.address);
  /** @type {{ kind: string, address?: string }[]} */
  const references = order.references ?? [];
  const urls = references
    .filter(({ address }) => address)
    .map(({ kind, address }) => `${kind}: ${address}`);
  set(node, "urls", urls.join("\n"));
  const media = [order.first_frame, order.last_frame, order.video, ...references];
  return media.filter((medium) => medium && !medium.address).length;
}

/** @param {ComfyNode} node @param {string} name @param {unknown} value */
function set(node, name, value) {
  const field = widget(node, name);
  if (field && value !== undefined && value !== null) field.value = /** @type {any} */ (value);
}
