/** Small helpers for elements: building them, icons, buttons, the style sheet, amounts and times. */
import { locale } from "../page.mjs";
import { known, t } from "./words.mjs";

/** @typedef {import("./server.mjs").Money} Money */
/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element. Attributes that begin with `on` are listeners; null, undefined and false are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(
    ...children.filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A picture that says nothing that the text beside it does not say. @param {string} name */
export const icon = (name) => h("i", { class: `pi pi-${name}`, "aria-hidden": "true" });

/**
 * A button with words, or with an icon alone, whose words are then its label and tip.
 * @param {string} words
 * @param {() => unknown} action
 * @param {{ icon?: string, only?: boolean, kind?: string, disabled?: boolean, label?: string }} [options]
 */
export function button(words, action, options = {}) {
  return h(
    "button",
    {
      type: "button",
      class: `seedance-button ${options.kind ?? ""} ${options.only ? "only" : ""}`,
      title: options.only ? words : null,
      "aria-label": options.label ?? (options.only ? words : null),
      disabled: options.disabled,
      onclick: action,
    },
    options.icon && icon(options.icon),
    !options.only && words,
  );
}

/** @typedef {HTMLInputElement | HTMLSelectElement} Input */

/**
 * A field with its label.
 * @param {string} words
 * @param {Record<string, any>} attributes - of the input; with `options` it is a list of these
 * @param {string} [note]
 */
export function field(words, { options, ...attributes }, note = "") {
  /** @type {Input} */
  const input = options
    ? h(
        "select",
        { class: "seedance-input", disabled: attributes.disabled },
        ...options.map((/** @type {string} */ value) =>
          h("option", { value, selected: value === attributes.value }, value),
        ),
      )
    : h("input", { class: "seedance-input", ...attributes });
  const label = h(
    "label",
    { class: "seedance-field" },
    h("span", {}, words),
    input,
    h("small", {}, note),
  );
  return { label, input };
}

/** Load the style sheet, once. */
export function style() {
  const href = new URL("./style.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href }));
}

// ------------------------------------------------------------------------------- amounts and times

/**
 * `0.36 USD`, `1,200 credits` or the word for free.
 * @param {Money} money
 */
export function amount(money) {
  if (!money.amount) return t("money.free");
  const digits = money.amount < 0.1 ? 4 : 2;
  const number = new Intl.NumberFormat(locale(), {
    minimumFractionDigits: Number.isInteger(money.amount) ? 0 : 2,
    maximumFractionDigits: digits,
  }).format(money.amount);
  return `${number} ${known(`money.${money.currency}`) ?? money.currency}`;
}

/**
 * What a price of another currency is in USD, by a dated rate; empty for others.
 * @param {import("./server.mjs").Price} price
 * @param {number} [takes]
 */
export const inUsd = ({ usd, rate, estimated }, takes = 1) =>
  usd && rate
    ? t("money.rate", { usd: amount({ amount: usd * takes, currency: "USD", estimated }), date: rate })
    : "";

/** As `amount`, with a mark before what was not told for this task. @param {Money} money */
export const priceWords = (money) =>
  `${money.estimated && money.amount ? "≈ " : ""}${amount(money)}`;

/** Seconds from now until `time`, negative for the past. @param {string} time */
export const secondsUntil = (time) => (Date.parse(time) - Date.now()) / 1000;

/** `5 minutes ago`, `in 3 hours`. @param {number} seconds - from now */
export function relative(seconds) {
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "short" });
  const size = Math.abs(seconds);
  if (size < 60) return format.format(Math.trunc(seconds), "second");
  if (size < 3600) return format.format(Math.trunc(seconds / 60), "minute");
  if (size < 86400) return format.format(Math.trunc(seconds / 3600), "hour");
  return format.format(Math.trunc(seconds / 86400), "day");
}

/**
 * A line of a node's own: an icon and words.
 * @param {string} name - of the icon
 * @param {string} words
 * @param {string} kind - a class: `warn`, `bad` or none
 * @param {string} [title]
 */
export const remark = (name, words, kind, title) =>
  h("div", { class: `seedance-remark ${kind}`, title }, icon(name), h("span", {}, words));
