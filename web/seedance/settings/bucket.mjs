/** Settings > Seedance > Own bucket: for providers that take media only by a public address. */
import { testBucket } from "../server.mjs";
import { t } from "../words.mjs";
import { renderGroup } from "./form.mjs";

/** @param {string} name @param {Record<string, any>} attributes */
const value = (name, attributes) => ({
  name,
  variable: `SEEDANCE_S3_${name.toUpperCase()}`,
  attributes,
});

/** @param {HTMLElement} place */
export const render = (place) =>
  renderGroup(
    place,
    "bucket",
    [
    value("bucket", { type: "text" }),
    value("endpoint", { type: "url", placeholder: "https://s3.example" }),
    value("region", { type: "text", placeholder: "auto" }),
    value("prefix", { type: "text", placeholder: "seedance/" }),
    value("access_key_id", { type: "password" }),
    value("secret_access_key", { type: "password" }),
    ],
    { test: async () => t("bucket.works", await testBucket()) },
  );
