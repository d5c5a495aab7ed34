/** A node's widgets, and what the server is told of them so that it can check the node's order. */
import { LINKED, NOTHING, givenTo, inputNames, linkedInputs } from "../../page.mjs";
import { known, sayWords, t } from "../words.mjs";

/**
 * A node's widget by name.
 * @param {ComfyNode} node
 * @param {string} name
 * @returns {ComfyWidget | undefined}
 */
export const widget = (node, name) => node.widgets?.find((item) => item.name === name);

/**
 * The value of a widget, or what the subgraph that the node is in gives it instead.
 * @param {ComfyNode} node
 * @param {string} name
 * @returns {any}
 */
export function value(node, name) {
  const given = givenTo(node).get(name);
  return given === undefined || typeof given === "symbol" ? widget(node, name)?.value : given;
}

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
export function changeWords(node, { field, asked, given, values }, key = "line.changes") {
  const words = (/** @type {unknown} */ value, /** @type {unknown} */ said) =>
    optionWords(field, value) ?? sayWords(said ?? value);
  return t(key, {
    field: widget(node, field) ? labelOf(node, field) : sayWords(values?.field ?? field),
    asked: words(asked, values?.asked),
    given: words(given, values?.given),
  });
}

/** Why something is sent other than asked. @param {import("../server.mjs").Change} change */
export const whyWords = ({ why, values }) => sayWords(values?.why ?? why);

/**
 * What the page calls a value of an input: `adaptive`, for instance. The value itself stays.
 * @param {string} name - of the input
 * @param {unknown} value
 */
export const optionWords = (name, value) => known(`option.${name}.${value}`);

/** Widgets that neither the price nor what is possible depends on. */
const IDLE = new Set([
  "seed",
  "control_after_generate",
  "decode_frames",
  "decode_last_frame",
  "decode_audio",
  "frames_first",
  "frames_count",
  "frames_step",
  "takes",
  "seedance_estimate",
]);

/** Whether the node makes all shots of a list. @param {ComfyNode} node */
export const isStoryboard = (node) => node.comfyClass === "SeedanceStoryboard";

/**
 * Whether what the node says depends on a widget. A storyboard says which shots are there already,
 * and another seed makes others.
 * @param {ComfyNode} node
 * @param {string} name
 */
export const matters = (node, name) => !IDLE.has(name) || (name === "seed" && isStoryboard(node));

/**
 * The body of `POST /seedance/check` for a node. What arrives over a link is not known here, so the
 * widget's own value stands for it.
 * @param {ComfyNode} node
 */
export function sketch(node) {
  const { class_type, inputs } = asInPrompt({ node, given: givenTo(node) });
  const known = Object.entries(inputs).filter(([name]) => matters(node, name));
  const widgets = known.map(([name, value]) => [name, isLink(value) ? own(node, name) : value]);
  return {
    node: class_type,
    inputs: Object.fromEntries(widgets.filter(([, value]) => value !== undefined)),
    sockets: Object.keys(inputs).filter((name) => isLink(inputs[name])),
  };
}

/** @param {ComfyNode} node @param {string} name */
const own = (node, name) => widget(node, name)?.value;

const LINK = ["linked", 0];
/** @param {unknown} value */
const isLink = (value) => value === LINK;

/**
 * Nodes as ComfyUI's API has them, with what subgraphs give them.
 * @param {import("../../page.mjs").Placed[]} nodes
 */
export const asPrompt = (nodes) =>
  Object.fromEntries(nodes.map((placed, number) => [String(number), asInPrompt(placed)]));

/**
 * @param {import("../../page.mjs").Placed} placed
 * @returns {{ class_type: string | undefined, inputs: Record<string, unknown> }}
 */
function asInPrompt({ node, given }) {
  const known = inputNames(node);
  const widgets = (node.widgets ?? []).filter(({ name }) => known.has(name));
  const inputs = new Map(widgets.map(({ name, value }) => [name, /** @type {unknown} */ (value)]));
  for (const name of linkedInputs(node)) inputs.set(name, LINK);
  for (const [name, value] of given) {
    if (value === LINKED) inputs.set(name, LINK);
    else if (value !== NOTHING) inputs.set(name, value);
    else if (widget(node, name)) inputs.set(name, own(node, name));
    else inputs.delete(name);
  }
  return { class_type: node.comfyClass, inputs: Object.fromEntries(inputs) };
}

const COSTING = /^Seedance(T2V|I2V|Frames|Reference|V2V|Storyboard|Final)$/;

/** Whether a run of the node may cost something. @param {ComfyNode} node */
export const mayCost = (node) => COSTING.test(node.comfyClass ?? "");

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
