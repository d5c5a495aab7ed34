/**
 * What a Seedance node shows besides its inputs: narrowed lists, a line with price and changes, and
 * the server's progress in the page's language.
 *
 * Owns when the node is looked at again. The line itself is node/line.mjs.
 */
import { app } from "../../../../scripts/app.js";
import { style } from "../dom.mjs";
import * as server from "../server.mjs";
import { translated } from "../words.mjs";
import { draw } from "./line.mjs";
import { narrow, ownLists } from "./lists.mjs";
import { sketch, widget } from "./sketch.mjs";

const PAUSE = 400; // milliseconds without a change before the server is asked

/** Inputs that neither the price nor what is possible depends on. */
const IDLE = new Set(["seed", "control_after_generate", "decode_frames", "seedance_estimate"]);

/** @type {Set<WeakRef<ComfyNode>>} */
const attached = new Set();
/** @type {WeakMap<ComfyNode, (pause: number) => void>} */
const looks = new WeakMap();

server.news.addEventListener("providers", () => {
  for (const node of nodes()) looks.get(node)?.(PAUSE);
});

/** ComfyUI has just put the server's words into this widget, in the server's language. */
const PROGRESS = "$$node-text-preview";
app.api.addEventListener("progress_text", () => {
  for (const node of nodes()) {
    const words = widget(node, PROGRESS);
    if (typeof words?.value === "string") words.value = translated(words.value);
  }
});

function* nodes() {
  for (const reference of attached) {
    const node = reference.deref();
    if (node) yield node;
    else attached.delete(reference);
  }
}

/**
 * @param {ComfyNode} node
 * @param {HTMLElement} line
 * @param {(pixels: number) => void} setHeight - of the line in the classic rendering
 */
export function attach(node, line, setHeight) {
  style();
  ownLists(node);
  attached.add(new WeakRef(node));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = 0;

  const look = async () => {
    if (!node.graph) return; // removed, or not placed yet
    const number = ++asked;
    const order = sketch(node);
    try {
      const providers = await server.providers();
      narrow(node, providers);
      const check = await server.check(order);
      if (number === asked) draw(line, node, { check, providers });
    } catch (error) {
      if (number === asked) draw(line, node, { error: /** @type {Error} */ (error) });
    }
    fit(node, line, setHeight);
  };
  const later = (/** @type {number} */ pause) => {
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  };

  looks.set(node, later);

  for (const item of node.widgets ?? []) {
    if (!IDLE.has(item.name)) item.callback = after(item.callback, () => later(PAUSE));
  }
  node.onConnectionsChange = after(node.onConnectionsChange, () => later(PAUSE));
  node.onConfigure = after(node.onConfigure, () => later(0));
  node.onAdded = after(node.onAdded, () => later(0));
  // ComfyUI makes room for the finished clip without drawing the node again.
  node.onResize = after(node.onResize, () => node.setDirtyCanvas(true, true));
  new ResizeObserver(() => fit(node, line, setHeight)).observe(line);
  later(0);
}

/** Narrow the lists of all nodes again, after ComfyUI has put the full ones back. */
export async function narrowAll() {
  const providers = await server.providers();
  for (const node of nodes()) {
    ownLists(node);
    narrow(node, providers);
  }
}

/**
 * `first`, then `then`; `first` may not be there.
 * @template {(...values: any[]) => any} F
 * @param {F | undefined | null} first
 * @param {() => void} then
 * @returns {F}
 */
function after(first, then) {
  return /** @type {F} */ (
    function (...values) {
      // @ts-expect-error `this` is whatever ComfyUI calls it with.
      const result = first?.apply(this, values);
      then();
      return result;
    }
  );
}

/**
 * Let the node be as high as its line needs; it never gets smaller than somebody made it.
 * @param {ComfyNode} node
 * @param {HTMLElement} line
 * @param {(pixels: number) => void} setHeight
 */
function fit(node, line, setHeight) {
  const content = line.firstElementChild;
  if (!(content instanceof HTMLElement) || !content.offsetHeight) return;
  setHeight(content.offsetHeight + 8); // the widget's margin, twice
  const [width, height] = node.computeSize();
  if (node.size[1] < height) node.setSize([Math.max(node.size[0], width), height]);
  node.setDirtyCanvas?.(true, true);
}
