/**
 * What a Seedance node shows besides its inputs: lists narrowed to what is possible (lists.mjs), who
 * would make the video and for how much (line.mjs), and what its run says (run.mjs).
 */
import {
  isInside,
  nodeAt,
  onGraphChanged,
  onNodeNews,
  onOutput,
  outputOf,
  showUsed,
  workflow,
} from "../../page.mjs";
import { h, style } from "../dom.mjs";
import * as server from "../server.mjs";
import { draw } from "./line.mjs";
import { narrow, ownLists, wordLists } from "./lists.mjs";
import { offerNames } from "./mentions.mjs";
import { drawRun, note, noteOutput, recall, runsOf } from "./run.mjs";
import { isStoryboard, makesOrder, matters, sketch, widget } from "./sketch.mjs";
import { sumLater } from "./sum.mjs";
import { t } from "../words.mjs";

/** @typedef {import("./run.mjs").Run} Run */

const PAUSE = 400; // milliseconds without a change before the server is asked

offerNames();

/** The nodes that make orders. @type {Set<WeakRef<ComfyNode>>} */
const ordering = new Set();
/** Asks the server about a node's order after a pause. @type {WeakMap<ComfyNode, (pause: number) => void>} */
const looks = new WeakMap();
/** Shows a run on its node. @type {WeakMap<ComfyNode, (run: Run) => void>} */
const shows = new WeakMap();

server.news.addEventListener("providers", () => {
  for (const node of orderingNodes()) looks.get(node)?.(PAUSE);
});

// A subgraph gives its nodes values that their own widgets do not show.
onGraphChanged(() => {
  for (const node of orderingNodes()) if (isInside(node)) looks.get(node)?.(PAUSE);
});

onNodeNews((news) => {
  const run = note(news);
  if (news.workflow !== null && news.workflow !== workflow()) return; // on another tab of the page
  const node = nodeAt(news.node);
  if (!node) return;
  shows.get(node)?.(run);
  if (news.results && isStoryboard(node)) looks.get(node)?.(PAUSE); // fewer shots are to make
});

function* orderingNodes() {
  for (const reference of ordering) {
    const node = reference.deref();
    if (node) yield node;
    else ordering.delete(reference);
  }
}

/**
 * @param {ComfyNode} node
 * @param {HTMLElement} line
 * @param {(pixels: number) => void} setHeight - of the line in the classic rendering
 * @param {() => boolean} isNew - whether the node still has the height that ComfyUI made it with, for
 *   all of its inputs, not that of a saved workflow
 */
export function attach(node, line, setHeight, isNew) {
  style();
  const estimate = h("div", { class: "seedance-estimate", role: "status" });
  const run = h("div", { class: "seedance-run" });
  line.replaceChildren(h("div", {}, estimate, run));
  if (isNew()) fitted_.set(node, node.size[1]);
  showUsed(node);
  node.onConfigure = after(node.onConfigure, () => showUsed(node));
  const own = widget(node, "seedance_estimate");
  if (own) own.label = t("line.label"); // in App mode, where it can be shown among the inputs
  const fitted = () => fit(node, line, setHeight);
  if (makesOrder(node)) watchOrder(node, estimate, fitted);
  else resize(node); // its line is empty until it runs
  watchRun(node, run, fitted);
  // ComfyUI makes room for the finished clip without drawing the node again.
  node.onResize = after(node.onResize, () => node.setDirtyCanvas(true, true));
  new ResizeObserver(fitted).observe(line);
}

/**
 * Keep the node's lists and its line as what is chosen asks for.
 * @param {ComfyNode} node
 * @param {HTMLElement} place
 * @param {() => void} drawn
 */
function watchOrder(node, place, drawn) {
  ownLists(node);
  wordLists(node);
  ordering.add(new WeakRef(node));
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
      if (number === asked) draw(place, node, { check, providers });
      sumLater();
    } catch (error) {
      if (number === asked) draw(place, node, { error: /** @type {Error} */ (error) });
    }
    drawn();
  };
  const later = (/** @type {number} */ pause) => {
    clearTimeout(timer);
    timer = setTimeout(look, pause);
  };

  looks.set(node, later);
  for (const item of node.widgets ?? []) {
    if (matters(node, item.name) || item.name === "takes") item.callback = after(item.callback, () => later(PAUSE));
  }
  node.onConnectionsChange = after(node.onConnectionsChange, () => later(PAUSE));
  node.onConfigure = after(node.onConfigure, () => later(0));
  node.onAdded = after(node.onAdded, () => later(0));
  node.onRemoved = after(node.onRemoved, sumLater);
  later(0);
}

/**
 * Show what the node's run says; what was said before, where the page has made the node anew since,
 * as it does when somebody comes back to a workflow or loads the page again.
 * @param {ComfyNode} node
 * @param {HTMLElement} place
 * @param {() => void} drawn
 */
function watchRun(node, place, drawn) {
  const show = (/** @type {Run} */ run) => {
    drawRun(place, node, run);
    drawn();
  };
  const last = () => runsOf(workflow()).find((run) => nodeAt(run.node) === node);
  const came = (/** @type {any} */ output) => {
    const said = output?.seedance;
    if (said) show(noteOutput(last()?.node ?? String(node.id), workflow(), said));
  };
  const restore = async () => {
    if (!node.graph) return; // removed, or not placed yet
    if (!last()) await recall(workflow());
    const run = last();
    if (run) show(run);
    else came(outputOf(node));
  };

  shows.set(node, show);
  onOutput(node, came);
  const later = () => setTimeout(restore); // when the whole workflow is there
  node.onConfigure = after(node.onConfigure, later);
  node.onAdded = after(node.onAdded, later);
  later();
}

/** Narrow the lists of all nodes again, after ComfyUI has put the full ones back. */
export async function narrowAll() {
  const providers = await server.providers();
  for (const node of orderingNodes()) {
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

/** The height that ComfyUI or `fit` gave a node. @type {WeakMap<ComfyNode, number>} */
const fitted_ = new WeakMap();

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
  resize(node);
  node.setDirtyCanvas?.(true, true);
}

/** @param {ComfyNode} node */
function resize(node) {
  const [width, height] = node.computeSize();
  const ours = fitted_.get(node) === node.size[1];
  if (node.size[1] < height || (ours && node.size[1] > height)) {
    node.setSize([Math.max(node.size[0], width), height]);
    fitted_.set(node, node.size[1]);
  }
}
