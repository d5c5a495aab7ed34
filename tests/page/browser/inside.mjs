/** A node with growing sockets that the page puts into a subgraph: how its run ends. */
import pages from "./page.cjs";
import { visit } from "./session.mjs";

const seed = Number(process.argv.at(-1));
const picture = (/** @type {string} */ name, /** @type {number} */ y) => ({
  name,
  type: "EmptyImage",
  pos: [0, y],
  widgets: { width: 640, height: 360 },
});

await visit(async ({ page }) => {
  const order = { provider: "preview", resolution: "480p", duration: 4, prompt: "a hill", seed };
  await pages.build(page, {
    nodes: [
      picture("one", 0),
      picture("two", 250),
      { name: "many", type: "RepeatImageBatch", pos: [0, 500], widgets: { amount: 60 } },
      { name: "clip", type: "CreateVideo", pos: [300, 500] },
      { name: "ours", type: "SeedanceReference", pos: [600, 0], widgets: order },
      { name: "any", type: "PreviewAny", pos: [1100, 0] },
    ],
    links: [
      ["one", "IMAGE", "many", "image"],
      ["many", "IMAGE", "clip", "images"],
      ["one", "IMAGE", "ours", "images.image_1"],
      ["two", "IMAGE", "ours", "images.image_2"],
      ["clip", "VIDEO", "ours", "videos.video_1"],
      ["ours", "task", "any", "source"],
    ],
  });
  await page.evaluate(() => {
    const { graph } = window.app;
    const ours = graph.nodes.find(({ type }) => type === "SeedanceReference");
    graph.convertToSubgraph(new Set([ours]));
  });
  await page.waitForTimeout(500);
  const sent = await page.evaluate(async () => {
    const { output } = await window.app.graphToPrompt();
    const ours = Object.values(output).find(({ class_type: type }) => /^Seedance/.test(type));
    const links = Object.entries(ours.inputs).filter(([, value]) => Array.isArray(value));
    return Object.fromEntries(links.map(([name, [id]]) => [name, output[id].class_type]));
  });
  const { event, data } = await pages.run(page);
  return { sent, event, data: JSON.stringify(data) };
});
