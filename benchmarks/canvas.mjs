/** How long ComfyUI's page takes with many nodes of one kind: to put them there, and to draw them. */
import { visit } from "../tests/page/browser/session.mjs";

const TURNS = 60;
const [type, count, scale, without] = process.argv.slice(3);

await visit(async ({ page }) => {
  let checks = 0;
  page.on("request", (/** @type {any} */ request) => {
    if (request.url().endsWith("/seedance/check")) checks++;
  });
  await page.evaluate(
    (/** @type {{ type: string, count: number, scale: number, without?: string }} */ given) => {
      const { type, count, scale, without } = given;
      for (let number = 0; number < count; number++) {
        const node = window.LiteGraph.createNode(type);
        node.pos = [(number % 20) * 460, Math.floor(number / 20) * 900];
        window.app.graph.add(node);
        const removed = node.widgets.findIndex(({ name }) => name === without);
        if (removed >= 0) {
          node.widgets[removed].onRemove?.();
          node.widgets.splice(removed, 1);
        }
        const prompt = node.widgets.find(({ name }) => name === "prompt");
        if (prompt) prompt.value = `a hill ${number}`;
      }
      Object.assign(window.app.canvas.ds, { scale, offset: [0, 0] });
      window.app.canvas.setDirty(true, true);
    },
    { type, count: Number(count), scale: Number(scale), without },
  );
  await page.waitForTimeout(8000); // until the page is at rest
  const drawn = await page.evaluate((/** @type {number} */ turns) => {
    const times = [];
    for (let turn = 0; turn < turns; turn++) {
      window.app.canvas.ds.offset[0] += 1;
      const began = performance.now();
      window.app.canvas.draw(true, true);
      times.push(performance.now() - began);
    }
    return times;
  }, TURNS);
  // Panning as a person does it: frames of the page, with all that hangs on them.
  const frames = await page.evaluate(
    (/** @type {number} */ turns) =>
      new Promise((done) => {
        /** @type {number[]} */
        const times = [];
        let before = performance.now();
        const step = (/** @type {number} */ now) => {
          times.push(now - before);
          before = now;
          window.app.canvas.ds.offset[0] += 1;
          window.app.canvas.setDirty(true, true);
          if (times.length > turns) done(times.slice(1));
          else requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      }),
    TURNS,
  );
  return { drawn, frames, checks };
});
