/**
 * What a run says on its node: how far each take is, then what came of it. It stays there when the
 * run is over.
 */
import { openSettings } from "../../page.mjs";
import { button, h, icon, priceWords, remark } from "../dom.mjs";
import * as server from "../server.mjs";
import { progressWords, sayWords, t, troubleWords } from "../words.mjs";
import { changeWords, makesOrder, whyWords } from "./sketch.mjs";

/**
 * What the server says (nodes/report.py): `takes` while they are under way, the rest at the end.
 * @typedef {import("../server.mjs").Change} Change
 * @typedef {import("../server.mjs").Money} Money
 * @typedef {import("../server.mjs").Progress} Progress
 * @typedef {import("../server.mjs").Trouble} Trouble
 * @typedef {{ provider: string, row?: number, seed: number, width: number, height: number, duration: number,
 *   cost: Money | null, reused: boolean, name?: string, error?: undefined }} Made
 * @typedef {{ seed: number | null, name?: string, error: Trouble }} Failed
 * @typedef {object} News
 * @property {string} node - its id in the run
 * @property {number} item - of a list, where the node runs for each item of one
 * @property {string} prompt_id
 * @property {string | null} workflow - the id of the workflow, where it is known
 * @property {(Progress & { name?: string })[]} [takes] - with the names of shots
 * @property {{ ended: number, all: number }} [shots] - how many have ended
 * @property {(Made | Failed)[]} [results]
 * @property {Change[]} [changes]
 * @property {(string | import("../words.mjs").Said)[]} [notes]
 * @property {boolean} [left] - nobody waits any more, and the takes go on
 * @property {string | null} [link] - of a page that a person has to open
 * @property {{ name: string, handle: string | null }} [asset] - that can be used now
 *
 * @typedef {{ node: string, workflow: string | null, prompt_id: string,
 *   items: Map<number, News> }} Run
 */

/** The last run of each node, by workflow and node. @type {Map<string, Run>} */
const runs = new Map();

/** Takes note of what the server says. Gives the run as it is now. @param {News} news @returns {Run} */
export function note(news) {
  const { node, workflow, prompt_id } = news;
  const key = `${workflow}/${node}`;
  const known = runs.get(key);
  const run =
    known?.prompt_id === prompt_id ? known : { node, workflow, prompt_id, items: new Map() };
  run.items.set(news.item, news);
  runs.set(key, run);
  return run;
}

/** Workflows of which the server was asked what their nodes said. @type {Map<string, Promise<void>>} */
const asked = new Map();

/**
 * Takes note of what the nodes of a workflow said before this page was loaded; asked for once.
 * @param {string} workflow
 */
export function recall(workflow) {
  const known = asked.get(workflow);
  if (known) return known;
  const asking = (async () => {
    const all = await server.said(workflow).catch(() => []); // it is no loss to a new graph
    const since = new Set(runsOf(workflow).map(({ node }) => node));
    for (const news of all) if (!since.has(news.node)) note(news);
  })();
  asked.set(workflow, asking);
  return asking;
}

/**
 * Takes note of what came back with a node's output.
 * @param {string} node - its id in the run
 * @param {string} workflow
 * @param {News[]} said - one for each item of a list
 * @returns {Run}
 */
export function noteOutput(node, workflow, said) {
  const run = { node, workflow, prompt_id: "", items: new Map(said.entries()) };
  runs.set(`${workflow}/${node}`, run);
  return run;
}

/** The last runs of the nodes of a workflow. @param {string} workflow */
export const runsOf = (workflow) => [...runs.values()].filter((run) => run.workflow === workflow);

/**
 * @param {HTMLElement} place
 * @param {ComfyNode} node
 * @param {Run} run
 */
