/** A saved video and its last frame, dropped on the page, load the graph that they came from. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pages from "./page.cjs";
import { look } from "./looks.mjs";
import { place, visit } from "./session.mjs";

const [, , , folder, ...options] = process.argv;
const seed = Number(options.at(-1));
const TYPES = { ".mp4": "video/mp4", ".png": "image/png", ".json": "application/json" };

await visit(async ({ page }) => {
  const order = { provider: "preview", resolution: "480p", duration: 4, seed };
  await place(page, "SeedanceT2V", { ...order, prompt: `dropped ${seed}` });
  const ran = await pages.run(page);
  const sidecars = readdirSync(folder).filter((name) => name.endsWith(".seedance.json"));
  const sidecar = sidecars.find((name) =>
    readFileSync(join(folder, name), "utf8").includes(`dropped ${seed}`),
  );
  const stem = sidecar.replace(".seedance.json", "");
  const found = { ran: ran.event, prompts: {}, others: {} };
  for (const name of [`${stem}.mp4`, `${stem}.last.png`, sidecar]) {
    await page.evaluate(() =>
      window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"),
    );
    // The last frame, which nothing uses, is made when the server has nothing else to compute.
    while (!existsSync(join(folder, name))) await page.waitForTimeout(200);
    const ending = name.slice(name.lastIndexOf("."));
    const data = readFileSync(join(folder, name)).toString("base64");
    await page.evaluate(
      ({ data, name, type }) => {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        const dropped = new DataTransfer();
        dropped.items.add(new File([bytes], name, { type }));
        const event = new DragEvent("drop", {
          ...{ dataTransfer: dropped, bubbles: true, cancelable: true },
        });
        document.querySelector("canvas").dispatchEvent(event);
      },
      { data, name, type: TYPES[ending] },
    );
    await page.waitForFunction(() =>
      window.app.graph.nodes.some(({ type }) => type === "SeedanceT2V"),
    );
    await page.waitForTimeout(300);
    found.prompts[ending] = await page.evaluate(() => {
      const node = window.app.graph.nodes.find(({ type }) => type === "SeedanceT2V");
      return node.widgets.find(({ name }) => name === "prompt").value;
    });
    found.others[ending] = await page.evaluate(() => window.app.graph.nodes.length - 1);
    await look(page, `drop${ending}`);
  }
  found.errors = await page
    .locator(".p-toast-message-error, [data-sonner-toast][data-type=error], .p-dialog")
    .allInnerTexts();
  return found;
});
