/**
 * The lists of a node, narrowed to what the chosen provider and model can do.
 *
 * A saved value that is not possible is left alone and marked: another provider may take it, and
 * with on_unsupported the server decides. The full lists are the node definition's.
 */
import { choicesOf, labelChoices } from "../../page.mjs";
import { MARK, mode, optionWords, value, widget } from "./sketch.mjs";

/** @typedef {import("../server.mjs").Provider} Provider */
/** @typedef {import("../server.mjs").Model} Model */

const NARROWED = ["model", "resolution", "ratio"];

/**
 * Give the node lists of its own; ComfyUI's are shared by all nodes of a kind.
 * @param {ComfyNode} node
 */
export function ownLists(node) {
  for (const name of NARROWED) {
    const list = widget(node, name);
    if (!list) continue;
    const full = [...valuesOf(list)];
    list.options.values = [...full];
    full_.set(list, full);
  }
}

/** Call the values of lists as the page's language does. @param {ComfyNode} node */
export function wordLists(node) {
  for (const list of node.widgets ?? []) {
    const label = (/** @type {string} */ value) => optionWords(list.name, value) ?? value;
    const { values } = list.options;
    if (Array.isArray(values) && values.some((value) => label(value) !== value))
      labelChoices(list, label);
  }
}

/** @type {WeakMap<ComfyWidget, string[]>} */
const full_ = new WeakMap();

/** @param {ComfyWidget} list @returns {string[]} */
const valuesOf = (list) => /** @type {string[]} */ (list.options.values ?? []);

/**
 * @param {ComfyNode} node
 * @param {Provider[]} providers
 */
export function narrow(node, providers) {
  const able = ableTo(node, providers);
  for (const name of NARROWED) {
    const list = widget(node, name);
    const full = list && full_.get(list);
    if (!list || !full) continue;
    const offered = full.filter((item) => able[name].has(item));
    choicesOf(list).splice(0, Infinity, ...(offered.length ? offered : full));
    mark(list, !offered.includes(String(list.value)));
  }
  const seconds = widget(node, "duration");
  if (seconds) mark(seconds, !able.duration(Number(seconds.value)));
  node.setDirtyCanvas?.(true, true);
}

/**
 * What the provider, or with `auto` any provider, can do.
 * @param {ComfyNode} node
 * @param {Provider[]} providers
 * @returns {{ [list: string]: any, duration: (seconds: number) => boolean }}
 */
function ableTo(node, providers) {
  const chosen = value(node, "provider") ?? "auto";
  const some = providers.filter(({ id }) => (chosen === "auto" ? id !== "preview" : id === chosen));
  const kind = mode(node);
  const models = new Set(
    some.flatMap(({ models }) =>
      Object.keys(models).filter((name) => models[name].modes.includes(kind)),
    ),
  );
  const model = value(node, "model");
  /** @type {[Model, Provider][]} */
  const present = some
    .filter(({ models }) => models[model]?.modes.includes(kind))
    .map((provider) => [provider.models[model], provider]);
  const adaptive = present.some(([, provider]) => provider.adaptive[model]?.includes(kind));
  return {
    model: models,
    resolution: new Set(present.flatMap(([able]) => able.resolutions)),
    ratio: new Set(
      present.flatMap(([able]) => able.ratios.filter((ratio) => ratio !== "adaptive" || adaptive)),
    ),
    duration: (seconds) =>
      !present.length ||
      present.some(
        ([
          {
            durations: [least, most],
            auto_duration: auto,
          },
        ]) => (seconds === -1 ? auto : least <= seconds && seconds <= most),
      ),
  };
}

/**
 * Say beside the value that it is not possible; the value stays.
 * @param {ComfyWidget} list
 * @param {boolean} impossible
 */
function mark(list, impossible) {
  const words = (list.label ?? list.name).replace(MARK, "");
  const label = impossible ? MARK + words : words;
  if (label !== (list.label ?? list.name)) list.label = label;
}
