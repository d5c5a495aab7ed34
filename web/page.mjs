/**
 * ComfyUI's page: its server, its events, its messages to a person, its graph and nodes.
 *
 * Only this module and the entry (seedance.js) know them. Where a part of the page is not there, in
 * another version of it, there is something else that serves, or nothing happens.
 */
import { app } from "../../scripts/app.js";

// ------------------------------------------------------------------------------------- the server

/** @param {string} path @param {RequestInit} [options] */
export const request = (path, options) => app.api.fetchApi(path, options);

/** The address of a route, for an element that loads it. @param {string} path */
export const addressOf = (path) => app.api.apiURL(path);

/** The name of the folder that this pack lies in, as ComfyUI's addresses have it. */
export const packName = decodeURIComponent(import.meta.url.split("/extensions/")[1].split("/")[0]);

/** The language of the page, `zh-TW` for instance. @returns {string} */
export const locale = () =>
  app.extensionManager?.setting?.get("Comfy.Locale") ?? navigator.language ?? "en";

// -------------------------------------------------------------------------------------- its events

/**
 * Calls `listener` when a graph begins or ends. Gives a function that ends this.
 * @param {() => void} listener
 */
export function onRuns(listener) {
  for (const event of RUNS) app.api.addEventListener(event, listener);
  return () => {
    for (const event of RUNS) app.api.removeEventListener(event, listener);
  };
}

const RUNS = /** @type {const} */ ([
  "execution_start",
  "execution_success",
  "execution_error",
  "execution_interrupted",
]);

/**
 * Calls `listener` when a person has changed the graph, or looks into another one.
 * @param {() => void} listener
 */
export function onGraphChanged(listener) {
  /** @type {EventTarget} */ (app.api).addEventListener("graphChanged", listener);
  app.canvas?.canvas?.addEventListener("litegraph:set-graph", listener);
}

/**
 * Calls `listener` with what the server says of a running node of ours (nodes/report.py).
 * @param {(news: any) => void} listener
 */
export function onNodeNews(listener) {
  /** @type {EventTarget} */ (app.api).addEventListener("seedance.node", (event) =>
    listener(/** @type {CustomEvent} */ (event).detail),
  );
}

// --------------------------------------------------------------------------- messages to a person

/**
 * @param {"info" | "error"} severity
 * @param {string} summary
 * @param {string} detail
 */
export function toast(severity, summary, detail) {
  const life = severity === "error" ? 12_000 : 8_000; // milliseconds
  if (app.extensionManager?.toast) {
    app.extensionManager.toast.add({ severity, summary, detail, life });
  } else {
    console.info(`${summary}: ${detail}`);
  }
}

/** @param {string} title @param {string} message @returns {Promise<boolean>} */
export async function confirm(title, message) {
  const dialog = app.extensionManager?.dialog;
  return dialog ? Boolean(await dialog.confirm({ title, message })) : window.confirm(message);
}

/** The settings, at ours where the dialog can be told. */
export async function openSettings() {
  await app.extensionManager?.command?.execute("Comfy.ShowSettingsDialog");
  await new Promise((drawn) => setTimeout(drawn, 100));
  const entries = document.querySelectorAll('[data-testid="settings-dialog"] [data-nav-id]');
  const ours = [...entries].find(({ textContent }) => textContent?.trim() === "Seedance");
  if (ours instanceof HTMLElement) ours.click();
}

// -------------------------------------------------------------------------------- graph and nodes

/** The graph that holds all others. */
const root = () => app.rootGraph ?? app.graph;

/** The id of the workflow on the page. */
export const workflow = () => String(root().id);

/**
 * The node of an id as a run has it: `3`, or `5:3` for node 3 in the subgraph of node 5.
 * @param {string} id
 * @returns {ComfyNode | undefined}
 */
export function nodeAt(id) {
  const steps = id.split(":");
  const last = steps.pop() ?? "";
  /** @type {any} */
  let graph = root();
  for (const step of steps) graph = found(graph, step)?.subgraph;
  return found(graph, last);
}

/** @param {any} graph @param {string} id */
const found = (graph, id) => graph?.getNodeById(id) ?? graph?.getNodeById(Number(id)) ?? undefined;

/**
 * What the last run of a node gave the page, where the page keeps it: with a workflow that it shows
 * from its history, for instance.
 * @param {ComfyNode} node
 * @returns {any}
 */
export function outputOf(node) {
  const graph = /** @type {any} */ (node.graph);
  const place = graph === root() ? String(node.id) : `${graph?.id}:${node.id}`;
  return /** @type {any} */ (app).nodeOutputs?.[place];
}

