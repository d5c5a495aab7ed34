/** Right-click > Compare providers, and the use of one of them. */
import { place, read, visit } from "./session.mjs";

await visit(async ({ page }) => {
  await place(page, "SeedanceT2V", { prompt: "a hill", provider: "preview", resolution: "1080p" });
  const [x, y] = await page.evaluate(() => {
    const node = window.app.graph.nodes.find((node) => node.type.startsWith("Seedance"));
    const { ds, canvas } = window.app.canvas;
    const [left, top] = ds.convertOffsetToCanvas([node.pos[0] + 150, node.pos[1] - 12]);
    const box = canvas.getBoundingClientRect();
    return [left + box.left, top + box.top];
  });
  await page.mouse.click(x, y, { button: "right" });
  await page.getByText("Compare providers", { exact: true }).first().click();
  await page.locator(".seedance-table").waitFor();
  const rows = await page
    .locator(".seedance-table tbody tr")
    .evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
  await page.getByRole("button", { name: "Use: BytePlus ModelArk" }).click();
  await page.locator(".seedance-dialog").waitFor({ state: "detached" });
  await page.getByText("BytePlus ModelArk").first().waitFor();
  return { rows, now: await read(page) };
});
