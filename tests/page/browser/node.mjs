/** A node: lists narrow, an impossible saved value is marked and kept, it runs by clicking. */
import { choose, place, read, visit } from "./session.mjs";

const seed = Number(process.argv.at(-1)); // another one for each visit: the same would not run again

await visit(async ({ page }) => {
  await place(page, "SeedanceT2V", {
    prompt: "a hill",
    provider: "lumenfall",
    resolution: "4k",
    duration: 4,
    seed,
  });
  await page.getByText("Lumenfall").first().waitFor();
  const impossible = await read(page);
  await choose(page, "provider", "preview");
  const preview = await read(page);
  await choose(page, "resolution", "480p");
  const saved = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((node) => node.type.startsWith("Seedance"));
    return node.serialize().widgets_values;
  });
  await page.getByTestId("queue-button").first().click();
  await page.locator("video").first().waitFor({ timeout: 120_000 });
  const clip = await page.locator("video").first().getAttribute("src");
  const words = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((node) => node.type.startsWith("Seedance"));
    return node.widgets.find(({ name }) => name.includes("text-preview"))?.value;
  });
  return { impossible, preview, saved, clip, words };
});
