/** Settings > Seedance > Budget. */
import { renderGroup } from "./form.mjs";

const dollars = { type: "number", min: "0", step: "0.01", inputmode: "decimal" };

/** @param {HTMLElement} place */
export const render = (place) =>
  renderGroup(place, "budget", [
    { name: "day", variable: "SEEDANCE_BUDGET_DAY", attributes: dollars },
    { name: "month", variable: "SEEDANCE_BUDGET_MONTH", attributes: dollars },
    { name: "unknown_price", variable: "SEEDANCE_UNKNOWN_PRICE", attributes: dollars },
  ]);
