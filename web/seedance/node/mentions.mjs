/** A list under a prompt, after somebody typed `@`: the names of what is connected, and of assets. */
import { onPromptInput } from "../../page.mjs";
import { h } from "../dom.mjs";
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { offered } from "./names.mjs";

const FRESH = 30_000; // milliseconds for which the names of assets are not asked for again
const MOST = 20; // that are offered at once

/** The names of assets, as a prompt has them. @type {string[]} */
let assets = [];
let asked = -Infinity;

/** @type {{ list: HTMLElement, field: HTMLTextAreaElement, at: number } | undefined} */
let open;

/** Offer names in the prompts of our nodes, from now on. */
export function offerNames() {
  onPromptInput(look, (event) => {
    if (open && press(event.key)) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  });
}

function close() {
  open?.list.remove();
  open = undefined;
}

/** @param {ComfyNode} node @param {HTMLTextAreaElement} field */
function look(node, field) {
  close();
  const before = field.value.slice(0, field.selectionStart);
  const typed = /(?<![\w@])@[\p{L}\p{N}_:-]*$/u.exec(before)?.[0];
  if (typed === undefined) return;
  void lookForAssets(() => document.activeElement === field && look(node, field));
  const names = [...offered(node), ...assets]
    .filter((name) => name.toLowerCase().startsWith(typed.toLowerCase()))
    .slice(0, MOST);
  if (!names.length || (names.length === 1 && names[0] === typed)) return;
  const list = h(
    "div",
    { class: "seedance seedance-names", role: "listbox", "aria-label": t("line.names") },
    ...names.map((name, index) =>
      h(
        "div",
        {
          role: "option",
          "aria-selected": String(index === 0),
          onpointerdown: (/** @type {Event} */ event) => {
            event.preventDefault(); // the prompt keeps the focus
            choose(name);
          },
        },
        name,
      ),
    ),
  );
  const { left, bottom } = field.getBoundingClientRect();
  Object.assign(list.style, { left: `${left}px`, top: `${bottom + 4}px` });
  document.body.append(list);
  open = { list, field, at: before.length - typed.length };
  field.addEventListener("blur", close, { once: true });
}

/** Ask which assets there are, now and then. @param {() => void} changed */
async function lookForAssets(changed) {
  if (performance.now() - asked < FRESH) return;
  asked = performance.now();
  const found = await server.assets().catch(() => []); // the run says what is wrong
  const names = [...new Set(found.map(({ name }) => `@Asset:${name}`))].sort();
  if (names.join() === assets.join()) return;
  assets = names;
  changed();
}

/** @param {string} key @returns {boolean} whether it was for the list */
function press(key) {
  const options = [...(open?.list.children ?? [])];
  const present = options.findIndex((option) => option.ariaSelected === "true");
  if (key === "Escape") close();
  else if (key === "Enter" || key === "Tab") choose(options[present]?.textContent ?? "");
  else if (key === "ArrowDown" || key === "ArrowUp") {
    const step = key === "ArrowDown" ? 1 : options.length - 1;
    options[present].ariaSelected = "false";
    options[(present + step) % options.length].ariaSelected = "true";
  } else return false;
  return true;
}

/** @param {string} name */
function choose(name) {
  if (!open) return;
  const { field, at } = open;
  field.setRangeText(`${name} `, at, field.selectionStart, "end");
  close();
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
