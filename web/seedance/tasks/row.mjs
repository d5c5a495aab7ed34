/** One task in the tab: picture, state, what it cost, how long it is kept, and what can be done. */
import { confirm, toast } from "../../page.mjs";
import { button, h, icon, priceWords, relative, secondsUntil } from "../dom.mjs";
import * as server from "../server.mjs";
import { messageWords, progressWords, sayWords, t } from "../words.mjs";
import { loadIntoNode } from "./load.mjs";
import { showWhole } from "./whole.mjs";

/** @typedef {import("../server.mjs").Task} Task */

/** @type {Record<string, [icon: string, kind: string]>} */
const STATES = {
  preparing: ["upload", "live"],
  submitting: ["send", "live"],
  running: ["spinner pi-spin", "live"],
  succeeded: ["download", "live"],
  saved: ["check-circle", "good"],
  refused: ["ban", "bad"],
  failed: ["times-circle", "bad"],
  cancelled: ["minus-circle", ""],
  expired: ["clock", "bad"],
  unclear: ["question-circle", "warn"],
};

/**
 * @param {HTMLElement} element
 * @param {Task} task
 * @param {string} provider - its name
 * @param {() => void} changed
 */
export function drawRow(element, task, provider, changed) {
  const [name, kind] = STATES[task.state] ?? ["circle", ""];
  const state = t(`state.${task.state}`);
  element.setAttribute("aria-label", `${state}, ${provider}, ${task.prompt}`);
  element.replaceChildren(
    picture(task),
    h(
      "div",
      { class: "seedance-facts" },
      h(
        "div",
        { class: "seedance-first" },
        h("span", { class: `seedance-status ${kind}` }, icon(name), h("span", {}, state)),
        h("span", { class: "seedance-provider", title: task.model }, provider),
      ),
      h("p", { title: words(task) }, words(task)),
      h("small", { title: facts(task) }, facts(task)),
    ),
    h(
      "div",
      { class: "seedance-actions" },
      h("small", {}, kept(task)),
      act("whole", "info-circle", task, async () => showWhole(task, provider)),
      ...actions(task, changed),
    ),
  );
}

/** What went wrong, or what was asked for. @param {Task} task */
const words = ({ error, prompt, state }) =>
  state === "cancelled" || !error ? prompt : messageWords(error);

/** @param {Task} task */
function picture(task) {
  if (!task.picture)
    return h(
      "div",
      { class: "seedance-picture" },
      icon(task.live ? "hourglass" : "video"),
      task.live && bar(task),
    );
  return h("img", {
    class: "seedance-picture",
    src: server.fileOf(task.row, "thumbnail"),
    alt: "",
    loading: "lazy",
    draggable: String(Boolean(task.output)),
    title: task.output ? t("tasks.drag") : null,
    ondragstart: (/** @type {DragEvent} */ event) => {
      const kind = event.altKey ? "image" : "video";
      const dragged = JSON.stringify({ kind, file: task.output?.[kind] });
      event.dataTransfer?.clearData();
      event.dataTransfer?.setData("application/x-seedance", dragged);
    },
  });
}

/** @param {Task} task */
function bar({ progress }) {
  const label = t("tasks.progress");
  return h("progress", { "aria-label": label, max: 1, value: progress?.fraction ?? undefined });
}

/** How far it is, or how old and what it cost. @param {Task} task */
function facts(task) {
  if (task.progress) return progressWords(task.progress);
  return `${relative(secondsUntil(task.created))} · ${cost(task)}`;
}

/** @param {Task} task */
function cost({ cost, error, state }) {
  if (cost) return priceWords(cost);
  return t(state === "refused" || error?.spent === "no" ? "tasks.notBilled" : "tasks.noCost");
}

/** Until when the provider keeps what it has of the task. @param {Task} task */
const kept = (task) => [draftKept(task), fileKept(task)].filter(Boolean).join(" · ");

const DAY = 24 * 3600;

/** Until when a draft can be finished; marked a day before. @param {Task} task */
function draftKept(task) {
  if (!task.finish_until || !["succeeded", "saved"].includes(task.state)) return "";
  const left = secondsUntil(task.finish_until);
  if (left <= 0) return t("tasks.draftOver");
  return t(left < DAY ? "tasks.draftSoon" : "tasks.draft", { left: relative(left) });
}

/** How long the provider keeps the file. @param {Task} task */
function fileKept(task) {
  if (!task.expires || task.provider === "preview") return "";
  const left = secondsUntil(task.expires);
  return left > 0 ? t("tasks.kept", { left: relative(left) }) : t("tasks.gone");
}

/** @param {Task} task @param {() => void} changed */
function actions(task, changed) {
  const { row } = task;
  const lost =
    task.task && !task.there && !task.progress && !["refused", "failed"].includes(task.state);
  const inTheWay = ["unclear", "saved"].includes(task.state); // of the same order
  return [
    task.there && link(row),
    lost &&
      act("collect", "cloud-download", task, async () => void (await server.collect(row)), changed),
    task.can_cancel &&
      act("cancel", "stop-circle", task, () => cancel(row), changed),
    task.task && act("copy", "copy", task, () => copy(task.task ?? "")),
    act("load", "file-import", task, () => loadIntoNode(row)),
    inTheWay && act("forget", "eraser", task, () => forget(task), changed),
  ].filter((action) => action !== false && action !== null && action !== "");
}

/** @param {number} row */
function link(row) {
  const words = t("tasks.open");
  return h(
    "a",
    {
      class: "seedance-button only",
      href: server.fileOf(row, "video"),
      target: "_blank",
      rel: "noopener",
      title: words,
      "aria-label": words,
      "data-action": "open",
    },
    icon("play"),
  );
}

/**
 * @param {string} name
 * @param {string} picture
 * @param {Task} task
 * @param {() => Promise<string | void>} work - gives a sentence to show
 * @param {() => void} [changed]
 */
function act(name, picture, task, work, changed) {
  const words = t(`tasks.${name}`);
  const run = async () => {
    made.disabled = true;
    try {
      const sentence = await work();
      if (sentence) toast("info", words, sentence);
    } catch (error) {
      toast("error", words, /** @type {Error} */ (error).message);
    }
    made.disabled = false;
    changed?.();
  };
  const made = button(words, run, { icon: picture, only: true });
  made.setAttribute("data-action", name);
  return made;
}

/** @param {string} ticket */
async function copy(ticket) {
  await navigator.clipboard.writeText(ticket);
  return t("tasks.copied", { ticket });
}

/** @param {number} row */
async function cancel(row) {
  const { message, ...said } = await server.cancel(row);
  return sayWords({ text: message, ...said });
}

/** @param {Task} task */
async function forget(task) {
  const why = t(task.state === "unclear" ? "tasks.forgetUnclear" : "tasks.forgetSaved");
  if (await confirm(t("tasks.forget"), why)) await server.forget(task.row);
}
