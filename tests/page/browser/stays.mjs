/** What a node says of its run, when the run is over, the page loaded anew, the node not run again, the
 * run cancelled, or there is no key. */
import { place, visit } from "./session.mjs";

const seed = Number(process.argv.at(-1)); // another one for each visit: the same would not run again
const order = { provider: "preview", resolution: "480p", duration: 4, seed };

await visit(async ({ page }) => {
  const run = page.locator(".seedance-run");
  const queue = () => page.evaluate(() => window.app.queuePrompt(0));
  const execute = (/** @type {string} */ command) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), command);
  const said = async (/** @type {RegExp} */ words) => {
    await run.getByText(words).first().waitFor({ timeout: 120_000 });
    return run.innerText();
  };
  const ended = () =>
    page.evaluate(() => {
      const { api } = window.app;
      window.ended = new Promise((done) => {
        for (const event of ["execution_success", "execution_error", "execution_interrupted"])
          api.addEventListener(event, () => done(event), { once: true });
      });
    });
  const found = {};

  await place(page, "SeedanceT2V", { ...order, prompt: "a hill" });
  await ended();
  await queue();
  await page.evaluate(() => window.ended);
  found.over = await said(/864/);

  // The page keeps what a person has done, which this script is not.
  await page.evaluate(() => {
    const { changeTracker } = window.app.extensionManager.workflow.activeWorkflow;
    (changeTracker.captureCanvasState ?? changeTracker.checkState).call(changeTracker);
  });
  await page.waitForTimeout(1500); // it writes that down a while later
  await page.reload();
  found.reloaded = await said(/864/);

  // ComfyUI has the outputs, and gives them without running the node.
  await page.evaluate(() => {
    document.querySelector(".seedance-run").replaceChildren();
  });
  await ended();
  await queue();
  await page.evaluate(() => window.ended);
  found.again = await said(/864/);

  const slow = { ...order, resolution: "1080p", duration: 15, prompt: "the cancel" };
  await place(page, "SeedanceT2V", slow);
  await queue();
  await said(/\d %/);
  await execute("Comfy.Interrupt");
  found.cancelled = await said(/Cancelled at the provider/);

  await place(page, "SeedanceT2V", { ...order, provider: "auto", prompt: "no key" });
  await queue();
  found.keyless = await said(/no key/i);
  found.buttons = await page.locator(".seedance-line").getByRole("button", { name: "Settings" }).count();
  found.line = await page.locator(".seedance-estimate").innerText();
  return found;
});
