// The forecast as a whole: the numbers at the top, how far the forecasts have come, what is stored, what it costs.

import { ask } from "./data.js";
import { h } from "./dom.js";
import { cards, problems, sections } from "./told.js";

/** The view; its words are of now, whatever moment the others show. */
export async function overviewView({ path }) {
  const told = await ask(`${path}/overview`);
  const after = told.partition && h("p", { class: "muted" }, `After the round of ${told.partition}.`);
  return h("div", { class: "told" }, after, problems(told.problems), cards(told.cards), sections(told.sections));
}
