/** Several takes: each is reached on the node; the sidecar of a video, dropped on the page. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { look } from "./looks.mjs";
import { place, visit } from "./session.mjs";

const options = process.argv.slice(2);
const seed = Number(options.at(-1));

await visit(async ({ page }) => {
  const order = { provider: "preview", resolution: "480p", duration: 4, takes: 3, seed };
  await place(page, "SeedanceT2V", { ...order, prompt: "three takes" });
  await page.evaluate(() => window.app.queuePrompt(0));
  const strip = page.locator(".seedance-strip button");
  await strip.first().waitFor({ timeout: 120_000 });
  const found = { takes: await strip.allInnerTexts() };
  await strip.locator("img").first().evaluate((image) => image.decode());
  await look(page, "takes");
  await strip.nth(1).click();
  const dialog = page.locator(".seedance-dialog");
  await dialog.locator("video").waitFor();
  found.whole = await dialog.innerText();
  await page.keyboard.press("Escape");

  // The clip and its last frame, for ComfyUI's own nodes.
  await strip.nth(1).click();
  await dialog.getByRole("button", { name: "Load Video" }).click();
  await strip.nth(1).click();
  await dialog.getByRole("button", { name: "Load Image" }).click();
  await page.evaluate(() => window.app.extensionManager.command.execute("Seedance.ShowTasks"));
  const thumbnail = page.locator("img.seedance-picture").first();
  await thumbnail.waitFor();

  // One entry of the tab for all three, of which one is shown.
  const entry = page.locator('.seedance-task[aria-posinset="1"]');
  const chosen = entry.locator(".seedance-strip [aria-pressed=true]");
  found.together = await entry.locator(".seedance-strip button").allInnerTexts();
  found.shown = [await chosen.innerText()];
  await entry.locator(".seedance-strip button").first().click();
  found.shown.push(await chosen.innerText());
  found.focused = await page.evaluate(() => document.activeElement?.getAttribute("aria-pressed"));
  await entry.getByRole("button", { name: "Details" }).click();
  found.details = await dialog.locator("dd").allInnerTexts();
  await page.keyboard.press("Escape");
  await look(page, "takes-tab");
  await thumbnail.dragTo(page.locator("canvas").first(), {
    targetPosition: { x: 900, y: 600 },
  });
  const loaders = () =>
    page.evaluate(() =>
      window.app.graph.nodes
        .filter(({ type }) => /^Load/.test(type))
        .map(({ type, widgets }) => [type, widgets[0].value]),
    );
  await page.waitForFunction(
    () => window.app.graph.nodes.filter(({ type }) => /^Load/.test(type)).length === 3,
  );
  found.loaders = await loaders();

  const folder = String(options.find((option) => option.startsWith("/")));
  const sidecars = readdirSync(folder).filter((name) => name.endsWith(".seedance.json"));
  const texts = sidecars.map((name) => readFileSync(join(folder, name), "utf8"));
  const text = texts.find((each) => each.includes("three takes"));
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], "a.seedance.json", { type: "application/json" }));
    const event = new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector("canvas").dispatchEvent(event);
  }, text);
  await page.waitForFunction(
    () => window.app.graph.nodes.filter(({ type }) => type === "SeedanceT2V").length === 2,
  );
  found.prompt = await page.evaluate(() => {
    const { widgets } = window.app.graph.nodes.at(-1);
    return widgets.find(({ name }) => name === "prompt").value;
  });
  return found;
});
