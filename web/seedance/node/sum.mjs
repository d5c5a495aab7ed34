/**
 * What the whole graph would cost now: all Seedance nodes, wherever they are, collapsed, in subgraphs
 * or in App mode. It stands at the lower edge of the page while it is not nothing.
 */
import { nodesToRun, onGraphChanged, onRuns } from "../../page.mjs";
import { amount, h, icon } from "../dom.mjs";
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { forgetLabels, label } from "./labels.mjs";
import { asPrompt, mayCost } from "./sketch.mjs";

/** @typedef {import("../server.mjs").GraphSum} GraphSum */

const PAUSE = 800; // milliseconds without a change before the server is asked

const place = h("div", { class: "seedance seedance-sum", role: "status" });
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let last = "";

/** Something has changed that the sum may depend on. */
export function sumLater() {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
}

onRuns(() => {
  last = ""; // what was made meanwhile costs nothing now
  forgetLabels();
  sumLater();
});
onGraphChanged(sumLater);

async function look() {
  void label();
  const nodes = nodesToRun().filter(({ node }) => mayCost(node));
  const prompt = asPrompt(nodes);
  const asked = JSON.stringify(prompt);
  if (asked === last) return;
  last = asked;
  const sum = nodes.length ? await server.graphSum(prompt).catch(() => null) : null;
  if (asked === last) draw(sum, nodes.length);
}

/** @param {GraphSum | null} sum @param {number} nodes */
function draw(sum, nodes) {
  place.replaceChildren();
  if (!sum || (!sum.usd && !sum.unknown)) return place.remove();
  const { usd, orders, unknown, max_usd: most } = sum;
  const price = amount({ amount: usd, currency: "USD", estimated: true });
  const words = [
    t(nodes === 1 ? "sum.node" : "sum.nodes", { count: nodes }),
    t(orders === 1 ? "sum.video" : "sum.videos", { count: orders }),
    t("line.about", { price }),
    unknown ? t("sum.unknown", { unknown }) : "",
  ].filter(Boolean);
  const over = most > 0 && usd > most;
  place.append(
    icon(over ? "exclamation-triangle" : "wallet"),
    h("span", {}, words.join(t("value.between"))),
    over ? h("span", { class: "seedance-remark bad" }, t("sum.over", { most })) : "",
  );
  document.body.append(place);
}
