/** What a node says of its run, for messages of the server as this script makes them. */
import { tell as say } from "./looks.mjs";
import { place, visit } from "./session.mjs";

const HTML = '<img src=x onerror="window.ran = 1"><b>bold</b>';
const progress = (code, values, seconds_left) => ({
  code,
  values,
  text: "in English",
  fraction: null,
  seconds_left,
});
const made = { provider: "fal", width: 1280, height: 720, duration: 5.0417, reused: false };
const end = { results: [], changes: [], notes: [], left: false };

await visit(async ({ page }) => {
  const tell = (/** @type {object} */ news) => say(page, news);
  const run = page.locator(".seedance-run");
  const said = async () => (await run.innerText()).split("\n").filter(Boolean);
  const execute = (/** @type {string} */ command) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), command);
  const found = {};

  await place(page, "SeedanceT2V", { prompt: "a hill", provider: "preview" });
  await tell({ takes: [progress("rendering_part", { percent: 40 }, 12.4)] });
  found.one = await said();
  await tell({ takes: [progress("queued_behind", { ahead: 2 }, 0), progress("unheard of", {})] });
  found.two = await said();
  await tell({ item: 1, takes: [progress("saving", {})] });
  found.items = await said();
  await tell({ workflow: "another", takes: [progress("starting", {})] });
  await tell({ node: "99", takes: [progress("starting", {})] });
  found.others = await said();

  await tell({
    ...end,
    prompt_id: "p2",
    results: [
      { ...made, seed: 1, cost: { amount: 1.5, currency: "USD", estimated: true } },
      { ...made, seed: 2, cost: null },
      { ...made, seed: 3, cost: null, reused: true },
      { seed: 4, error: { kind: "TaskFailed", message: HTML, hint: "Change the prompt." } },
    ],
    changes: [{ field: "duration", asked: 30, given: HTML, why: HTML }],
    notes: [HTML, "noted once", "noted once"],
  });
  found.ended = await said();
  found.markup = await run.locator("img, b").count();
  found.ran = await page.evaluate(() => window.ran ?? 0);
  found.fits = await page.evaluate(() => {
    const [line] = document.querySelectorAll(".seedance-line");
    return line.scrollHeight - line.clientHeight;
  });

  // Another workflow, and back. The page keeps what a person has done, which this script is not.
  await page.evaluate(() => {
    const { changeTracker } = window.app.extensionManager.workflow.activeWorkflow;
    (changeTracker.captureCanvasState ?? changeTracker.checkState).call(changeTracker);
  });
  await execute("Comfy.NewBlankWorkflow");
  await run.waitFor({ state: "detached" });
  await execute("Workspace.PreviousOpenedWorkflow");
  await run.getByText("noted once").waitFor();
  found.back = await said();

  await tell({ ...end, prompt_id: "p3", left: true });
  found.left = await said();

  await place(page, "SeedanceTask", { task: "fal:1" }, ".seedance-run");
  await tell({ takes: [progress("downloading_part", { megabytes: 3, total: 8 })] });
  found.task = await said();
  return found;
});
