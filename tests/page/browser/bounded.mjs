/**
 * What the page does for a workflow of a stranger, without a browser: run with the address of the
 * folder `web/` as ComfyUI serves it. Prints a JSON object.
 */
const [web] = process.argv.slice(2);
const { app } = await import(`${web}/../../scripts/app.js`);
const page = await import(`${web}/page.mjs`);
const names = await import(`${web}/seedance/node/names.mjs`);

const nodeWith = (/** @type {Record<string, unknown>} */ values) => ({
  comfyClass: "SeedanceReference",
  inputs: [],
  isInputConnected: () => false,
  widgets: Object.entries(values).map(([name, value]) => ({ name, value })),
});
const graphOf = (/** @type {any[]} */ nodes) => ({
  nodes,
  getNodeById: (/** @type {any} */ id) => nodes.find((node) => node.id === id),
  getLink: (/** @type {any} */ id) => ({ target_id: 1, target_slot: id }),
});

app.rootGraph = graphOf([]);
const prompt = "@Image1 @image7 @video3 ".repeat(5_000);
const crowded = nodeWith({ prompt, urls: "image:\n".repeat(18_000) });
const remarks = names.remarksOnPrompt(/** @type {any} */ (crowded)).length;
const offered = names.offered(/** @type {any} */ (crowded)).length;

// A subgraph that holds the next one twice, and so on: 2^40 nodes in a few kilobytes.
const inputs = Array.from({ length: 40 }, (_, slot) => ({ name: `given_${slot}`, linkIds: [slot] }));
const leaf = { id: 1, ...nodeWith({ prompt: "a fox" }), inputs: inputs.map(({ name }) => ({ name })) };
let nodes = [leaf];
for (let depth = 0; depth < 40; depth++) {
  const subgraph = { ...graphOf(nodes), inputs };
  nodes = [1, 2].map((id) => ({ id, subgraph, mode: 0, widgets: [], isInputConnected: () => false }));
}
app.rootGraph = graphOf(nodes);
const inside = { ...nodeWith({ prompt: "a fox" }), graph: {} };
const given = page.givenTo(/** @type {any} */ (inside)).size;

// A few nodes with what two subgraphs, one in the other, give them.
const outer = { id: 1, mode: 0, subgraph: { ...graphOf([leaf]), inputs }, isInputConnected: () => false };
app.rootGraph = graphOf([{ ...outer, widgets: [{ name: "given_3", value: 5 }] }, { ...leaf, id: 2 }]);
const few = page.nodesToRun().map(({ given }) => given.get("given_3") ?? null);

app.rootGraph = graphOf(nodes);
console.log(JSON.stringify({ remarks, offered, placed: page.nodesToRun().length, given, few }));
