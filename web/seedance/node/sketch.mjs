/** A node's widgets, and what the server is told of them so that it can check the node's order. */
import { inputNames, linkedInputs } from "../../page.mjs";
import { t } from "../words.mjs";

/**
 * A node's widget by name.
 * @param {ComfyNode} node
 * @param {string} name
 * @returns {ComfyWidget | undefined}
 */
export const widget = (node, name) => node.widgets?.find((item) => item.name === name);

/**
 * The value of a widget.
 * @param {ComfyNode} node
 * @param {string} name
 * @returns {any}
 */
export const value = (node, name) => widget(node, name)?.value;

/** Whether a node makes an order: what becomes of it is in its line. @param {ComfyNode} node */
export const makesOrder = (node) => Boolean(widget(node, "model"));

/** Stands before the label of a widget whose value is not possible. */
export const MARK = "⚠ ";

/**
 * What a person calls an input, in the language of the page.
 * @param {ComfyNode} node
 * @param {string} name
 */
export const labelOf = (node, name) => (widget(node, name)?.label ?? name).replace(MARK, "");

/**
 * What is sent other than asked.
 * @param {ComfyNode} node
 * @param {import("../server.mjs").Change} change
 * @param {string} [key]
 */
export const changeWords = (node, { field, asked, given }, key = "line.changes") =>
  t(key, { field: labelOf(node, field), asked: String(asked), given: String(given) });

/** Widgets that neither the price nor what is possible depends on. */
export const IDLE = new Set([
  "seed",
  "control_after_generate",
  "decode_frames",
  "takes",
  "seedance_estimate",
]);

/**
 * The body of `POST /seedance/check` for a node. What arrives over a link is not known here, so the
 * widget's own value stands for it.
 * @param {ComfyNode} node
 */
export function sketch(node) {
  const inputs = inputNames(node);
  const known = (node.widgets ?? []).filter(({ name }) => inputs.has(name) && !IDLE.has(name));
  return {
    node: node.comfyClass,
    inputs: Object.fromEntries(known.map(({ name, value }) => [name, value])),
    sockets: linkedInputs(node),
  };
}

/** What makes a video of this node: `text`, `image`, ... as in a provider's list. @param {ComfyNode} node */
export function mode(node) {
  if (node.comfyClass === "SeedanceV2V") return value(node, "operation") ?? "edit";
  if (/@asset:/i.test(String(value(node, "prompt") ?? ""))) return "reference";
  return MODES[node.comfyClass ?? ""] ?? "text";
}

/** @type {Record<string, string>} */
const MODES = {
  SeedanceT2V: "text",
  SeedanceI2V: "image",
  SeedanceFrames: "frames",
  SeedanceReference: "reference",
};
