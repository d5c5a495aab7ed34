/** Settings > Seedance, by clicking: set and remove a key, move UniAll, set a budget. */
import { visit } from "./session.mjs";

const KEY = "sk-nobody-may-see-this";

await visit(async ({ page }) => {
  await page.evaluate(() =>
    window.app.extensionManager.command.execute("Comfy.ShowSettingsDialog"),
  );
  const seedance = page.getByText("Seedance", { exact: true }).first();
  const search = page.locator('[data-testid="settings-dialog"] input').first();
  const wide = () =>
    page.evaluate(() => document.querySelector(".seedance-keys")?.getBoundingClientRect().width);
  const widths = [];
  for (const words of ["api key", "byteplus", "FAL"]) {
    await search.fill(words);
    await page.waitForTimeout(500); // the page waits for more letters
    await page.locator(".seedance-key").first().waitFor();
    widths.push(await wide());
  }
  await search.fill("");
  await seedance.click();
  await page.locator(".seedance-key").first().waitFor();
  widths.push(await wide());
  const row = (/** @type {string} */ name) => page.locator(`section[aria-label="${name}"]`);
  const status = async (/** @type {string} */ name) =>
    row(name).locator(".seedance-status").innerText();
  const said = async (/** @type {string} */ name) => {
    await row(name).locator("p[role=status]").waitFor();
    return row(name).locator("p[role=status]").innerText();
  };
  const found = { first: await status("fal"), widths };
  found.links = await page
    .locator(".seedance-key a")
    .evaluateAll((links) => links.map(({ href, rel }) => [href, rel]));

  await page.getByRole("button", { name: "fal: Set key" }).click();
  await page.getByLabel("Key of fal").fill(KEY);
  found.hidden = (await page.getByLabel("Key of fal").getAttribute("type")) === "password";
  await page.keyboard.press("Enter");
  found.saved = await said("fal");
  found.set = await status("fal");

  await page.getByRole("button", { name: "UniAll: Address" }).click();
  await page.getByLabel("Base URL of UniAll").fill("https://one.example");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: "UniAll: Set key" }).click();
  await page.getByLabel("Key of UniAll").fill(KEY);
  await page.keyboard.press("Enter");
  await row("UniAll").getByText("Key stored").waitFor();
  await page.getByRole("button", { name: "UniAll: Address" }).click();
  await page.getByLabel("Base URL of UniAll").fill("https://two.example");
  await page.keyboard.press("Enter");
  await row("UniAll").getByText("No key").waitFor();
  found.moved = await said("UniAll");

  // A secret of the bucket is removed by its button, and what is typed beside it stays.
  const secret = page.getByLabel("Secret access key", { exact: true });
  await secret.fill(KEY);
  await page.getByLabel("Access key id", { exact: true }).fill("an id");
  await page.keyboard.press("Enter");
  await page.getByText("Saved.").waitFor();
  found.stored = await secret.getAttribute("placeholder");
  await page.getByLabel("Region", { exact: true }).fill("eu");
  await page.getByRole("button", { name: "Secret access key: Remove" }).click();
  await page.getByText("Removed.", { exact: true }).waitFor();
  found.left = await page.getByRole("button", { name: "Secret access key: Remove" }).count();
  found.typed = await page.getByLabel("Region", { exact: true }).inputValue();

  await page.getByLabel("Per day (USD)").fill("7.5");
  await page.keyboard.press("Enter");
  await page.getByText("Saved.").waitFor();

  found.leaks = await page.evaluate(
    (key) =>
      [
        JSON.stringify({ ...localStorage }),
        JSON.stringify({ ...sessionStorage }),
        document.documentElement.outerHTML,
        ...[...document.querySelectorAll("input")].map(({ value }) => value),
      ].filter((text) => text.includes(key)).length,
    KEY,
  );
  found.settings = await (await page.request.get(`${page.url().split("#")[0]}settings`)).text();

  await page.getByRole("button", { name: "UniAll: Address" }).click();
  await page.getByLabel("Base URL of UniAll").fill("");
  await page.keyboard.press("Enter");
  await row("UniAll").getByText("publishes no address").waitFor();

  await page.getByRole("button", { name: "fal: Remove" }).click();
  await row("fal").getByText("No key").waitFor();
  found.removed = await status("fal");
  return found;
});
