/** Settings > Seedance > Gateway, by typing: address, dialect, models; then its key is tested. */
import { visit } from "./session.mjs";

const address = process.argv[3];

await visit(async ({ page }) => {
  await page.evaluate(() =>
    window.app.extensionManager.command.execute("Comfy.ShowSettingsDialog"),
  );
  await page.getByText("Seedance", { exact: true }).first().click();
  const form = page.locator("form.seedance-group").filter({ has: page.locator("select") });
  const dialect = form.locator("select");
  await dialect.waitFor();
  const found = { dialects: await dialect.locator("option").allInnerTexts() };
  const save = async () => {
    await form.getByRole("button", { name: "Save" }).click();
    await form.locator("p.seedance-said").waitFor();
    return form.locator("p.seedance-said").innerText();
  };

  await form.getByLabel("Base URL").fill("https://10.0.0.7");
  found.refused = await save();
  await form.getByLabel("Base URL").fill(address);
  await dialect.selectOption("ark");
  await form.getByLabel("seedance-2.0", { exact: true }).fill("sd-2");
  await form.getByLabel("seedance-2.5", { exact: true }).fill("sd-25");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByText("Saved.").waitFor();
  await form.getByLabel("seedance-2.5", { exact: true }).fill("");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByText("Saved.").waitFor();
  found.kept = [
    await form.getByLabel("Base URL").inputValue(),
    await dialect.inputValue(),
    await form.getByLabel("seedance-2.0", { exact: true }).inputValue(),
    await form.getByLabel("seedance-2.5", { exact: true }).inputValue(),
  ];

  // The list of keys above has learned the address.
  await page.getByRole("button", { name: "Gateway: Set key" }).click();
  await page.getByLabel("Key of Gateway").fill("sk-test-0123456789abcdef");
  await page.keyboard.press("Enter");
  await page.locator('section[aria-label="Gateway"]').getByText("Key stored").waitFor();
  await form.getByRole("button", { name: "Gateway: Test" }).click();
  await form.getByText("The key works").waitFor();
  found.tested = await form.locator("p.seedance-said").innerText();
  return found;
});
