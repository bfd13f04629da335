// The page: finds out where one is, and shows the view of that address.

import { here } from "./address.js";
import { ask, rowsOf } from "./data.js";
import { fill, h } from "./dom.js";

const app = document.getElementById("app");

async function show() {
  const { forecast } = here();
  try {
    const forecasts = rowsOf(await ask("/v1/forecasts"));
    const state = forecast ? await ask(`/v1/forecasts/${forecast}/state`) : null;
    const links = forecasts.map(({ name }) => h("li", {}, h("a", { href: `#/${name}` }, name)));
    fill(app, h("main", {}, h("h1", {}, "Forecasts"), h("ul", {}, links), state && h("p", {}, state.words)));
  } catch (problem) {
    fill(app, h("p", { role: "alert" }, problem.message));
  }
}

window.addEventListener("hashchange", show);
show();
