/**
 * The sidebar panel of assets: a row for each name at each provider, with a picture, its state and
 * what can be done with it. It is read again after each run; the libraries are asked only when
 * somebody presses the button.
 */
import { confirm, onRuns, putIntoPrompt, toast } from "../../page.mjs";
import { button, h, icon, style } from "../dom.mjs";
import * as server from "../server.mjs";
import { known, ready, t } from "../words.mjs";

/**
 * @typedef {import("../server.mjs").Asset} Asset
 * @typedef {[Asset, ...Asset[]]} Group - the assets of one name at one provider
 */

/** @type {Panel | undefined} */
let open;
/** Counts how often the panel was opened or closed. An opening that had to wait compares it. */
let turn = 0;

/** @param {HTMLElement} place */
export async function render(place) {
  destroy();
  const mine = turn;
  style();
  await ready();
  if (mine !== turn) return; // closed, or opened anew, meanwhile
  open = new Panel(place, () => mine === turn);
  await open.look(server.assets);
}

/** The panel was closed. */
export function destroy() {
  turn++;
  open?.stop();
  open = undefined;
}

/** @type {Record<string, [icon: string, kind: string]>} */
const STATES = {
  local: ["check-circle", "good"],
  active: ["check-circle", "good"],
  making: ["upload", "live"],
  processing: ["hourglass", "live"],
  failed: ["times-circle", "bad"],
};
const WORST_FIRST = ["failed", "making", "processing", "active", "local"];

class Panel {
  /** Ends that the list is read again. @type {() => void} */
  stop;
  #isOpen;
  /** @type {Record<string, string>} */
  #names = {};
  #list = h("div", { class: "seedance-assets", role: "list" });
  #status = h("div", { role: "status" });

  /** @param {HTMLElement} place @param {() => boolean} isOpen */
  constructor(place, isOpen) {
    this.#isOpen = isOpen;
    this.stop = onRuns(() => void this.look(server.assets)); // a run may have added one
    const again = button(
      t("assets.refresh"),
      async () => {
        again.disabled = true;
        this.#say(["spinner pi-spin", t("assets.asking"), ""]);
        await this.look(async () => {
          const { assets, problems } = await server.refreshAssets();
          return Object.assign(assets, { problems });
        });
        again.disabled = false;
      },
      { icon: "refresh", only: true },
    );
    place.classList.add("seedance-host");
    place.replaceChildren(
      h(
        "div",
        { class: "seedance seedance-tab" },
        h("header", {}, h("h2", {}, t("assets.title")), again),
        this.#status,
        this.#list,
      ),
    );
  }

  /** Show what `ask` gives. @param {() => Promise<Asset[] & { problems?: string[] }>} ask */
  async look(ask) {
    try {
      const [assets, providers] = await Promise.all([ask(), server.providers()]);
      if (!this.#isOpen()) return;
      this.#names = Object.fromEntries(providers.map(({ id, name }) => [id, name]));
      this.#list.replaceChildren(...grouped(assets).map((group) => this.#row(group)));
      this.#say(...problems(assets.problems ?? []), ...(assets.length ? [] : [none()]));
    } catch (error) {
      if (this.#isOpen()) this.#say(trouble(error));
    }
  }

  /** @param {...[icon: string, words: string, kind: string]} lines */
  #say(...lines) {
    this.#status.replaceChildren(
      ...lines.map(([name, words, kind]) =>
        h("p", { class: `seedance-said ${kind}` }, icon(name), h("span", {}, words)),
      ),
    );
  }

