/**
 * The names by which a prompt calls what is connected: `@Image1`, `@Video1`, `@Audio1`. They count
 * pictures, clips and sounds, those on sockets first, then the lines of `urls`.
 */
import { linkedInputs } from "../../page.mjs";
import { t } from "../words.mjs";
import { value } from "./sketch.mjs";

const GROUPS = /** @type {const} */ ([
  ["Image", "images", "image"],
  ["Video", "videos", "video"],
  ["Audio", "audios", "audio"],
]);
const ENDINGS = {
  Image: /\.(png|jpe?g|webp|gif|bmp|tiff?|heic|avif)$/i,
  Video: /\.(mp4|mov|webm|mkv|avi|m4v)$/i,
  Audio: /\.(mp3|wav|m4a|aac|flac|ogg|opus)$/i,
};

/**
 * How many pictures, clips and sounds a node has, at least: a batch of pictures counts as many.
 * @param {ComfyNode} node
 */
export function counts(node) {
  const linked = linkedInputs(node);
  const lines = String(value(node, "urls") ?? "")
    .split("\n")
    .map((line) => line.trim());
  return GROUPS.map(([name, group, kind]) => {
    const sockets = linked.filter((input) => input.startsWith(`${group}.`)).length;
    const urls = lines.filter(
      (line) => line.startsWith(`${kind}:`) || ENDINGS[name].test(line.replace(/[?#].*/, "")),
    ).length;
    return { name, count: sockets + urls };
  });
}

/** The names that a prompt of this node may use. @param {ComfyNode} node @returns {string[]} */
export const offered = (node) =>
  counts(node).flatMap(({ name, count }) => numbersTo(count).map((number) => `@${name}${number}`));

const MOST_NAMES = 99; // a name has two digits at most

/** 1, 2, 3 and so on, as far as there are names. @param {number} count */
const numbersTo = (count) =>
  Array.from({ length: Math.min(count, MOST_NAMES) }, (_, index) => index + 1);

/**
 * What can be seen before a run to be wrong with a node's prompt.
 * @param {ComfyNode} node
 * @returns {{ words: string, kind: "warn" | "" }[]}
 */
export function remarksOnPrompt(node) {
  if (linkedInputs(node).includes("prompt")) return []; // only the run knows it
  const prompt = String(value(node, "prompt") ?? "");
  if (!prompt.trim()) return [{ words: t("line.noPrompt"), kind: "warn" }];
  if (!["SeedanceReference", "SeedanceV2V"].includes(node.comfyClass ?? "")) return [];
  /** @type {Record<string, Set<number>>} */
  const named = { image: new Set(), video: new Set(), audio: new Set() };
  for (const [, kind, number] of prompt.matchAll(/(?<![\w@])@(image|video|audio)([1-9]\d?)(?!\d)/gi))
    named[kind.toLowerCase()].add(Number(number));
  const remarks = [];
  for (const { name, count } of counts(node)) {
    const numbers = named[name.toLowerCase()];
    const most = Math.max(0, ...numbers);
    if (most > count) {
      const words = t("line.notConnected", { name: `@${name}${most}`, count });
      remarks.push({ words, kind: /** @type {const} */ ("warn") });
    }
    const missing = numbersTo(count).filter((number) => !numbers.has(number));
    if (missing.length) {
      const names = missing.map((number) => `@${name}${number}`).join(", ");
      remarks.push({ words: t("line.notNamed", { names }), kind: /** @type {const} */ ("") });
    }
  }
  return remarks;
}
