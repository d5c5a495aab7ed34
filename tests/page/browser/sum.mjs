/**
 * What a graph would cost: nodes in sight, collapsed, muted, in a subgraph; above the limit. What is
 * collapsed, and a subgraph, has its price on it.
 */
import { look } from "./looks.mjs";
import { visit } from "./session.mjs";

await visit(async ({ page }) => {
  /** @type {any[]} */
  const asked = [];
  const answer = { usd: 9.1, orders: 6, unknown: 0, max_usd: 50 };
  const ofOne = { usd: 3.05, orders: 2, unknown: 0, max_usd: 50 };
  await page.route("**/seedance/check", async (route) => {
    const body = route.request().postDataJSON();
    if (!body.prompt) return route.continue();
    const one = Object.keys(body.prompt).length === 1;
    if (!one) asked.push(body.prompt);
    return route.fulfill({ json: one ? ofOne : answer });
  });
  const sum = page.locator(".seedance-sum");
  const add = () =>
    page.evaluate(() => {
      const { fillText } = CanvasRenderingContext2D.prototype;
      window.drawn = new Set();
      CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        if (/USD/.test(text)) window.drawn.add(text);
        return fillText.call(this, text, ...rest);
      };
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
      // What the subgraph's own input gives counts, not what the node inside would say.
      const { subgraph, node: outer } = window.app.graph.convertToSubgraph(new Set([made[2]]));
      const [inner] = subgraph.nodes;
      const input = inner.inputs.find(({ name }) => name === "takes");
      subgraph.addInput("takes", input.type).connect(input, inner);
      outer.widgets.find(({ name }) => name === "takes").value = 3;
    });
  const labels = async () => {
    await page.evaluate(() => window.app.canvas.setDirty(true, true));
    await page.waitForTimeout(300); // until it is drawn
    const painted = await page.evaluate(() => [...window.drawn]);
    const styled = await page
      .locator("[data-seedance]")
      .evaluateAll((all) => all.map((node) => getComputedStyle(node, "::after").content));
    return [...painted, ...styled.map((content) => content.replaceAll('"', ""))];
  };
  await add();
  await sum.waitFor();
  await page.waitForTimeout(1500);
  const found = { sum: await sum.innerText() };
  found.asked = Object.values(asked.at(-1)).map(({ class_type: type, inputs }) => [
    type,
    inputs.provider,
    inputs.takes,
  ]);
  found.labels = await labels();
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
