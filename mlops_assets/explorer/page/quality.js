// The data of a forecast: what is missing, in quarantine, hardly expected, or has drifted.

import { ask } from "./data.js";
import { h } from "./dom.js";
import { sections } from "./told.js";

/** The view; its words are of now, whatever moment the others show. */
export async function qualityView({ path }) {
  const told = await ask(`${path}/quality`);
  return h("div", { class: "told" }, sections(told.sections));
}