/**
 * Calls `listener` with what a run of the node gives the page, also where ComfyUI had it already.
 * @param {ComfyNode} node
 * @param {(output: any) => void} listener
 */
export function onOutput(node, listener) {
  const { onExecuted: first } = /** @type {any} */ (node);
  /** @type {any} */ (node).onExecuted = function (/** @type {any} */ output) {
    first?.call(this, output);
    listener(output);
  };
}

/**
 * A node as a run has it, and what its inputs are given by the subgraphs that it is in, by their
 * names: a value, `LINKED` or `NOTHING`. There the node's own widgets do not count.
 * @typedef {Map<string, unknown>} Given
 * @typedef {{ node: ComfyNode, given: Given }} Placed
 */
export const LINKED = Symbol("linked");
export const NOTHING = Symbol("nothing");
/** @type {Given} */
const NONE = new Map();

/** The nodes that a run would take: in all subgraphs, without those that are muted or bypassed. */
export const nodesToRun = () => [...nodesIn(root().nodes)];

/** As `nodesToRun`, of one node and what is inside it. @param {ComfyNode} node */
export const nodesWithin = (node) => [...nodesIn([node], new Map([[node.id, givenTo(node)]]))];

const MOST_LOOKS = 10_000; // nodes and links that are looked at, for one question

const MUTED = [2, 4]; // LiteGraph's modes "never" and "bypass"

/**
 * @param {any[]} nodes
 * @param {Map<any, Given>} [given] - by the ids of the nodes
 * @param {(node: any) => boolean} [wanted]
 * @param {{ looks: number }} [left] - a subgraph that is in itself many times has nodes without end
 * @returns {Generator<Placed>}
 */
function* nodesIn(
  nodes,
  given = new Map(),
  wanted = ({ mode }) => !MUTED.includes(mode),
  left = { looks: MOST_LOOKS },
) {
  for (const node of nodes) {
    if (left.looks-- <= 0) return;
    if (!wanted(node)) continue;
    const mine = given.get(node.id) ?? NONE;
    if (node.subgraph) yield* nodesIn(node.subgraph.nodes, handedIn(node, mine, left), wanted, left);
    else yield { node, given: mine };
  }
}

/**
 * What a subgraph hands to the nodes in it, by their ids.
 * @param {any} outer - its node
 * @param {Given} given - to that
 * @param {{ looks: number }} left
 * @returns {Map<any, Given>}
 */
function handedIn(outer, given, left) {
  const { subgraph } = outer;
  const handed = new Map();
  /** @type {Map<string, any>} */
  const widgets = new Map();
  for (const each of outer.widgets ?? []) if (!widgets.has(each.name)) widgets.set(each.name, each);
  for (const [slot, { name, linkIds }] of (subgraph.inputs ?? []).entries()) {
    left.looks -= 1 + (linkIds?.length ?? 0);
    if (left.looks < 0) break;
    const widget = widgets.get(name);
    let value = widget ? widget.value : NOTHING;
    if (outer.isInputConnected?.(slot)) value = LINKED;
    if (given.has(name)) value = given.get(name);
    for (const id of linkIds ?? []) {
      const link = subgraph.getLink?.(id) ?? subgraph.links?.get?.(id);
      const inner = found(subgraph, String(link?.target_id));
      const input = /** @type {any} */ (inner)?.inputs?.[link?.target_slot]?.name;
      if (!inner || !input) continue;
      if (!handed.has(inner.id)) handed.set(inner.id, new Map());
      handed.get(inner.id).set(input, value);
    }
  }
  return handed;
}

/** Whether a node is in a subgraph. @param {ComfyNode} node */
export const isInside = (node) => Boolean(node.graph) && node.graph !== root();

/**
 * What a node's inputs are given by the subgraphs that it is in; of several uses, by the first.
 * @param {ComfyNode} node
 * @returns {Given}
 */
export function givenTo(node) {
  if (!isInside(node)) return NONE;
  for (const placed of nodesIn(root().nodes, new Map(), () => true))
    if (placed.node === node) return placed.given;
  return NONE;
}

/** The nodes of the graph that a person looks at of which no widgets of ours are seen. */
export const nodesWithoutLine = () =>
  /** @type {ComfyNode[]} */ (
    (app.canvas?.graph ?? root()).nodes.filter(
      (/** @type {any} */ node) => node.subgraph || node.flags?.collapsed,
    )
  );

/** The words on nodes. @type {WeakMap<ComfyNode, string>} */
const labels = new WeakMap();

/**
 * Put a few words above a node: onto the canvas in the classic rendering, in Nodes 2.0 onto the
 * node's element (style.css). Nothing of it is saved with a workflow.
 * @param {ComfyNode} node
 * @param {string} words - none: no label
 */
