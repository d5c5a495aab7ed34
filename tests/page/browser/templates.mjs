/** The template browser: our examples have titles and moving pictures; one of them is an app. */
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  const execute = (/** @type {string} */ command) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), command);
  const dialog = page.locator('[role="dialog"]').last();
  const picture = dialog.locator('img[alt="Text to Video"]');
  const open = async () => {
    await execute("Comfy.BrowseTemplates");
    const search = dialog.locator("input").first();
    await search.waitFor();
    await search.fill("seedance");
    await dialog.locator("h3", { hasText: /^Text to Video$/ }).first().waitFor();
    await page.waitForTimeout(1500); // until the list has found its order
    // Pictures are fetched when they are scrolled to; newer pages give them addresses of their own.
    await dialog.locator("h3", { hasText: /^Text to Video$/ }).first().scrollIntoViewIfNeeded();
    await picture.first().evaluate((image) => image.decode());
    await page.waitForTimeout(1500); // they fade in
  };

  await open();
  const found = {
    titles: await dialog.locator("h3").allInnerTexts(),
    pictures: await picture.evaluateAll((images) => images.map((image) => image.naturalWidth)),
  };
  await look(page, "templates");

  // One with pictures: the server has put them there.
  const chosen = async (/** @type {string} */ title, /** @type {string} */ type) => {
    await dialog.locator("h3").and(dialog.getByText(title, { exact: true })).first().click();
    await page.waitForFunction(
      (type) => window.app.graph.nodes.some((node) => node.type === type),
      type,
    );
    await page.waitForTimeout(2000);
  };
  await chosen("First and Last Frame", "SeedanceFrames");
  found.loaded = await page.evaluate(() =>
    window.app.graph.nodes
      .filter(({ type }) => type === "LoadImage")
      .map(({ widgets: [{ value, options }], imgs }) => [
        value,
        options.values.includes(value),
        imgs?.[0]?.naturalWidth ?? null,
      ]),
  );
  await look(page, "template");

  await open();
  await chosen("Image to Video (App)", "SeedanceI2V");
  found.app = await page.evaluate(() => document.body.innerText);
  await look(page, "template-app");
  return found;
});
