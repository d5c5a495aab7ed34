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
  await page.evaluate(() => {
    // The first words with a percentage, as they stood on the node.
    new MutationObserver(() => {
      const said = document.querySelector(".seedance-run")?.innerText ?? "";
      if (/\d %/.test(said)) window.saidFirst ??= said;
    }).observe(document.querySelector(".seedance-run"), { childList: true });
  });
  await page.getByTestId("queue-button").first().click();
  await page.locator("video").first().waitFor({ timeout: 120_000 });
  const clip = await page.locator("video").first().getAttribute("src");
  const words = await page.locator(".seedance-run").innerText();
  const first = await page.evaluate(() => window.saidFirst);
  return { impossible, preview, saved, clip, words, first };
});