export function labelNode(node, words) {
  if (words && !labels.has(node)) /** @type {any} */ (node).badges?.push(() => badgeOf(node));
  if (words || labels.has(node)) labels.set(node, words);
  const shown = app.canvas?.graph === node.graph;
  const element = shown && document.querySelector(`[data-node-id="${node.id}"]`);
  if (element) element.toggleAttribute("data-seedance", Boolean(words));
  if (element && words) element.setAttribute("data-seedance", words);
  node.setDirtyCanvas?.(true, true);
}

const BADGE = { height: 20, padding: 6, font: "12px sans-serif", back: "#353535", text: "#fff" };

/** A label in the form of LiteGraph's badges. @param {ComfyNode} node */
function badgeOf(node) {
  const words = labels.get(node) ?? "";
  const getWidth = (/** @type {CanvasRenderingContext2D} */ context) => {
    if (!words) return 0;
    context.save();
    context.font = BADGE.font;
    const { width } = context.measureText(words);
    context.restore();
    return width + 2 * BADGE.padding;
  };
  return {
    height: BADGE.height,
    getWidth,
    draw(/** @type {CanvasRenderingContext2D} */ context, /** @type {number} */ x, /** @type {number} */ y) {
      if (!words) return;
      context.save();
      context.font = BADGE.font;
      context.fillStyle = BADGE.back;
      context.beginPath();
      context.roundRect(x, y, getWidth(context), BADGE.height, 5);
      context.fill();
      context.fillStyle = BADGE.text;
      context.textAlign = "left";
      context.textBaseline = "middle";
      context.fillText(words, x + BADGE.padding, y + BADGE.height / 2 + 1);
      context.restore();
    },
  };
}

/** A node that is not in the graph yet; null where the page knows none of this type. @param {string} type */
export const makeNode = (type) => /** @type {ComfyNode | null} */ (window.LiteGraph.createNode(type));

/** Whether the page knows a type of node. @param {string} type */
export const knowsNode = (type) => type in window.LiteGraph.registered_node_types;

/** Put a node into the middle of what a person sees, and select it. @param {ComfyNode} node */
export function addToGraph(node) {
  const [x, y, width, height] = app.canvas.visible_area ?? [0, 0, 0, 0];
  node.pos = [x + width / 2 - node.size[0] / 2, y + height / 2 - node.size[1] / 2];
  (app.canvas.graph ?? root()).add(node);
  app.canvas.selectNode?.(node);
}

const LOADERS = /** @type {const} */ ({
  video: ["LoadVideo", "file"],
  image: ["LoadImage", "image"],
  audio: ["LoadAudio", "audio"],
});

/**
 * Put a node onto the canvas that loads a file of ComfyUI's input or output folder.
 * @param {"video" | "image" | "audio"} kind
 * @param {string} file - `seedance/clip.mp4 [output]`
 * @param {DragEvent} [drop] - where; the middle of what is seen without it
 * @returns {ComfyNode | undefined} - none where the page has no such node
 */
export function addLoader(kind, file, drop) {
  const [type, name] = LOADERS[kind];
  const node = makeNode(type);
  const list = node?.widgets?.find((item) => item.name === name);
  if (!node || !list) return undefined;
  const choices = choicesOf(list);
  if (!choices.includes(file)) choices.push(file);
  list.value = file;
  addToGraph(node);
  const place = drop && app.canvas.convertEventToCanvasOffset?.(drop);
  if (place) node.pos = [place[0], place[1]];
  list.callback?.(file);
  return node;
}

/**
 * Put a node that loads a file to the left of another, and link it to an input of that.
 * @param {ComfyNode} node
 * @param {string} input
 * @param {"video" | "image" | "audio"} kind
 * @param {string} file - as for `addLoader`
 * @param {number} number - how many stand there already
 * @returns {Promise<boolean>} whether that could be done
 */
export async function loadInto(node, input, kind, file, number) {
  const slot = node.findInputSlot?.(input) ?? -1;
  const loader = slot < 0 ? undefined : addLoader(kind, file);
  if (!loader) return false;
  loader.pos = [node.pos[0] - 360, node.pos[1] + number * 380];
  loader.connect(0, node, slot);
  await new Promise((grown) => setTimeout(grown, 100)); // sockets that grow do so after a link
  return true;
}

/** What stands where `putIntoPrompt` puts a text in a node of its own. */
const PROMPTING = "SeedanceReference";

/**
 * Put a text at the end of the prompt of the selected node of ours, or of a new node.
 * @param {string} text
 * @returns {"selected" | "new" | "linked"} where; "linked" where the prompt comes by a link
 */
