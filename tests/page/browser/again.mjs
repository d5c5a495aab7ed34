/** An order loaded into a node from the tab brings its picture back, and is the same order. */
import pages from "./page.cjs";
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

const seed = Number(process.argv.at(-1));

await visit(async ({ page }) => {
  const order = { provider: "preview", resolution: "480p", duration: 4, seed };
  await pages.build(page, {
    nodes: [
      { name: "picture", type: "EmptyImage", pos: [0, 0], widgets: { width: 640, height: 640 } },
      { name: "ours", type: "SeedanceI2V", pos: [400, 0], widgets: { ...order, prompt: "again" } },
      { name: "any", type: "PreviewAny", pos: [900, 0] },
    ],
    links: [
      ["picture", "IMAGE", "ours", "image"],
      ["ours", "task", "any", "source"],
    ],
  });
  const found = { first: (await pages.run(page)).event };
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await page.evaluate(() => window.app.extensionManager.command.execute("Seedance.ShowTasks"));
  const first = page.locator('.seedance-task[aria-posinset="1"]');
  await first.getByRole("button", { name: "Load into a node" }).click();
  await page.waitForFunction(() =>
    window.app.graph.nodes.some(({ type, outputs }) => type === "LoadImage" && outputs[0].links?.length),
  );
  found.file = await page.evaluate(
    () => window.app.graph.nodes.find(({ type }) => type === "LoadImage").widgets[0].value,
  );
  await page.waitForTimeout(1500); // the picture is shown
  await look(page, "again");
  // A node after it, so that it runs.
  await page.evaluate(() => {
    const { graph } = window.app;
    const ours = graph.nodes.find(({ type }) => type === "SeedanceI2V");
    const any = window.LiteGraph.createNode("PreviewAny");
    graph.add(any);
    ours.connect(ours.outputs.findIndex(({ name }) => name === "task"), any, 0);
  });
  found.second = (await pages.run(page)).event;
  found.said = await page.locator(".seedance-remark.good").first().innerText();
  return found;
});
