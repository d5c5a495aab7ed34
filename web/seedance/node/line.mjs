/** The line on a node: who would make the video, for how much, and what would not be as asked. */
import { openSettings } from "../../page.mjs";
import { amount, button, h, icon, inUsd, remark } from "../dom.mjs";
import { messageWords, sayWords, t } from "../words.mjs";
import { remarksOnPrompt } from "./names.mjs";
import { changeWords, labelOf, optionWords, value, whyWords } from "./sketch.mjs";

/**
 * @typedef {import("../server.mjs").Check} Check
 * @typedef {import("../server.mjs").Provider} Provider
 * @typedef {import("../server.mjs").Quote} Quote
 * @typedef {{ check?: Check, providers?: Provider[], error?: Error }} News
 */

/**
 * @param {HTMLElement} place
 * @param {ComfyNode} node
 * @param {News} news
 */
export function draw(place, node, news) {
  place.replaceChildren(...rows(node, news));
}

/** @param {ComfyNode} node @param {News} news @returns {HTMLElement[]} */
function rows(node, { check, providers = [], error }) {
  if (!check) return [remark("times-circle", error?.message ?? "", "bad")];
  if (check.storyboard) return storyboard(node, check.storyboard);
  const asked = value(node, "provider") ?? "auto";
  const id = asked === "auto" ? check.auto : asked;
  const quote = check.quotes.find(({ provider }) => provider === id);
  if (!quote) {
    const keyless = check.quotes.every(({ key }) => key === null || key === "not needed");
    return [
      head(t("line.auto"), compareButton(node)),
      keyless
        ? keyMissing("line.noKeys")
        : remark("exclamation-triangle", t("line.nobody"), "warn"),
    ];
  }
  const name = providers.find((provider) => provider.id === id)?.name ?? quote.provider;
  const who = asked === "auto" ? `${t("line.auto")} → ${name}` : name;
  return [
    head(
      `${who} · ${price(quote, Number(value(node, "takes") ?? 1))}`,
      compareButton(node),
      quote.price?.as_of,
    ),
    ...(quote.key === null ? [keyMissing("line.noKey")] : []),
    ...remarksOnPrompt(node).map(({ words, kind }) =>
      remark(kind ? "exclamation-triangle" : "info-circle", words, kind),
    ),
    ...remarks(node, quote),
  ];
}

/** @param {ComfyNode} node @param {import("../server.mjs").Storyboard} all @returns {HTMLElement[]} */
function storyboard(node, { shots, to_make: make, free, usd, unknown, problem }) {
  const said = (/** @type {string} */ words) => h("div", { class: "seedance-head" }, h("span", {}, words));
  const keyless = problem?.kind === "NeedsKey";
  if (keyless && !shots) return [keyMissing("line.noKeys")];
  if (problem && !String(value(node, "shots") ?? "").trim()) {
    return [remark("info-circle", t("line.noShots"), "")];
  }
  if (problem && !keyless) {
    return problem.message.split("\n").map((words) => remark("times-circle", words, "bad"));
  }
  if (!make) return [said(t("line.allThere", { shots }))];
  const about = t("line.about", { price: amount({ amount: usd, currency: "USD", estimated: true }) });
  const price = free ? t("money.free") : usd ? about : t("line.unknown");
  return [
    said(t("line.storyboard", { make, shots, price })),
    ...(keyless ? [keyMissing("line.noKey")] : []),
    ...(unknown && usd ? [remark("info-circle", t("sum.unknown", { unknown }), "")] : []),
  ];
}

/** @param {Quote} quote @param {number} takes */
function price({ price, problem }, takes) {
  if (!price) return problem ? t("line.impossible") : t("line.unknown");
  if (!price.amount) return t("money.free");
  const all = amount({ ...price, amount: price.amount * takes });
  const words = [
    t("line.about", { price: takes > 1 ? `${takes} × ${amount(price)} = ${all}` : all }),
    inUsd(price, takes),
    price.reported ? t("line.reported") : "",
  ];
  return words.filter(Boolean).join(t("value.between"));
}

/** @param {ComfyNode} node @param {Quote} quote */
function remarks(node, { changes, notes, notes_said, problem }) {
  const stops = problem !== null;
  if (stops && !changes.length) return [remark("times-circle", messageWords(problem), "bad")];
  return [
    ...changes.map((change) =>
      remark(
        stops ? "exclamation-triangle" : "arrow-right",
        changeWords(node, change, stops ? "line.wouldChange" : "line.changes"),
        stops ? "warn" : "",
        whyWords(change),
      ),
    ),
    ...(stops
      ? [remark("info-circle", nearestWords(node), "")]
      : []),
    ...(notes_said ?? notes).map((said) => remark("info-circle", sayWords(said), "")),
  ];
}

/** That the order runs only with changes. @param {ComfyNode} node */
const nearestWords = (node) =>
  t("line.nearest", {
    name: labelOf(node, "on_unsupported"),
    nearest: optionWords("on_unsupported", "nearest") ?? "nearest",
  });

/** @param {string} words @param {HTMLElement} action @param {string | null} [priceDate] */
function head(words, action, priceDate) {
  const title = priceDate ? t("line.listOf", { date: priceDate.split(",")[0] }) : null;
  return h("div", { class: "seedance-head" }, h("span", { title }, words), action);
}

/** @param {ComfyNode} node */
const compareButton = (node) =>
  button(t("compare.short"), async () => (await import("../compare.mjs")).open(node), {
    kind: "small",
  });

/** @param {"line.noKey" | "line.noKeys"} words */
function keyMissing(words) {
  return h(
    "div",
    { class: "seedance-remark warn" },
    icon("key"),
    h("span", {}, t(words)),
    button(t("line.openSettings"), openSettings, { kind: "small" }),
  );
}