  /** @param {Group} group */
  #row(group) {
    const [first] = group;
    const state = group.map((asset) => asset.state).sort(byBadness)[0];
    const [picture, kind] = STATES[state] ?? ["circle", ""];
    const provider =
      first.provider === "any" ? t("assets.here") : (this.#names[first.provider] ?? first.provider);
    const words = known(`assets.state.${state}`) ?? state;
    const problem = group.map((asset) => asset.problem).find(Boolean) ?? "";
    return h(
      "div",
      { class: "seedance-asset", role: "listitem", "aria-label": `${first.name}, ${provider}` },
      pictureOf(group),
      h(
        "div",
        { class: "seedance-facts" },
        h(
          "div",
          { class: "seedance-first" },
          h("span", { class: "seedance-name", title: `@Asset:${first.name}` }, first.name),
          h("span", { class: "seedance-provider" }, provider),
        ),
        h(
          "div",
          { class: `seedance-status ${kind}` },
          icon(picture),
          h("span", {}, [words, ...contents(group)].join(" · ")),
        ),
        problem && h("small", { title: problem }, problem),
      ),
      h("div", { class: "seedance-actions" }, ...this.#actions(group, provider)),
    );
  }

  /** @param {Group} group @param {string} provider */
  #actions(group, provider) {
    const [{ name, provider: id }] = group;
    const handles = group.flatMap(({ handle, state }) =>
      handle && state === "active" ? [handle] : [],
    );
    const usable = id === "any" || handles.length > 0;
    return [
      usable && act("use", "plus", name, async () => t(`assets.used.${putIntoPrompt(`@Asset:${name}`)}`)),
      handles.length > 0 &&
        act("copy", "copy", name, async () => {
          await navigator.clipboard.writeText(handles.join("\n"));
          return t("assets.copied", { count: handles.length });
        }),
      act("remove", "trash", name, async () => {
        const why = t(id === "any" ? "assets.removeHere" : "assets.removeThere", { name, provider });
        if (!(await confirm(t("assets.remove"), why))) return;
        await server.removeAsset(name, id);
        await this.look(server.assets);
      }),
    ].filter((each) => each instanceof HTMLElement);
  }
}

/** @param {string} a @param {string} b */
const byBadness = (a, b) => WORST_FIRST.indexOf(a) - WORST_FIRST.indexOf(b);

/** @param {Asset[]} assets @returns {Group[]} */
function grouped(assets) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const asset of assets) {
    const key = `${asset.name}/${asset.provider}`;
    const group = groups.get(key);
    if (group) group.push(asset);
    else groups.set(key, [asset]);
  }
  return [...groups.values()];
}

/** Of what kinds a group is, and whether it is a real person. @param {Group} group */
function contents(group) {
  const kinds = ["image", "video", "audio"]
    .map((kind) => ({ kind, count: group.filter((asset) => asset.kind === kind).length }))
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => t(`assets.kind.${kind}`, { count }));
  return group.some(({ person }) => person) ? [...kinds, t("assets.person")] : kinds;
}

/** @param {Group} group */
function pictureOf(group) {
  const shown = group.find(({ picture }) => picture);
  const { kind } = group[0];
  const none = () =>
    h("div", { class: "seedance-picture" }, icon(ICONS[kind] ?? "image"));
  if (!shown) return none();
  const picture = h("img", {
    class: "seedance-picture",
    src: server.pictureOf(shown),
    alt: "",
    loading: "lazy",
    onerror: () => picture.replaceWith(none()),
  });
  return picture;
}

/** @type {Record<string, string>} */
const ICONS = { image: "image", video: "video", audio: "volume-up" };

/**
 * @param {"use" | "copy" | "remove"} what
 * @param {string} picture
 * @param {string} name - of the asset
 * @param {() => Promise<string | void>} work - gives a sentence to show
 */
function act(what, picture, name, work) {
  const words = t(`assets.${what}`);
  const run = async () => {
    made.disabled = true;
    try {
      const sentence = await work();
      if (sentence) toast("info", name, sentence);
    } catch (error) {
      toast("error", words, /** @type {Error} */ (error).message);
    }
    made.disabled = false;
  };
  const made = button(words, run, { icon: picture, only: true, label: `${name}: ${words}` });
  made.setAttribute("data-action", what);
  return made;
}

/** @returns {[string, string, string]} */
const none = () => ["info-circle", t("assets.none"), ""];

/** @param {string[]} sentences @returns {[string, string, string][]} */
const problems = (sentences) => sentences.map((words) => ["exclamation-triangle", words, "warn"]);

/** @param {unknown} error @returns {[string, string, string]} */
const trouble = (error) => ["times-circle", /** @type {Error} */ (error).message, "bad"];
