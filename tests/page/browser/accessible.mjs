/** What axe finds wrong with everything of ours on the page: labels, roles, contrast. */
import { createRequire } from "node:module";
import { ask, EVERYTHING, look, tell } from "./looks.mjs";
import { place, visit } from "./session.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core");

await visit(async ({ page }) => {
  const execute = (/** @type {string} */ command) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), command);
  const wrong = async (/** @type {string} */ ours) => {
    await page.locator(ours).first().waitFor();
    await page.waitForTimeout(1000); // what fades in has no contrast yet
    return page.evaluate(async (ours) => {
      const { violations, passes } = await window.axe.run({ include: [ours] });
      if (!passes.length) return ["nothing was looked at"];
      return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
    }, ours);
  };
  const found = {};

  await page.addScriptTag({ path: axe });
  await place(page, "SeedanceT2V", { prompt: "a hill", provider: "preview", resolution: "480p" });
  await ask(page); // a row of each state
  await execute("Seedance.ShowTasks");
  found.tab = await wrong(".seedance-task");
  found.tab.push(...(await wrong(".seedance-tab")));
  await page.locator(".seedance-list").evaluate((list) => list.scrollTo(0, 1e6));
  found.tab.push(...(await wrong(".seedance-tab")));
  await look(page, "tab");
  await page.getByRole("button", { name: "Details" }).last().click();
  found.whole = await wrong(".seedance-dialog");
  await look(page, "whole");
  await page.keyboard.press("Escape");
  await page.evaluate(() => {
    const { widgets } = window.app.graph.nodes.find(({ type }) => type === "SeedanceT2V");
    for (const [name, value] of [
      ["provider", "lumenfall"],
      ["resolution", "4k"],
    ]) {
      const widget = widgets.find((widget) => widget.name === name);
      widget.value = value;
      widget.callback(value);
    }
  });
  await page.getByText("nearest: 720p").waitFor();
  await tell(page, EVERYTHING);
  await page.evaluate(() => {
    Object.assign(window.app.canvas.ds, { scale: 1, offset: [260, -280] }); // beside the tab
    window.app.canvas.setDirty(true, true);
  });
  found.node = await wrong(".seedance-line");
  await look(page, "node");

  await page.locator(".seedance-remark").getByRole("button", { name: "Settings" }).click();
  await page.getByRole("button", { name: "fal: Set key" }).click();
  found.settings = await wrong(".seedance-keys");
  await look(page, "settings");
  await page.keyboard.press("Escape"); // the form
  found.focus = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await page.keyboard.press("Escape"); // the settings

  await page.locator(".seedance-head").getByRole("button", { name: "Compare" }).click();
  found.compare = await wrong(".seedance-dialog");
  await look(page, "compare");
  await page.keyboard.press("Escape");
  found.open = await page.locator(".seedance-dialog").count();
  return found;
});
