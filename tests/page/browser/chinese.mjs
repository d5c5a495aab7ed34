/** All that our parts of the page say in Chinese, what the server says among it. */
import { ask, look, tell } from "./looks.mjs";
import { choose, place, visit } from "./session.mjs";

/** What went wrong, by situation, as the server would say it. */
const situations = JSON.parse(String(process.argv.at(-1)));
const made = { provider: "fal", width: 1280, height: 720, duration: 5.04, seed: 1 };
const cost = { amount: 1.5, currency: "USD", estimated: true };

await visit(async ({ page }) => {
  const execute = (/** @type {string} */ command) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), command);
  const titles = (/** @type {string} */ ours) =>
    page.locator(`${ours} [title]`).evaluateAll((all) => all.map(({ title }) => title));
  const line = page.locator(".seedance-estimate");
  const run = page.locator(".seedance-run");
  /** @type {Record<string, string | string[]>} */
  const found = {};

  await place(page, "SeedanceT2V", {
    ...{ prompt: "a hill", provider: "lumenfall", resolution: "4k", duration: 30, ratio: "9:21" },
    camera_fixed: true,
  });
  await line.getByText("取最接近值").waitFor();
  found.changes = await line.innerText();
  found.why = await titles(".seedance-estimate");
  await choose(page, "provider", "volcengine");
  await choose(page, "duration", 5);
  await choose(page, "resolution", "720p");
  found.price = await line.innerText();
  found.options = await page.evaluate(() => {
    const { widgets } = window.app.graph.nodes.find(({ type }) => type === "SeedanceT2V");
    const labelled = (name, value) =>
      widgets.find((widget) => widget.name === name)?.options.getOptionLabel?.(value);
    return [
      ["ratio", "adaptive"],
      ["on_unsupported", "nearest"],
      ["on_unsupported", "error"],
      ["provider", "auto"],
      ["ratio", "16:9"],
    ].map(([name, value]) => labelled(name, value) ?? "");
  });
  await look(page, "line");

  await page.locator(".seedance-head button").click();
  await page.locator(".seedance-dialog table").waitFor();
  found.compare = await page.locator(".seedance-dialog").innerText();
  found.comparing = await titles(".seedance-dialog");
  await look(page, "compare");
  await page.keyboard.press("Escape");

  for (const [name, error] of Object.entries(situations)) {
    const results = [{ seed: 4, error: { ...error, kind: "TaskFailed" } }];
    await tell(page, { prompt_id: name, results });
    found[name] = await run.innerText();
  }
  await tell(page, {
    prompt_id: "made",
    results: [
      { ...made, cost, reused: false },
      { ...made, cost: null, reused: true },
    ],
    notes: [{ text: "", code: "the_program_ends_the_task_goes_on", values: {} }],
    left: true,
  });
  found.made = await run.innerText();
  const takes = ["starting", "saving"].map((code) => ({ code, values: {}, text: "in English" }));
  await tell(page, { prompt_id: "live", takes });
  found.live = await run.innerText();

  // Cancel one that runs, in the tab.
  await place(page, "SeedanceT2V", {
    ...{ prompt: "山", provider: "preview", resolution: "1080p", duration: 15, seed: 91 },
  });
  await page.evaluate(() => window.app.queuePrompt(0));
  await execute("Seedance.ShowTasks");
  const first = page.locator('.seedance-task[aria-posinset="1"]');
  await first.getByText("生成中", { exact: true }).waitFor();
  await first.getByRole("button", { name: "取消" }).click();
  found.cancel = await page.getByText("有人在等待").first().innerText();
  // The node waits for it, so that only who runs the graph may stop it.
  await page.evaluate(() => window.app.api.interrupt());
  await first.getByText("已取消", { exact: true }).waitFor();
  await execute("Seedance.ShowTasks"); // away
  await ask(page);
  await execute("Seedance.ShowTasks");
  await page.locator(".seedance-task").nth(3).waitFor();
  found.tab = await page.locator(".seedance-tab").innerText();
  found.tabbed = await titles(".seedance-tab");
  await look(page, "tab");
  await page.getByRole("button", { name: "详情" }).last().click();
  found.whole = await page.locator(".seedance-dialog").innerText();
  await page.keyboard.press("Escape");

  await execute("Comfy.ShowSettingsDialog");
  const dialog = page.locator('[data-testid="settings-dialog"]');
  await dialog.getByText("Seedance", { exact: true }).first().click();
  await page.locator(".seedance-key").first().waitFor();
  const groups = page.locator(".seedance-keys, .seedance-note, .seedance-group");
  await page.getByRole("button", { name: "自己的存储桶: 测试" }).click();
  const tested = page.locator(".seedance-group .seedance-said.bad");
  await tested.waitFor();
  found.bucket = await tested.innerText();
  found.settings = await groups.allInnerTexts();
  await look(page, "settings");
  return found;
});
