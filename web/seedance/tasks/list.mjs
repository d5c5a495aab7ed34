/** A long list of which only the rows in sight exist, so that a thousand are as quick as ten. */
import { h } from "../dom.mjs";
import { t } from "../words.mjs";
import { drawRow } from "./row.mjs";

/** @typedef {import("../server.mjs").Task} Task */

const HEIGHT = 128; // pixels; as in style.css
const SPARE = 4; // rows above and below what is seen

export class List {
  element = h("div", { class: "seedance-list", role: "list", tabindex: "0" });
  #inside = h("div", { class: "seedance-inside", role: "presentation" });
  /** @type {Map<number, { task: Task, element: HTMLElement, index: number, size: number,
   *   minute: number }>} */
  #drawn = new Map();
  /** @type {Task[]} */
  #tasks = [];
  /** @type {Record<string, string>} */
  #names = {};
  #changed;
  #resize = new ResizeObserver(() => this.#draw());

  /** @param {() => void} changed - something was done to a task */
  constructor(changed) {
    this.#changed = changed;
    this.element.setAttribute("aria-label", t("tasks.list"));
    this.element.append(this.#inside);
    this.element.addEventListener("scroll", () => this.#draw(), { passive: true });
    this.#resize.observe(this.element);
  }

  /** @param {Task[]} tasks @param {Record<string, string>} names - of providers */
  show(tasks, names) {
    this.#tasks = tasks;
    this.#names = names;
    this.#inside.style.height = `${tasks.length * HEIGHT}px`;
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.element;
    const from = Math.max(0, Math.floor(scrollTop / HEIGHT) - SPARE);
    const to = Math.min(this.#tasks.length, Math.ceil((scrollTop + clientHeight) / HEIGHT) + SPARE);
    const seen = new Set();
    for (let index = from; index < to; index++) {
      seen.add(this.#tasks[index].row);
      this.#place(this.#tasks[index], index);
    }
    for (const [row, { element }] of this.#drawn) {
      if (seen.has(row) || element.contains(document.activeElement)) continue;
      element.remove();
      this.#drawn.delete(row);
    }
  }

  /** @param {Task} task @param {number} index */
  #place(task, index) {
    const minute = Math.floor(Date.now() / 60_000); // ages are in words
    const present = this.#drawn.get(task.row);
    const size = this.#tasks.length;
    const same = present?.task === task && present.index === index && present.size === size;
    if (same && present.minute === minute) return;
    const element =
      present?.element ??
      this.#inside.appendChild(h("div", { class: "seedance-task", role: "listitem" }));
    element.style.transform = `translateY(${index * HEIGHT}px)`;
    element.setAttribute("aria-posinset", String(index + 1));
    element.setAttribute("aria-setsize", String(size));
    if (present?.task !== task || present.minute !== minute) this.#redraw(element, task);
    this.#drawn.set(task.row, { task, element, index, size, minute });
  }

  /** Draw a row, leaving the focus where it was. @param {HTMLElement} element @param {Task} task */
  #redraw(element, task) {
    const focused = document.activeElement;
    const action = element.contains(focused) ? focused?.getAttribute("data-action") : null;
    drawRow(element, task, this.#names[task.provider] ?? task.provider, this.#changed);
    const again = action && element.querySelector(`[data-action="${action}"]`);
    if (again instanceof HTMLElement) again.focus();
  }

  stop() {
    this.#resize.disconnect();
  }
}
