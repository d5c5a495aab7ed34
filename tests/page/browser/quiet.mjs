/** What the page requests of us before, and after, somebody looks at something of ours. */
import { place, visit } from "./session.mjs";

await visit(async ({ page, asked }) => {
  await page.waitForTimeout(1500);
  const before = [...asked];
  await place(page, "SeedanceT2V", { prompt: "a hill" });
  return { before, after: [...asked] };
});
