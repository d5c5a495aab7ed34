/** Everything of ours in each of its states, for the tests that look at it; pictures of it for a person. */

const STATES = [
  ["preparing", true],
  ["submitting", true],
  ["running", true],
  ["succeeded", true],
  ["saved", false],
  ["refused", false],
  ["failed", false],
  ["cancelled", false],
  ["expired", false],
  ["unclear", false],
];
const usd = (amount) => ({ amount, currency: "USD", estimated: amount > 1 });

/** Let the tab show a row of each state. @param {any} page */
export async function ask(page) {
  const now = new Date().toISOString().replace(/\.\d+Z/, "Z");
  const rows = STATES.map(([state, live], index) => ({
    row: STATES.length - index,
    task: `fal:${index}`,
    provider: "fal",
    model: "seedance-2.0",
    state,
    created: now,
    updated: now,
    prompt: "A lighthouse above the sea, waves, gulls, evening light.",
    seed: index,
    file: null,
    cost: state === "saved" ? usd(1.51) : null,
    error: ["refused", "failed", "unclear"].includes(String(state))
      ? { kind: "TaskFailed", message: "The provider says: no.", hint: "", spent: "no" }
      : null,
    live,
    progress:
      state === "running"
        ? {
            code: "rendering_part",
            values: { percent: 40 },
            text: "rendering 40 %",
            fraction: 0.4,
            seconds_left: 12,
          }
        : null,
    mode: "text",
    resolution: "720p",
    duration: 5,
    expires: null,
    picture: false,
    there: false,
    can_cancel: live,
  }));
  await page.route("**/seedance/tasks?**", (route) => route.fulfill({ json: rows }));
  await page.route("**/seedance/totals?**", (route) =>
    route.fulfill({
      json: ["fal", "byteplus", "preview"].map((provider, index) => ({
        day: now.slice(0, 10),
        provider,
        currency: "USD",
        amount: index + 0.5,
        videos: 2,
        estimated: true,
      })),
    }),
  );
}

/** All that a run can say. */
export const EVERYTHING = {
  takes: [
    { code: "queued_behind", values: { ahead: 2 }, text: "", fraction: null, seconds_left: 9 },
  ],
  results: [
    {
      ...{ provider: "fal", width: 1280, height: 720, duration: 5.04, seed: 1 },
      ...{ cost: usd(1.5), reused: false },
    },
    { seed: 2, error: { kind: "TaskFailed", message: "The provider says: no.", hint: "" } },
    { seed: 3, error: { kind: "Cancelled", message: "Nothing is billed.", hint: "" } },
  ],
  changes: [{ field: "duration", asked: 30, given: 15, why: "no more than 15" }],
  notes: ["The picture was cropped."],
  left: true,
};

/** Say something as a run of our node. @param {any} page @param {object} news */
export const tell = (page, news) =>
  page.evaluate((news) => {
    const root = window.app.rootGraph ?? window.app.graph;
    const node = root.nodes.find(({ type }) => type.startsWith("Seedance"));
    const detail = {
      ...{ node: String(node.id), item: 0, prompt_id: "p", workflow: root.id },
      ...news,
    };
    window.app.api.dispatchEvent(new CustomEvent("seedance.node", { detail }));
  }, news);

/** A picture for a person, where LOOKS names a folder for them. @param {any} page @param {string} name */
export async function look(page, name) {
  const folder = process.env.LOOKS;
  if (folder) await page.screenshot({ path: `${folder}-${name}.png` });
}
