// Every view below the other, to be printed or kept as PDF.

import { h } from "./dom.js";

/** Show each of some views with its title; one that cannot be shown says why. */
export async function allViews(views, context) {
  const shown = views.map(async (view) => {
    const content = await view.show(context).catch((problem) => h("p", { role: "note" }, problem.message));
    return h("section", { class: "each" }, h("h2", {}, view.title), content);
  });
  return h("div", { class: "all" }, await Promise.all(shown));
}
