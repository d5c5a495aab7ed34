/** What was spent, by day and provider: a small chart, and the same in figures. */
import { locale } from "../../page.mjs";
import { amount, h, priceWords, svg } from "../dom.mjs";
import { t } from "../words.mjs";

/** @typedef {import("../server.mjs").Total} Total */

const WIDTH = 300;
const TALL = 64;

/**
 * @param {HTMLElement} place
 * @param {Total[]} totals
 * @param {Record<string, string>} names
 * @param {number} days
 */
export function drawTotals(place, totals, names, days) {
  if (!totals.length) {
    place.replaceChildren();
    return;
  }
  const wasOpen = place.querySelector("details")?.open ?? true;
  const sums = byProvider(totals);
  place.replaceChildren(
    h(
      "details",
      { class: "seedance-totals", open: wasOpen },
      h("summary", {}, t("totals.title", { days }), h("strong", {}, overall(totals))),
      chart(
        totals.filter((total) => dollars(total) !== null),
        names,
        days,
      ),
      h(
        "table",
        {},
        h("caption", { class: "seedance-hidden" }, t("totals.byProvider")),
        h("tbody", {}, ...sums.map((sum) => line(sum, names))),
      ),
    ),
  );
}

/** @param {Total[]} totals */
function overall(totals) {
  const currencies = [...new Set(totals.map(({ currency }) => currency))].sort();
  return currencies
    .map((currency) => money(totals.filter((total) => total.currency === currency)))
    .join(" + ");
}

/** @param {Total[]} totals - of one currency */
function money(totals) {
  const sum = totals.reduce((all, total) => all + total.amount, 0);
  const estimated = totals.some((total) => total.estimated);
  return priceWords({ amount: sum, currency: totals[0].currency, estimated });
}

/** @param {Total[]} totals @returns {Total[][]} */
function byProvider(totals) {
  /** @type {Map<string, Total[]>} */
  const groups = new Map();
  for (const total of totals) {
    const key = `${total.provider} ${total.currency}`;
    groups.set(key, [...(groups.get(key) ?? []), total]);
  }
  return [...groups.values()];
}

/** @param {Total[]} group @param {Record<string, string>} names */
function line(group, names) {
  const videos = group.reduce((all, total) => all + total.videos, 0);
  const { provider } = group[0];
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row" },
      h("i", { class: `seedance-swatch s${shade(provider, names)}`, "aria-hidden": "true" }),
      names[provider] ?? provider,
    ),
    h("td", {}, t("totals.videos", { videos })),
    h("td", { class: "number" }, money(group)),
  );
}

/** A bar for each day, of parts for each provider. @param {Total[]} totals @param {Record<string, string>} names @param {number} days */
function chart(totals, names, days) {
  if (!totals.length) return null;
  const dates = Array.from({ length: days }, (_, back) => dayBefore(days - 1 - back));
  const sums = dates.map((day) => totals.filter((total) => total.day === day));
  const most = Math.max(...sums.map(sumOf));
  const wide = WIDTH / days;
  const bars = sums.flatMap((parts, index) => {
    let top = TALL;
    return parts.map((part) => {
      const tall = Math.max(1, ((dollars(part) ?? 0) / most) * TALL);
      top -= tall;
      const shape = { x: index * wide + 1, y: top, width: wide - 2, height: tall };
      const bar = svg("rect", { ...shape, class: `s${shade(part.provider, names)}` });
      const title = svg("title");
      title.textContent = `${day(part.day)}: ${names[part.provider] ?? part.provider}, ${money([part])}`;
      bar.append(title);
      return bar;
    });
  });
  const label = t("totals.chart", {
    days,
    most: amount({ amount: most, currency: "USD", estimated: false }),
  });
  return h(
    "figure",
    {},
    svg(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${TALL}`,
        role: "img",
        "aria-label": label,
        preserveAspectRatio: "none",
      },
      ...bars,
    ),
    h(
      "figcaption",
      {},
      h("span", {}, day(dates[0])),
      h(
        "span",
        {},
        t("totals.most", { most: inDollars(sums.reduce((a, b) => (sumOf(b) > sumOf(a) ? b : a))) }),
      ),
      h("span", {}, day(dates[days - 1])),
    ),
  );
}

/** An amount in USD; null where that is not known. @param {Total} total */
const dollars = ({ usd, amount, currency }) => usd ?? (currency === "USD" ? amount : null);

/** @param {Total[]} parts - of a day */
const inDollars = (parts) =>
  priceWords({
    amount: sumOf(parts),
    currency: "USD",
    estimated: parts.some(({ estimated, currency }) => estimated || currency !== "USD"),
  });

/** @param {Total[]} parts */
const sumOf = (parts) => parts.reduce((all, part) => all + (dollars(part) ?? 0), 0);

/** The date so many days ago, as the server writes it. @param {number} back */
function dayBefore(back) {
  const date = new Date();
  date.setDate(date.getDate() - back);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()]
    .map((part) => String(part).padStart(2, "0"))
    .join("-");
}

/** @param {string} date */
const day = (date) =>
  new Date(`${date}T12:00`).toLocaleDateString(locale(), { month: "short", day: "numeric" });

/**
 * One of ten shades, always the same for a provider.
 * @param {string} provider
 * @param {Record<string, string>} names
 */
const shade = (provider, names) => Math.max(0, Object.keys(names).indexOf(provider)) % 10;
