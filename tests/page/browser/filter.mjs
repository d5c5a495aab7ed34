/** The tab: search, state, provider, rows put away; all of one task. */
import { ask } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  await ask(page);
  await page.evaluate(() => window.app.extensionManager.command.execute("Seedance.ShowTasks"));
  const row = page.locator(".seedance-task");
  await row.first().waitFor();
  const size = async () => Number((await row.count()) && (await row.first().getAttribute("aria-setsize")));
  const found = { all: await size() };
  const state = page.getByRole("combobox", { name: "State" });
  const search = page.getByRole("searchbox", { name: /Search/ });
  await state.selectOption("live");
  found.live = await size();
  await state.selectOption("ended");
  found.ended = await size();
  await state.selectOption("all");
  await page.getByRole("combobox", { name: "Provider" }).selectOption("byteplus");
  found.other = await row.count();
  found.says = await page.locator(".seedance-tab > [role=status]").innerText();
  await page.getByRole("combobox", { name: "Provider" }).selectOption("fal");
  await search.fill("fal:9");
  found.ticket = await size();
  await search.fill("says: NO");
  found.error = await size();
  await search.fill("");
  await page.getByRole("button", { name: "Put ended rows away" }).click();
  found.away = await size();
  await state.selectOption("away");
  found.put = await size();
  await row.first().getByRole("button", { name: "Details" }).click();
  const dialog = page.getByRole("dialog", { name: "Refused · fal" });
  found.whole = await dialog.innerText();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  found.closed = await page.locator(".seedance-dialog").count();
  return found;
});
