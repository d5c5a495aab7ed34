/** How high new nodes are in the classic rendering, and what they show. */
import pages from "./page.cjs";
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  const order = { provider: "preview", resolution: "480p", duration: 4, prompt: "a hill" };
  const place = (name, type, x, y, widgets) => ({ name, type, pos: [x, y], widgets });
  await pages.build(page, {
    nodes: [
      place("text", "SeedanceT2V", 0, 0, order),
      place("video", "SeedanceV2V", 450, 0, order),
      place("task", "SeedanceTask", 900, 0, {}),
      place("used", "SeedanceT2V", 900, 300, { ...order, watermark: true }),
    ],
    links: [],
  });
  await page.evaluate(() => Object.assign(window.app.canvas.ds, { scale: 0.7, offset: [120, 120] }));
  await page.locator(".seedance-estimate > *").nth(2).waitFor();
  await page.waitForTimeout(1500);
  const seen = () =>
    page.evaluate(() =>
      window.app.graph.nodes.map((node) => ({
        more: node.size[1] - node.computeSize()[1],
        shown: node.widgets.filter((widget) => node.isWidgetVisible(widget)).map(({ name }) => name),
        room: node.getLayoutWidgets?.().length ?? node.widgets.length,
      })),
    );
  const found = { folded: await seen() };
  await look(page, "heights");
  await page.evaluate(() => window.app.graph.nodes[0].toggleAdvanced());
  found.open = (await seen())[0].shown;
  return found;
});
