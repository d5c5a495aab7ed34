/** What a graph would cost: nodes in sight, collapsed, muted, in a subgraph; above the limit. */
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  /** @type {any[]} */
  const asked = [];
  const answer = { usd: 9.1, orders: 6, unknown: 0, max_usd: 50 };
  await page.route("**/seedance/check", async (route) => {
    const body = route.request().postDataJSON();
    if (!body.prompt) return route.continue();
    asked.push(body.prompt);
    return route.fulfill({ json: answer });
  });
  const sum = page.locator(".seedance-sum");
  const add = () =>
    page.evaluate(() => {
      const made = ["lumenfall", "lumenfall", "fal", "fal"].map((provider, number) => {
        const node = window.LiteGraph.createNode("SeedanceT2V");
        node.pos = [100 + number * 420, 100];
        window.app.graph.add(node);
        const widget = (name) => node.widgets.find((item) => item.name === name);
        widget("prompt").value = "a hill";
        widget("provider").value = provider;
        widget("takes").value = 2;
        return node;
      });
      made[0].collapse?.();
      made[1].mode = 2; // muted
      window.app.graph.convertToSubgraph(new Set([made[2]]));
    });
  await add();
  await sum.waitFor();
  await page.waitForTimeout(1500);
  const found = { sum: await sum.innerText() };
  found.asked = Object.values(asked.at(-1)).map(({ class_type: type, inputs }) => [
    type,
    inputs.provider,
    inputs.takes,
  ]);
  await look(page, "sum");
  Object.assign(answer, { usd: 63, unknown: 2 });
  await page.evaluate(() => {
    const node = window.app.graph.nodes.find(({ type }) => type === "SeedanceT2V");
    const takes = node.widgets.find(({ name }) => name === "takes");
    takes.value = 8;
    takes.callback(8);
  });
  await sum.getByText("Above the limit").waitFor();
  found.over = await sum.innerText();
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await sum.waitFor({ state: "detached" });
  return found;
});
