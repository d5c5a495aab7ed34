/** A visit to ComfyUI's page for a test: opens it, lets the test work, prints what it found as JSON. */
import pages from "./page.cjs";

/**
 * @param {(visit: Visit) => Promise<unknown>} work
 * @typedef {object} Visit
 * @property {any} page - playwright's
 * @property {string} url
 * @property {string[]} asked - our routes and modules that the page has requested
 */
export async function visit(work) {
  const [url, ...options] = process.argv.slice(2);
  const { browser, page } = await pages.open(url, { width: 1440, height: 900 });
  /** @type {string[]} */
  const asked = [];
  page.on("request", (/** @type {any} */ request) => {
    const path = new URL(request.url()).pathname;
    if (/\/seedance\/|\.mjs$/.test(path)) asked.push(`${request.method()} ${path}`);
  });
  try {
    for (const [name, value] of [
      ["Comfy.VueNodes.Enabled", options.includes("vue")],
      ["Comfy.Locale", options.includes("zh") ? "zh" : "en"],
      ["Comfy.ColorPalette", options.includes("light") ? "light" : "dark"],
    ]) {
      const data = JSON.stringify(value); // playwright would send a text as it is
      await page.request.post(`${url}/settings/${name}`, { data });
    }
    await reload(page);
    console.log(JSON.stringify(await work({ page, url, asked })));
  } finally {
    await browser.close();
  }
}

/** @param {any} page */
export async function reload(page) {
  const words = page.waitForResponse((answer) => answer.url().endsWith("/i18n"));
  await page.reload();
  await page.waitForFunction(
    () => window.app?.vueAppReady && window.LiteGraph?.registered_node_types?.SeedanceT2V,
  );
  await words;
  await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.NewBlankWorkflow"));
  await page.waitForTimeout(1000); // the page translates itself some time after it is there
}

/**
 * Put one of our nodes on the page, its task shown by another, so that it can be run.
 * @param {any} page
 * @param {string} type
 * @param {Record<string, unknown>} widgets
 * @param {string} [sign] - what is there when the node is
 */
export async function place(page, type, widgets, sign = ".seedance-estimate > *") {
  await pages.build(page, {
    nodes: [
      { name: "ours", type, pos: [200, 120], widgets },
      { name: "any", type: "PreviewAny", pos: [800, 120] },
    ],
    links: [["ours", "task", "any", "source"]],
  });
  await page.evaluate(() => {
    window.app.canvas.ds.scale = 0.7;
    window.app.canvas.ds.offset = [100, 60];
  });
  await page.locator(sign).first().waitFor({ state: "attached" });
}

/** What a person reads on our node: its line, its lists, its labels. @param {any} page */
export const read = (page) =>
  page.evaluate(() => {
    const { widgets } = window.app.graph.nodes.find((node) => node.type.startsWith("Seedance"));
    return {
      line: document.querySelector(".seedance-estimate")?.innerText,
      lists: Object.fromEntries(
        ["model", "resolution", "ratio"].map((name) => [
          name,
          widgets.find((widget) => widget.name === name).options.values,
        ]),
      ),
      // Nodes 2.0 draws a red ring around a value that is not in its list: by the class of its
      // library in older pages, beside what it tells screen readers in newer ones.
      red: [...document.querySelectorAll('.p-invalid, [role="combobox"][aria-invalid="true"]')]
        .filter((list) => !list.closest(".p-invalid") || list.matches(".p-invalid"))
        .map((list) => list.innerText.trim()),
      // The names beside the lists, as they are seen.
      marked: [...document.querySelectorAll(".lg-node *")]
        .filter(({ childElementCount, innerText }) => !childElementCount && /⚠/.test(innerText ?? ""))
        .map(({ innerText }) => innerText.trim()),
      values: Object.fromEntries(widgets.map(({ name, value }) => [name, value])),
      labels: Object.fromEntries(widgets.map(({ name, label }) => [name, label ?? name])),
    };
  });

/** Choose a value as the page does when somebody picks it. @param {any} page */
export async function choose(page, name, value) {
  const checked = page.waitForResponse(
    (answer) =>
      answer.url().endsWith("/seedance/check") &&
      answer.request().postDataJSON().inputs?.[name] === value,
  );
  await page.evaluate(
    ([name, value]) => {
      const node = window.app.graph.nodes.find((node) => node.type.startsWith("Seedance"));
      const widget = node.widgets.find((widget) => widget.name === name);
      widget.value = value;
      widget.callback(value);
    },
    [name, value],
  );
  await checked;
  await page.waitForTimeout(300); // until it is drawn
}
