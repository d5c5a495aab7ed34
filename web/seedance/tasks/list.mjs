/**
 * A long list of which only the entries in sight exist, so that a thousand are as quick as ten. The
 * takes of one order are one entry, with a strip of them to choose from.
 */
import { h, icon } from "../dom.mjs";
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { drawRow } from "./row.mjs";

/**
 * @typedef {import("../server.mjs").Task} Task
 * @typedef {{ key: string, takes: Task[], top: number }} Entry - the newest take first
 */

const HEIGHT = 128; // pixels; as in tab.css
const STRIP = 52; // more, where there are several takes
const SPARE = 4 * HEIGHT; // above and below what is seen

export class List {
  element = h("div", { class: "seedance-list", role: "list", tabindex: "0" });
  #inside = h("div", { class: "seedance-inside", role: "presentation" });
  /** @type {Map<string, { entry: Entry, task: Task, element: HTMLElement, index: number,
   *   size: number, minute: number }>} */
  #drawn = new Map();
  /** @type {Entry[]} */
  #entries = [];
  /** Which take of an entry is shown. @type {Map<string, number>} */
  #chosen = new Map();
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

  /** @param {Task[]} tasks - the newest first @param {Record<string, string>} names - of providers */
  show(tasks, names) {
    this.#names = names;
    let top = 0;
    this.#entries = together(tasks).map((takes) => {
      const key = String(Math.min(...takes.map(({ row }) => row)));
      const entry = { key, takes, top };
      top += height(takes);
      return entry;
    });
    this.#inside.style.height = `${top}px`;
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.element;
    const seen = new Set();
    for (const [index, entry] of this.#entries.entries()) {
      if (entry.top + height(entry.takes) < scrollTop - SPARE) continue;
      if (entry.top > scrollTop + clientHeight + SPARE) break;
      seen.add(entry.key);
      this.#place(entry, index);
    }
    for (const [key, { element }] of this.#drawn) {
      if (seen.has(key) || element.contains(document.activeElement)) continue;
      element.remove();
      this.#drawn.delete(key);
    }
  }

  /** @param {Entry} entry @param {number} index */
  #place(entry, index) {
    const minute = Math.floor(Date.now() / 60_000); // ages are in words
    const present = this.#drawn.get(entry.key);
    const size = this.#entries.length;
    const { takes, key } = entry;
    const task = takes.find(({ row }) => row === this.#chosen.get(key)) ?? takes[0];
    const drawn =
      present?.task === task && present.minute === minute && same(present.entry.takes, takes);
    if (drawn && present.index === index && present.size === size && present.entry.top === entry.top)
      return;
    const element =
      present?.element ??
      this.#inside.appendChild(h("div", { class: "seedance-task", role: "listitem" }));
    element.style.transform = `translateY(${entry.top}px)`;
    element.style.height = `${height(takes)}px`;
    element.setAttribute("aria-posinset", String(index + 1));
    element.setAttribute("aria-setsize", String(size));
    if (!drawn) this.#redraw(element, task, entry);
    this.#drawn.set(key, { entry, task, element, index, size, minute });
  }

  /**
   * Draw an entry, leaving the focus where it was.
   * @param {HTMLElement} element
   * @param {Task} task - the take that is shown
   * @param {Entry} entry
   */
  #redraw(element, task, entry) {
    const focused = document.activeElement;
    const action = element.contains(focused) ? focused?.getAttribute("data-action") : null;
    drawRow(element, task, this.#names[task.provider] ?? task.provider, this.#changed);
    if (entry.takes.length > 1) element.append(this.#strip(task, entry));
    const again = action && element.querySelector(`[data-action="${action}"]`);
    if (again instanceof HTMLElement) again.focus();
  }

  /** @param {Task} shown @param {Entry} entry */
  #strip(shown, { key, takes }) {
    const choose = (/** @type {Task} */ task) => {
      this.#chosen.set(key, task.row);
      this.#draw();
    };
    return h(
      "div",
      {
        class: "seedance-strip",
        role: "group",
        "aria-label": t("tasks.takes", { count: takes.length }),
      },
      ...[...takes].reverse().map((task) => {
        const label = t("tasks.take", { seed: task.seed, state: t(`state.${task.state}`) });
        return h(
          "button",
          {
            type: "button",
            title: label,
            "aria-label": label,
            "aria-pressed": String(task === shown),
            "data-action": `take-${task.row}`,
            onclick: () => choose(task),
          },
          task.picture
            ? h("img", { src: server.fileOf(task.row, "thumbnail"), alt: "", loading: "lazy" })
            : icon(task.live ? "hourglass" : "video"),
          h("small", {}, String(task.seed)),
        );
      }),
    );
  }

  stop() {
    this.#resize.disconnect();
  }
}

/**
 * The tasks, those that are takes of one order together: the same but for seeds that follow on each
 * other. Each group is in the place of its newest.
 * @param {Task[]} tasks - the newest first
 */
function together(tasks) {
  /** @type {Map<string, Task[]>} */
  const alike = new Map();
  for (const task of tasks) {
    const key = task.takes_of ?? String(task.row);
    const some = alike.get(key);
    if (some) some.push(task);
    else alike.set(key, [task]);
  }
  const groups = [...alike.values()].flatMap((some) => {
    const sorted = some.sort((one, other) => one.seed - other.seed);
    /** @type {Task[][]} */
    const parts = [];
    for (const task of sorted) {
      const last = parts.at(-1);
      if (last && task.seed - last[last.length - 1].seed <= 1) last.push(task);
      else parts.push([task]);
    }
    return parts;
  });
  for (const takes of groups) takes.sort((one, other) => other.row - one.row);
  return groups.sort(([one], [other]) => other.row - one.row);
}

/** @param {Task[]} takes */
const height = (takes) => HEIGHT + (takes.length > 1 ? STRIP : 0);

/** @param {Task[]} some @param {Task[]} others */
const same = (some, others) =>
  some.length === others.length && some.every((task, at) => task === others[at]);
