/** Right-click > Compare providers: what each provider would make of a node's order, and for how much. */
import { amount, button, h, icon, inUsd, style } from "./dom.mjs";
import { changeWords, sketch, value, whyWords, widget } from "./node/sketch.mjs";
import * as server from "./server.mjs";
import { messageWords, ready, sayWords, t } from "./words.mjs";

/** @typedef {import("./server.mjs").Quote} Quote */

/** @param {ComfyNode} node */
export async function open(node) {
  style();
  await ready();
  const dialog = h("dialog", {
    class: "seedance seedance-dialog",
    "aria-label": t("compare.title"),
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // ComfyUI's shortcuts
  const body = h("div", { class: "seedance-dialog-body" }, h("p", {}, t("loading")));
  dialog.append(
    h(
      "header",
      {},
      h("h2", {}, t("compare.title")),
      button(t("close"), () => dialog.close(), { icon: "times", only: true }),
    ),
    body,
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    const [{ quotes, auto }, providers] = await Promise.all([
      server.check(sketch(node)),
      server.providers(),
    ]);
    const names = Object.fromEntries(providers.map(({ id, name }) => [id, name]));
    body.replaceChildren(
      table(quotes, auto, names, node, () => dialog.close()),
      legend(node),
    );
  } catch (error) {
    body.replaceChildren(h("p", { role: "alert" }, /** @type {Error} */ (error).message));
  }
}

/**
 * @param {Quote[]} quotes
 * @param {string | null} auto
 * @param {Record<string, string>} names
 * @param {ComfyNode} node
 * @param {() => void} close
 */
function table(quotes, auto, names, node, close) {
  const heads = ["provider", "fits", "price", "media", "key", "use"];
  const present = value(node, "provider");
  return h(
    "table",
    { class: "seedance-table" },
    h(
      "thead",
      {},
      h("tr", {}, ...heads.map((name) => h("th", { scope: "col" }, t(`compare.${name}`)))),
    ),
    h(
      "tbody",
      {},
      ...[...quotes]
        .sort(better)
        .map((quote) =>
          h(
            "tr",
            { class: quote.provider === present ? "present" : null },
            h(
              "th",
              { scope: "row" },
              names[quote.provider] ?? quote.provider,
              quote.provider === auto && h("small", {}, t("compare.auto")),
              quote.provider === present && h("small", {}, t("compare.chosen")),
            ),
            h("td", {}, fits(node, quote)),
            h("td", { class: "number" }, priceOf(quote)),
            h("td", {}, ...deliveries(quote)),
            h("td", {}, key(quote)),
            h("td", {}, useButton(quote, names, node, close)),
          ),
        ),
    ),
  );
}

/** As asked first, then with changes, then not at all; the cheaper first. @param {Quote} a @param {Quote} b */
const better = (a, b) =>
  rank(a) - rank(b) || cost(a) - cost(b) || a.provider.localeCompare(b.provider);

/** @param {Quote} quote */
const rank = (quote) => (impossible(quote) ? 2 : quote.changes.length ? 1 : 0);
/** @param {Quote} quote */
const impossible = ({ problem, changes }) => problem !== null && !changes.length;
/** @param {Quote} quote */
const cost = ({ price }) =>
  price?.usd ?? (price?.currency === "USD" ? price.amount : Infinity);

/** @param {ComfyNode} node @param {Quote} quote */
function fits(node, quote) {
  if (impossible(quote)) return sign("times", quote.problem ? messageWords(quote.problem) : "", "bad");
  if (!quote.changes.length) {
    return h(
      "div",
      {},
      sign("check", t("compare.asAsked"), "good"),
      ...(quote.notes_said ?? quote.notes).map((note) => h("small", {}, sayWords(note))),
    );
  }
  return h(
    "div",
    {},
    sign("exclamation-triangle", t("compare.changed"), "warn"),
    h(
      "ul",
      {},
      ...quote.changes.map((change) =>
        h("li", { title: whyWords(change) }, changeWords(node, change)),
      ),
    ),
  );
}

/** @param {Quote} quote */
function priceOf(quote) {
  if (impossible(quote)) return "–";
  const { price } = quote;
  if (!price) return t("line.unknown");
  return h(
    "div",
    { title: price.as_of ? t("line.listOf", { date: price.as_of.split(",")[0] }) : null },
    amount(price),
    ...[inUsd(price), price.reported ? t("line.reported") : ""]
      .filter(Boolean)
      .map((words) => h("small", {}, words)),
  );
}

/** @param {Quote} quote */
function key({ key }) {
  if (!key) return sign("minus", t("compare.noKey"), "");
  return sign("check", t(key === "not needed" ? "compare.noneNeeded" : "compare.hasKey"), "good");
}

/** How each medium reaches the provider. @param {Quote} quote */
function deliveries({ deliveries, media }) {
  const lines = deliveries?.map(deliveryWords) ?? media;
  return lines.length ? lines.map((words) => h("div", {}, words)) : ["–"];
}

/** @param {import("./server.mjs").Delivery} delivery */
const deliveryWords = ({ medium, number, delivery }) =>
  t("compare.delivery", {
    medium: t(`medium.${medium}`, { number }),
    delivery: t(`delivery.${delivery}`),
  });

/** @param {string} name @param {string} words @param {string} kind */
const sign = (name, words, kind) =>
  h("span", { class: `seedance-status ${kind}` }, icon(name), h("span", {}, words));

/**
 * @param {Quote} quote
 * @param {Record<string, string>} names
 * @param {ComfyNode} node
 * @param {() => void} close
 */
function useButton(quote, names, node, close) {
  const list = widget(node, "provider");
  const use = () => {
    if (!list) return;
    list.value = quote.provider;
    list.callback?.(quote.provider);
    close();
  };
  return button(t("compare.use"), use, {
    kind: "small",
    disabled: impossible(quote) || list?.value === quote.provider,
    label: `${t("compare.use")}: ${names[quote.provider] ?? quote.provider}`,
  });
}

/** @param {ComfyNode} node */
function legend(node) {
  const takes = Number(value(node, "takes") ?? 1);
  return h(
    "p",
    { class: "seedance-note" },
    takes > 1 ? t("compare.perTake", { takes }) : t("compare.about"),
  );
}
