/**
 * What a node would cost, on the node itself, where its line is not to be seen: on one that is
 * collapsed, and on a subgraph with nodes of ours in it.
 */
import { labelNode, nodesWithin, nodesWithoutLine } from "../../page.mjs";
import { priceWords } from "../dom.mjs";
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { asPrompt, mayCost } from "./sketch.mjs";

const MOST = 50; // nodes that are labelled: the server is asked about each

/** What the labels were last asked for, and say. @type {WeakMap<ComfyNode, { asked: string, words: string }>} */
const labels = new WeakMap();

/** Forget what was asked: what was made meanwhile costs nothing now. */
let turn = 0;
export const forgetLabels = () => void turn++;

/** The nodes that have words now. @type {Set<ComfyNode>} */
const labelled = new Set();

/** Label the nodes that a person looks at, and no others. */
export async function label() {
  const nodes = nodesWithoutLine().slice(0, MOST);
  for (const node of labelled) if (!nodes.includes(node)) show(node, "", "");
  await Promise.all(nodes.map(labelOne));
}

/** @param {ComfyNode} node */
async function labelOne(node) {
  const inside = nodesWithin(node).filter((placed) => mayCost(placed.node));
  const prompt = asPrompt(inside);
  const asked = inside.length ? JSON.stringify([turn, prompt]) : "";
  const last = labels.get(node);
  if (!asked) {
    if (last?.words) show(node, "", "");
  } else if (last?.asked === asked) {
    labelNode(node, last.words); // its element may be new
  } else {
    labels.set(node, { asked, words: last?.words ?? "" });
    const sum = await server.graphSum(prompt).catch(() => null);
    if (labels.get(node)?.asked === asked) show(node, asked, sum ? wordsOf(sum) : "");
  }
}

/** @param {ComfyNode} node @param {string} asked @param {string} words */
function show(node, asked, words) {
  labels.set(node, { asked, words });
  if (words) labelled.add(node);
  else labelled.delete(node);
  labelNode(node, words);
}

/** @param {server.GraphSum} sum */
function wordsOf({ usd, orders, unknown }) {
  if (!orders) return "";
  const words = [
    orders > 1 ? t("sum.videos", { count: orders }) : "",
    usd || !unknown ? priceWords({ amount: usd, currency: "USD", estimated: true }) : "",
    unknown ? t(orders > 1 ? "sum.unknown" : "line.unknown", { unknown }) : "",
  ];
  return words.filter(Boolean).join(t("value.between"));
}
