/**
 * The sidebar tab: the journal, newest first (tasks/list.mjs), and what was spent
 * (tasks/totals.mjs). Asks the server only while open.
 */
import { onRuns } from "../../page.mjs";
import { button, h, style } from "../dom.mjs";
import * as server from "../server.mjs";
import { ready, t } from "../words.mjs";
import { Filter } from "./filter.mjs";
import { List } from "./list.mjs";
import { drawTotals } from "./totals.mjs";

/** @typedef {import("../server.mjs").Task} Task */

const MOST = 1000;
const BUSY = 1500; // milliseconds between looks while something runs
const IDLE = 10_000;
const DAYS = 30;

/** @type {Tab | undefined} */
let open;
/** Counts how often the tab was opened or closed. An opening that had to wait compares it. */
let turn = 0;

/** @param {HTMLElement} place */
export async function render(place) {
  destroy();
  const mine = turn;
  style();
  await ready();
  if (mine !== turn) return; // closed, or opened anew, meanwhile
  open = new Tab(place);
  await open.refresh();
}

/** The tab was closed. */
export function destroy() {
  turn++;
  open?.stop();
  open = undefined;
}

class Tab {
  /** @type {Map<number, Task>} */
  #tasks = new Map();
  #since = 0;
  #busyUntil = 0;
  #stopped = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Record<string, string>} */
  #names = {};
  #list;
  #filter;
  #stopListening;
  #totals = h("div");
  #status = h("p", { class: "seedance-note", role: "status" });

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#list = new List(() => this.changed());
    const all = () => [...this.#tasks.values()];
    this.#filter = new Filter(() => this.#show(), all);
    this.#stopListening = onRuns(() => this.#onRun()); // our tasks come and go with a graph
    place.classList.add("seedance-host");
    place.replaceChildren(
      h(
        "div",
        { class: "seedance seedance-tab" },
        h(
          "header",
          {},
          h("h2", {}, "Seedance"),
          h(
            "span",
            {},
            this.#filter.putAway,
            button(t("tasks.refresh"), () => this.changed(), { icon: "refresh", only: true }),
          ),
        ),
        this.#totals,
        this.#filter.element,
        this.#status,
        this.#list.element,
      ),
    );
  }

  /** Ask at once: something was done to a task. */
  async changed() {
    clearTimeout(this.#timer);
    await this.refresh();
  }

  #onRun() {
    this.#busyUntil = Date.now() + IDLE;
    void this.changed();
  }

  async refresh() {
    try {
      if (!document.hidden) await this.#look();
    } catch (error) {
      this.#say(/** @type {Error} */ (error).message);
    }
    if (this.#stopped) return;
    const running = [...this.#tasks.values()].some(({ live }) => live);
    const busy = running || Date.now() < this.#busyUntil;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(), busy ? BUSY : IDLE);
  }

  async #look() {
    const first = this.#since === 0;
    if (first) {
      const providers = await server.providers();
      this.#names = Object.fromEntries(providers.map(({ id, name }) => [id, name]));
      this.#filter.offer(this.#names);
    }
    const news = (await server.tasks(this.#most(), this.#since)).filter((task) =>
      this.#isNew(task),
    );
    for (const task of news) {
      this.#tasks.set(task.row, task);
      // Times are whole seconds, so what happens within this one is asked for again.
      this.#since = Math.max(this.#since, Date.parse(task.updated) / 1000);
    }
    if (news.length || first) this.#show();
    if (first || news.some(({ live }) => !live)) {
      drawTotals(this.#totals, await server.totals(DAYS), this.#names, DAYS);
    }
  }

  #show() {
    const shown = this.#rows().filter((task) => this.#filter.shows(task));
    this.#list.show(shown, this.#names);
    this.#say(this.#emptiness(shown.length));
  }

  /** @param {number} shown */
  #emptiness(shown) {
    if (!this.#tasks.size) return t("tasks.none");
    return shown ? "" : t("filter.nothing");
  }

  /** @param {Task} task */
  #isNew({ row, updated, state, progress }) {
    const known = this.#tasks.get(row);
    return (
      known?.updated !== updated ||
      known.state !== state ||
      known.progress?.text !== progress?.text ||
      known.progress?.fraction !== progress?.fraction
    );
  }

  #rows() {
    return [...this.#tasks.values()].sort((a, b) => b.row - a.row).slice(0, MOST);
  }

  /** How far back to look: while something runs, not much further than the oldest that runs. */
  #most() {
    const oldest = this.#rows().findLastIndex(({ live }) => live);
    return oldest < 0 ? MOST : Math.min(MOST, oldest + 50);
  }

  /** @param {string} words */
  #say(words) {
    this.#status.textContent = words;
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#list.stop();
  }
}
