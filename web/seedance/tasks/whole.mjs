/** All of one task: its clip, played in place, its whole prompt and error, its ticket and seed. */
import { addLoader } from "../../page.mjs";
import { button, h, priceWords } from "../dom.mjs";
import * as server from "../server.mjs";
import { t, troubleWords } from "../words.mjs";

/** @typedef {import("../server.mjs").Task} Task */

const LOADS = /** @type {const} */ ([
  { kind: "video", picture: "video" },
  { kind: "image", picture: "image" },
]);

/** @param {Task} task */
const size = ({ resolution, duration }) =>
  t("whole.size", { resolution, seconds: Number(Number(duration).toPrecision(3)) });

/** @param {Task} task @param {string} provider - its name */
export function showWhole(task, provider) {
  const title = `${t(`state.${task.state}`)} · ${provider}`;
  const dialog = h("dialog", { class: "seedance seedance-dialog narrow", "aria-label": title });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => event.stopPropagation()); // ComfyUI's shortcuts
  const { error } = task;
  const facts = /** @type {[string, unknown][]} */ ([
    ["ticket", task.task],
    ["seed", task.seed],
    ["model", task.model],
    ["resolution", size(task)],
    ["cost", task.cost && priceWords(task.cost)],
    ["file", task.file],
  ]);
  const put = (/** @type {"video" | "image"} */ kind) => {
    if (task.output) addLoader(kind, task.output[kind]);
    dialog.close();
  };
  dialog.append(
    h(
      "header",
      {},
      h("h2", {}, title),
      button(t("close"), () => dialog.close(), { icon: "times", only: true }),
    ),
    h(
      "div",
      { class: "seedance-dialog-body" },
      task.there &&
        h("video", {
          src: server.fileOf(task.row, "video"),
          controls: true,
          loop: true,
          autoplay: true,
          muted: true,
        }),
      task.output &&
        h(
          "div",
          { class: "seedance-actions" },
          ...LOADS.map(({ kind, picture }) =>
            button(t(`whole.${kind}`), () => put(kind), { icon: picture }),
          ),
        ),
      error &&
        h("p", { class: "seedance-remark bad", role: "alert" }, troubleWords(error)),
      h("p", { class: "seedance-prompt" }, task.prompt),
      h(
        "dl",
        {},
        ...facts
          .filter(([, value]) => value !== null && value !== undefined && value !== "")
          .flatMap(([name, value]) => [
            h("dt", {}, t(`whole.${name}`)),
            h("dd", {}, String(value)),
          ]),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
