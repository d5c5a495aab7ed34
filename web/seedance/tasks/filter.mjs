/** What of the journal the tab shows: by words, state and provider; ended rows can be put away. */
import { button, h } from "../dom.mjs";
import { messageWords, t } from "../words.mjs";

/** @typedef {import("../server.mjs").Task} Task */

const ENDED = new Set(["refused", "failed", "cancelled", "expired"]);
const AWAY = "seedance.away"; // in this browser: numbers of rows

export class Filter {
  #words = h("input", {
    class: "seedance-input",
    type: "search",
    placeholder: t("filter.search"),
    "aria-label": t("filter.search"),
    oninput: () => this.#changed(),
    onkeydown: (/** @type {Event} */ event) => event.stopPropagation(), // ComfyUI's shortcuts
  });
  #state = choice("filter.state", ["all", "live", "saved", "unclear", "ended", "away"], () =>
    this.#changed(),
  );
  #provider = h("select", {
    class: "seedance-input",
    "aria-label": t("compare.provider"),
    onchange: () => this.#changed(),
  });
  #away = new Set(remembered());
  #changed;
  #tasks = () => /** @type {Task[]} */ ([]);

  /**
   * @param {() => void} changed - something else is to be shown
   * @param {() => Task[]} tasks - all that there are
   */
  constructor(changed, tasks) {
    this.#changed = changed;
    this.#tasks = tasks;
  }

  element = h(
    "div",
    { class: "seedance-filter" },
    this.#words,
    h("div", {}, this.#state, this.#provider),
  );

  /** Puts all ended rows away. */
  putAway = button(t("filter.putAway"), () => this.#putAway(), { icon: "inbox", only: true });

  #putAway() {
    for (const { row, state } of this.#tasks()) if (ENDED.has(state)) this.#away.add(row);
    try {
      localStorage.setItem(AWAY, JSON.stringify([...this.#away]));
    } catch {
      // It holds until the tab is closed.
    }
    this.#changed();
  }

  /** @param {Record<string, string>} names - of providers */
  offer(names) {
    const { value } = this.#provider;
    this.#provider.replaceChildren(
      h("option", { value: "" }, t("filter.anyProvider")),
      ...Object.entries(names).map(([id, name]) => h("option", { value: id }, name)),
    );
    this.#provider.value = value;
  }

  /** @param {Task} task */
  shows(task) {
    const { value: state } = this.#state;
    if (this.#away.has(task.row) !== (state === "away")) return false;
    if (this.#provider.value && task.provider !== this.#provider.value) return false;
    const words = this.#words.value.trim().toLowerCase();
    const text = [task.prompt, task.task, task.model, task.seed, task.error && messageWords(task.error), task.error?.message, task.file];
    if (words && !text.join("\n").toLowerCase().includes(words)) return false;
    if (state === "live") return task.live;
    if (state === "ended") return ENDED.has(task.state);
    return ["all", "away"].includes(state) || task.state === state;
  }
}

/** @param {string} name @param {string[]} values @param {() => void} changed */
const choice = (name, values, changed) =>
  h(
    "select",
    { class: "seedance-input", "aria-label": t(`${name}.label`), onchange: changed },
    ...values.map((value) => h("option", { value }, t(`${name}.${value}`))),
  );

/** @returns {number[]} */
function remembered() {
  try {
    const rows = JSON.parse(localStorage.getItem(AWAY) ?? "[]");
    return Array.isArray(rows) ? rows.filter(Number.isInteger) : [];
  } catch {
    return [];
  }
}