export function drawRun(place, node, run) {
  const items = [...run.items].sort(([a], [b]) => a - b).map(([, news]) => news);
  const takes = items.flatMap((news) => news.takes ?? []);
  const said = items.flatMap((news) => ended(node, news));
  const shots = items.flatMap((news) => news.shots ?? []);
  place.replaceChildren(
    ...takes.map((progress, index) => underWay(progress, takes.length > 1 ? index + 1 : 0)),
    ...shots.map((count) => remark("video", t("run.shots", count), "")),
    ...items.flatMap(({ link }) => (link ? [pageFor(link)] : [])),
    ...unlike(said),
    strip(items.flatMap((news) => news.results ?? [])),
  );
}

/** All results of several takes, each with its seed, to be looked at. @param {(Made | Failed)[]} results */
function strip(results) {
  const made = results.filter((result) => "row" in result && result.row);
  if (made.length < 2) return "";
  return h(
    "div",
    { class: "seedance-strip" },
    ...made.map((result) => {
      const { row, seed, provider, name } = /** @type {Made & { row: number }} */ (result);
      const label = name ? t("run.lookShot", { name }) : t("run.look", { seed });
      const look = async () => {
        const { showWhole } = await import("../tasks/whole.mjs");
        showWhole(await server.task(row), provider);
      };
      return h(
        "button",
        { type: "button", title: label, "aria-label": label, onclick: look },
        h("img", { src: server.fileOf(row, "thumbnail"), alt: "", loading: "lazy" }),
        h("small", {}, name ?? String(seed)),
      );
    }),
  );
}

/** @param {Progress & { name?: string }} progress @param {number} number - of the take, 0 for the only one */
function underWay(progress, number) {
  const words = progressWords(progress);
  const { name } = progress;
  if (name) return remark("spinner pi-spin", t("run.shot", { name, words }), "live");
  return remark("spinner pi-spin", number ? t("run.take", { number, words }) : words, "live");
}

/** The provider's page on which a person confirms. @param {string} href */
function pageFor(href) {
  const shown = remark("id-card", t("run.confirm"), "warn");
  if (/^https?:\/\//i.test(href))
    shown.append(
      h(
        "a",
        { class: "seedance-link", href, target: "_blank", rel: "noopener noreferrer" },
        t("run.confirmPage"),
        icon("external-link"),
      ),
    );
  return shown;
}

/** @param {NonNullable<News["asset"]>} asset */
function ready({ name, handle }) {
  const words = handle ? t("run.asset", { name, handle }) : t("run.assetHere", { name });
  return remark("check-circle", words, "good");
}

/** @param {ComfyNode} node @param {News} news */
function ended(node, { results = [], changes = [], notes = [], left, asset }) {
  return [
    ...(asset ? [ready(asset)] : []),
    ...results.map((result) =>
      result.error
        ? failure(node, result)
        : remark("check-circle", made(result), "good"),
    ),
    ...changes.map((change) => remark("arrow-right", changeWords(node, change), "", whyWords(change))),
    ...notes.map((note) => remark("info-circle", sayWords(note), "")),
    ...(left ? [remark("info-circle", t("run.left"), "")] : []),
  ];
}

/** @param {Made} result */
function made({ provider, seed, width, height, duration, cost, reused, name }) {
  const price = reused ? t("run.reused") : cost ? priceWords(cost) : t("tasks.noCost");
  const seconds = Number(duration.toPrecision(3));
  const words = t("run.made", { provider, seed, width, height, seconds, price });
  return name ? t("run.shot", { name, words }) : words;
}

/** @param {ComfyNode} node @param {Failed} result */
function failure(node, result) {
  const { kind } = result.error;
  if (kind === "Cancelled") return remark("minus-circle", failed(result), "");
  const shown = remark("times-circle", failed(result), "bad");
  if (kind === "NeedsKey" && !makesOrder(node)) // others have it in their line
    shown.append(button(t("line.openSettings"), openSettings, { kind: "small" }));
  return shown;
}

/** @param {Failed} result */
function failed({ seed, name, error }) {
  const words = troubleWords(error);
  if (name) return t("run.shot", { name, words });
  return seed === null ? words : t("run.failed", { seed, words });
}

/** What several takes or items say alike is shown once. @param {HTMLElement[]} lines */
function unlike(lines) {
  return [...new Map(lines.map((each) => [each.textContent, each])).values()];
}
