/** The panel of assets, by clicking; names in a prompt; what a node says of an asset; signing keys. */
import { visit } from "./session.mjs";

const LINK = "https://liveness.example/authorization?pl=1";

await visit(async ({ page }) => {
  const command = (/** @type {string} */ name) =>
    page.evaluate((name) => window.app.extensionManager.command.execute(name), name);
  const row = (/** @type {string} */ name) =>
    page.locator(".seedance-asset").filter({ has: page.getByText(name, { exact: true }) });
  const prompt = () =>
    page.evaluate(() => {
      const [node] = window.app.graph.nodes.filter(({ type }) => type === "SeedanceReference");
      return node?.widgets.find(({ name }) => name === "prompt").value;
    });

  // The list, and what it puts into a prompt: of a new node, then of the one that is selected.
  await command("Seedance.ShowAssets");
  await page.locator(".seedance-asset").nth(1).waitFor();
  await page.waitForFunction(() => {
    const row = document.querySelector(".seedance-asset"); // its style sheet comes a little later
    return row && getComputedStyle(row).display === "grid";
  });
  const found = { rows: await page.locator(".seedance-asset").allInnerTexts() };
  await row("Dog").locator("img").waitFor();
  found.picture = await row("Dog")
    .locator("img")
    .evaluate((image) => image.decode().then(() => image.naturalWidth));
  await page.getByRole("button", { name: "Dog: Put into a prompt" }).click();
  await page.waitForFunction(() => window.app.graph.nodes.length === 1);
  found.first = await prompt();
  await page.getByRole("button", { name: "Hero: Put into a prompt" }).click();
  found.both = await prompt();
  found.nodes = await page.evaluate(() => window.app.graph.nodes.length);
  await page.getByText("BytePlus ModelArk ·").first().waitFor({ state: "attached" });

  await page.getByRole("button", { name: "Hero: Remove" }).click();
  await page.getByRole("button", { name: "Confirm" }).click();
  await row("Hero").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Ask the libraries" }).click();
  await row("Dog").waitFor();
  found.left = await page.locator(".seedance-asset").count();
  await command("Seedance.ShowAssets");

  // Typing.
  const field = page.locator("textarea").first();
  await field.click();
  await field.press("End");
  await field.pressSequentially(" @as");
  await page.locator(".seedance-names [role=option]").first().waitFor();
  found.offered = await page.locator(".seedance-names [role=option]").allInnerTexts();
  await field.press("Enter");
  found.typed = await field.inputValue();

  // What a node says while a person is waited for, and in the end.
  await command("Comfy.NewBlankWorkflow");
  await page.evaluate(() => {
    window.app.graph.add(window.LiteGraph.createNode("SeedanceAsset"));
  });
  await page.locator(".seedance-run").waitFor({ state: "attached" });
  const say = (/** @type {object} */ news) =>
    page.evaluate((news) => {
      const { id } = window.app.graph.nodes.find(({ type }) => type === "SeedanceAsset");
      const detail = { node: String(id), item: 0, prompt_id: "p", workflow: null, ...news };
      window.app.api.dispatchEvent(new CustomEvent("seedance.node", { detail }));
    }, news);
  const waits = { code: "asset_person", values: { minutes: 30 }, text: "", fraction: null, seconds_left: null };
  await say({ takes: [waits], link: LINK });
  const link = page.locator(".seedance-run a");
  await link.waitFor();
  found.waiting = await page.locator(".seedance-run").innerText();
  found.link = await link.evaluate(({ href, rel, target }) => [href, rel, target]);
  await say({ takes: [waits], link: "javascript:alert(1)" });
  found.wrong = await page.locator(".seedance-run a").count();
  await say({ results: [], changes: [], notes: [], left: false, asset: { name: "Anna", handle: "asset://a" } });
  found.ready = await page.locator(".seedance-run").innerText();

  // The signing key.
  await command("Comfy.ShowSettingsDialog");
  await page.locator('[data-testid="settings-dialog"] input').first().fill("byteplus");
  await page.locator(".seedance-key").first().waitFor();
  const keys = (/** @type {string} */ name) =>
    page.locator(`section[aria-label="${name}: Signing key of the asset library"]`);
  found.status = await keys("BytePlus ModelArk").locator(".seedance-status").innerText();
  const ours = "Volcano Engine Ark";
  await page.getByRole("button", { name: `${ours}, Signing key of the asset library: Set key` }).click();
  await page.getByLabel(`${ours}: Access key id`).fill("AKLT-nobody-may-see-this");
  const secret = page.getByLabel(`${ours}: Secret access key`);
  await secret.fill("secret-nobody-may-see-this");
  found.hidden = await secret.getAttribute("type");
  await page.keyboard.press("Enter");
  await keys(ours).getByText("Key stored").waitFor();
  await page.getByRole("button", { name: `${ours}, Signing key of the asset library: Remove` }).click();
  await keys(ours).getByText("No key").waitFor();
  found.shown = (await page.content()).includes("nobody-may-see-this");
  return found;
});
