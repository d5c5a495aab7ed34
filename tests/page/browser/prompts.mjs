/** What a node sees in its prompt before it runs, and what it offers while somebody types `@`. */
import pages from "./page.cjs";
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  const picture = (/** @type {string} */ name, /** @type {number} */ y) => ({
    name,
    type: "EmptyImage",
    pos: [-300, y],
  });
  await pages.build(page, {
    nodes: [
      picture("one", 0),
      picture("two", 250),
      { name: "ours", type: "SeedanceReference", pos: [300, 0], widgets: { provider: "preview" } },
    ],
    links: [
      ["one", "IMAGE", "ours", "images.image_1"],
      ["two", "IMAGE", "ours", "images.image_2"],
    ],
  });
  await page.evaluate(() => {
    Object.assign(window.app.canvas.ds, { scale: 1, offset: [200, 100] });
    window.app.canvas.setDirty(true, true);
  });
  const line = page.locator(".seedance-estimate");
  await line.getByText("The prompt is empty.").waitFor();
  const found = { empty: await line.innerText() };

  const field = page.locator("textarea:visible").first();
  await field.click();
  await page.keyboard.type("A cat looks at @Image4 and @im");
  const options = page.getByRole("option", { name: /^@/ });
  await options.first().waitFor();
  found.offered = await options.allInnerTexts();
  await look(page, "mentions");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  found.typed = await field.inputValue();
  await page.waitForTimeout(200);
  found.kept = await page.evaluate(() => {
    const node = window.app.graph.nodes.find(({ type }) => type === "SeedanceReference");
    return node.widgets.find(({ name }) => name === "prompt").value;
  });
  found.left = await options.count();
  await line.getByText("@Image4").waitFor();
  found.line = await line.innerText();
  return found;
});
