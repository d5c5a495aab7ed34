/** The help page of each node, as ComfyUI shows it beside the graph. */
import { place, visit } from "./session.mjs";

const NODES = ["T2V", "I2V", "Frames", "Reference", "V2V"].map((name) => `Seedance${name}`);

await visit(async ({ page }) => {
  const found = {};
  for (const type of NODES) {
    await place(page, type, { provider: "preview" });
    await page.evaluate(() => {
      const node = window.app.graph.nodes.find(({ type }) => type.startsWith("Seedance"));
      window.app.canvas.selectNode(node);
    });
    await page.getByTestId("info-button").first().click();
    const help = page.locator(".node-help-content");
    await help.locator("ul").first().waitFor();
    await help.locator("img").evaluate((image) => image.decode());
    found[type] = await help.evaluate((help) => ({
      heads: [...help.querySelectorAll("h2")].map(({ innerText }) => innerText),
      words: help.innerText,
      tooWide: [...help.querySelectorAll("*")].filter(
        ({ scrollWidth, clientWidth }) => clientWidth && scrollWidth > clientWidth + 1,
      ).length,
    }));
    await page.getByTestId("info-button").first().click();
  }
  return found;
});
