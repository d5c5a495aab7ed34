/** A graph of many nodes with the same order: what is asked of the server, what is said in the console. */
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  /** @type {string[]} */
  const said = [];
  page.on("console", (/** @type {any} */ message) => {
    if (["warning", "error"].includes(message.type())) said.push(message.text());
  });
  const asked = { orders: 0, graphs: 0 };
  page.on("request", (/** @type {any} */ request) => {
    if (!request.url().endsWith("/seedance/check")) return;
    asked[request.postDataJSON().prompt ? "graphs" : "orders"]++;
  });
  await page.evaluate(() => {
    for (let number = 0; number < 60; number++) {
      const node = window.LiteGraph.createNode("SeedanceI2V");
      node.pos = [(number % 10) * 420, Math.floor(number / 10) * 900];
      window.app.graph.add(node);
      node.widgets.find(({ name }) => name === "prompt").value = "a hill";
      node.widgets.find(({ name }) => name === "seed").value = number;
    }
    window.app.canvas.ds.scale = 0.15;
    window.app.canvas.setDirty(true, true);
  });
  const lines = page.locator(".seedance-estimate > *:first-child");
  await page.waitForFunction(
    () => document.querySelectorAll(".seedance-estimate > *:first-child").length >= 60,
  );
  await page.waitForTimeout(1500);
  return { lines: await lines.count(), ...asked, said };
});
