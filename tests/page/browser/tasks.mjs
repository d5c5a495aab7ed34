/** The tab: what was made, collect, load into a node, forget, cancel; and a reload during a run. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { place, reload, visit } from "./session.mjs";

await visit(async ({ page }) => {
  const open = async () => {
    await page.evaluate(() => window.app.extensionManager.command.execute("Seedance.ShowTasks"));
    await page.locator(".seedance-task").first().waitFor();
  };
  const first = page.locator('.seedance-task[aria-posinset="1"]');
  const has = (/** @type {string} */ text, timeout = 90_000) =>
    first.getByText(text, { exact: true }).waitFor({ timeout });
  const run = () => page.evaluate(() => window.app.queuePrompt(0));

  // A page that is closed and opened again finds what goes on.
  const order = { provider: "preview", resolution: "480p", duration: 4 };
  await place(page, "SeedanceT2V", { ...order, prompt: "the reload", seed: 1 });
  await run();
  await page.waitForTimeout(1000);
  await reload(page);
  await open();
  await has("Saved");
  const found = { reloaded: await first.innerText() };
  await first.locator("img.seedance-picture").waitFor();
  found.picture = await first
    .locator("img")
    .evaluate((image) => image.decode().then(() => image.naturalWidth));
  found.opens = await first.getByRole("link").getAttribute("href");

  // A file that is lost is fetched again.
  const [, output] = process.argv.slice(2);
  const clips = () => readdirSync(output).filter((name) => name.endsWith(".mp4"));
  for (const name of clips()) rmSync(join(output, name));
  await page.evaluate(() => window.app.extensionManager.command.execute("Seedance.ShowTasks"));
  await open();
  await first.getByRole("button", { name: "Collect" }).click();
  await first.getByRole("link").waitFor({ timeout: 60_000 });
  found.collected = clips().length;

  await first.getByRole("button", { name: "Load into a node" }).click();
  await page.waitForFunction(() =>
    window.app.graph.nodes.some(({ type }) => type === "SeedanceT2V"),
  );
  found.loaded = await page.evaluate(() => {
    const { widgets } = window.app.graph.nodes.find(({ type }) => type === "SeedanceT2V");
    return Object.fromEntries(widgets.map(({ name, value }) => [name, value]));
  });

  await first.getByRole("button", { name: "Forget" }).click();
  await page.getByRole("button", { name: "Confirm" }).click();
  await has("Cancelled");
  await first.getByRole("button", { name: "Copy the ticket" }).waitFor();

  await place(page, "SeedanceT2V", {
    ...order,
    resolution: "1080p",
    duration: 15,
    prompt: "the cancel",
    seed: 2,
  });
  await run();
  await has("the cancel");
  await has("Running");
  await first.getByText(/^rendering \d+ %/).waitFor();
  found.progress = await first.getByRole("progressbar", { name: "Progress" }).count();
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.Interrupt"));
  await has("Cancelled");
  found.cancelled = await first.innerText();
  return found;
});
