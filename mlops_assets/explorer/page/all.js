// Every view below the other, to be printed or kept as PDF.

import { ask, rowsOf } from "./data.js";
import { h } from "./dom.js";

const LARGEST = 4; // items whose forecasts are shown where none is chosen

/** Show each of some views with its title; one that cannot be shown says why. */
export async function allViews(views, context) {
  const parts = views.map(async (view) => {
    const contexts = view.id === "item" && !context.params.item ? await ofTheLargest(context) : [context];
    const shown = await Promise.all(contexts.map((each) => contentOf(view, each)));
    return h("section", { class: "each" }, h("h2", {}, view.title), h("div", { class: "view" }, shown));
  });
  return h("div", { class: "all" }, await Promise.all(parts));
}

async function contentOf(view, context) {
  try {
    return await view.show(context);
  } catch (problem) {
    return h("p", { role: "note" }, problem.message);
  }
}

async function ofTheLargest(context) {
  const { path, known, params, items } = context;
  const largest = rowsOf(await ask(`${path}/items`, { sort: "volume", limit: LARGEST, ...known })).slice(0, LARGEST);
  const quiet = { ...items, mark: () => {} };
  return largest.map(({ item_id: item }) => ({ ...context, params: { ...params, item }, items: quiet }));
}