export function putIntoPrompt(text) {
  const selected = Object.values(app.canvas.selected_nodes ?? {}).find(
    (/** @type {any} */ node) => /^Seedance/.test(node.comfyClass ?? "") && promptOf(node),
  );
  if (selected && linkedInputs(/** @type {any} */ (selected)).includes("prompt")) return "linked";
  const node = /** @type {ComfyNode | null} */ (selected ?? makeNode(PROMPTING));
  const prompt = node && promptOf(node);
  if (!node || !prompt) throw new Error(`There is no ${PROMPTING}.`);
  if (!selected) addToGraph(node);
  const before = String(prompt.value ?? "").trimEnd();
  prompt.value = before ? `${before} ${text}` : text;
  prompt.callback?.(prompt.value);
  return selected ? "selected" : "new";
}

/** @param {ComfyNode} node */
const promptOf = (node) => node.widgets?.find(({ name }) => name === "prompt");

/** The names of a node's inputs; it also has widgets that ComfyUI and we add to it. @param {ComfyNode} node */
export function inputNames(node) {
  const { nodeData } = /** @type {NodeConstructor} */ (/** @type {unknown} */ (node.constructor));
  const { required, optional } = nodeData?.input ?? {};
  return new Set(Object.keys({ ...required, ...optional }));
}

/**
 * Calls `listener` when somebody types into the prompt of a node of ours, and `pressed` for the keys.
 * @param {(node: ComfyNode, field: HTMLTextAreaElement) => void} listener
 * @param {(event: KeyboardEvent) => void} pressed
 */
export function onPromptInput(listener, pressed) {
  const heard = (/** @type {Event} */ event) => {
    const field = event.target;
    if (!(field instanceof HTMLTextAreaElement)) return;
    const node = nodeOfPrompt(field);
    if (node) listener(node, field);
  };
  document.addEventListener("input", heard);
  document.addEventListener(
    "keydown",
    (event) => event.target instanceof HTMLTextAreaElement && pressed(event),
    true,
  );
}

/**
 * The node of ours whose prompt is typed in a field: by the element of its widget in the classic
 * rendering, as the first field of its node in Nodes 2.0.
 * @param {HTMLTextAreaElement} field
 * @returns {ComfyNode | undefined}
 */
function nodeOfPrompt(field) {
  const ours = (app.canvas?.graph ?? root()).nodes.filter(({ comfyClass }) =>
    /^Seedance/.test(comfyClass ?? ""),
  );
  const place = field.closest("[data-node-id]");
  return /** @type {ComfyNode | undefined} */ (
    ours.find((node) => {
      const prompt = /** @type {any} */ (node.widgets?.find(({ name }) => name === "prompt"));
      if (place?.getAttribute("data-node-id") === String(node.id))
        return place.querySelector("textarea") === field;
      return prompt && (prompt.element === field || prompt.inputEl === field);
    })
  );
}

/**
 * Show the advanced inputs of a node, which the entry has folded away in the classic rendering, where
 * one of them is used.
 * @param {ComfyNode} node
 */
export function showUsed(node) {
  const { nodeData } = /** @type {NodeConstructor} */ (/** @type {unknown} */ (node.constructor));
  const inputs = /** @type {Record<string, any>} */ ({ ...nodeData?.input?.optional });
  const linked = linkedInputs(node);
  const used = (node.widgets ?? []).some(
    ({ name, value, advanced, hidden }) =>
      advanced && !hidden && (linked.includes(name) || value !== inputs[name]?.[1]?.default),
  );
  if (used) node.showAdvanced = true;
}

/** The names of the inputs of a node to which something is linked. @param {ComfyNode} node */
export const linkedInputs = (node) =>
  (node.inputs ?? []).filter((_, slot) => node.isInputConnected(slot)).map(({ name }) => name);

/**
 * Show the choices of a list as `label` says. The values stay, and so does what is saved.
 * @param {ComfyWidget} list
 * @param {(value: string) => string} label
 */
export function labelChoices(list, label) {
  const { _state: state } = /** @type {any} */ (list);
  for (const options of new Set([list.options, state?.options]))
    if (Array.isArray(options?.values)) options.getOptionLabel = label;
}

/**
 * The choices of a widget, to be changed in place: the page's own view keeps the array that it was
 * given. Nodes 2.0 sees a change, and draws the list again, only if it is made through its state.
 * @param {ComfyWidget} list
 * @returns {string[]}
 */
export function choicesOf(list) {
  const { _state: state } = /** @type {any} */ (list);
  return state?.options?.values ?? list.options.values ?? [];
}
