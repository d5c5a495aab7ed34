/**
 * Settings > Seedance > Gateway: a service of one's own that speaks a known dialect. Its key is set
 * among those of the providers.
 */
import * as server from "../server.mjs";
import { t } from "../words.mjs";
import { renderGroup } from "./form.mjs";

const ID = "gateway";

/** @param {string} what */
const variable = (what) => `SEEDANCE_GATEWAY_${what}`;

/** @param {HTMLElement} place */
export async function render(place) {
  const providers = await server.providers();
  const choices = providers.find(({ id }) => id === ID)?.choices ?? {};
  const models = Object.keys(providers.find(({ id }) => id === "preview")?.models ?? {});
  const address = { type: "url", placeholder: "https://gateway.example" };
  await renderGroup(
    place,
    "gateway",
    [
      { name: "base_url", variable: variable("BASE_URL"), attributes: address },
      { name: "dialect", variable: variable("DIALECT"), attributes: { options: choices.dialect } },
      ...models.map((name) => ({
        name,
        label: name,
        variable: variable("MODELS"),
        attributes: { type: "text" },
      })),
    ],
    { read, write: (values, settings) => write(values, settings, models), test },
  );
}

/** @param {server.Settings} settings */
const own = (settings) => settings.providers[ID] ?? {};

/** @param {server.Settings} settings */
const read = (settings) => ({
  base_url: settings.base_urls[ID],
  dialect: own(settings).dialect,
  ...own(settings).models,
});

/**
 * Ids are stored all together, so that those which stay are sent again.
 * @param {Record<string, string | null>} values
 * @param {server.Settings} settings
 * @param {string[]} models
 */
function write({ base_url: address, dialect, ...ids }, settings, models) {
  const named = { ...own(settings).models, ...ids };
  const kept = models.filter((name) => named[name]).map((name) => [name, named[name]]);
  return {
    ...(address !== undefined && { base_urls: { [ID]: address } }),
    providers: {
      [ID]: {
        ...(dialect !== undefined && { dialect }),
        ...(Object.keys(ids).length > 0 && { models: Object.fromEntries(kept) }),
      },
    },
  };
}

async function test() {
  const { account } = await server.testKey(ID);
  return t("keys.works", { account });
}
