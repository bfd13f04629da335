// The page: finds out where one is, and shows the view of that address.

import { addressOf, go, here } from "./address.js";
import { ask, forget, isOneFile, rowsOf } from "./data.js";
import { fill, h } from "./dom.js";
import { home } from "./home.js";
import { itemList } from "./items.js";
import { listenToKeys } from "./keys.js";
import { loginForm } from "./login.js";
import { frame, header } from "./shell.js";
import { VIEWS } from "./views.js";

const app = document.getElementById("app");
const AWAY = 300_000; // milliseconds
const ENTERED = ["whatif", "adjust"]; // views with things that people enter
const shown = { turn: 0, frame: null, key: "", left: 0 };

async function show() {
  const turn = ++shown.turn;
  const where = here();
  app.setAttribute("aria-busy", "true");
  try {
    const listed = ask("/v1/forecasts").then(rowsOf);
    if (where.forecast) await showForecast(where, listed, turn);
    else await showHome(await listed, turn);
  } catch (problem) {
    if (turn === shown.turn) showProblem(problem);
  } finally {
    if (turn === shown.turn) app.removeAttribute("aria-busy");
  }
}

async function showHome(forecasts, turn) {
  if (turn !== shown.turn) return null;
  if (forecasts.length === 1) {
    history.replaceState(null, "", addressOf({ forecast: forecasts[0].name }));
    return show();
  }
  shown.frame = null;
  document.title = "Forecasts";
  return fill(app, header({}), h("main", { id: "main", class: "home" }, home(forecasts)));
}

async function showForecast({ forecast: name, view, params }, listed, turn) {
  const key = JSON.stringify([name, params.as_of]);
  const isNew = !shown.frame || shown.key !== key;
  const items = isNew ? itemList({ name, asOf: params.as_of }) : shown.frame.items; // asks while the state is asked for
  const state = await ask(`/v1/forecasts/${encodeURIComponent(name)}/state`);
  if (turn !== shown.turn) return;
  if (isNew) {
    shown.frame = frame({ name, state, listed, items, asOf: params.as_of });
    shown.key = key;
    fill(app, ...shown.frame.parts);
  }
  const chosen = VIEWS.find(({ id }) => id === view) ?? VIEWS[0];
  document.title = `${params.item ?? chosen.title} · ${name}`;
  shown.frame.mark(chosen, params);
  const path = `/v1/forecasts/${encodeURIComponent(name)}`;
  const known = params.as_of ? { as_of: params.as_of } : {};
  const content = await chosen.show({ name, path, state, params, known, items }).catch(trouble);
  if (turn !== shown.turn) return;
  fill(shown.frame.content, content);
}

/** A view that cannot be shown leaves the others reachable. */
function trouble(problem) {
  if (problem.status === 401) throw problem;
  console.info(problem);
  return h("div", { class: "panel", role: "alert" }, h("p", {}, problem.message), again());
}

function showProblem(problem) {
  shown.frame = null;
  const needsToken = problem.status === 401 && !isOneFile;
  const what = needsToken
    ? loginForm("This server wants a token (MLOPS_API_TOKEN).", show)
    : [h("p", {}, problem.message), again()];
  fill(app, h("main", { id: "main", class: "home" }, h("div", { class: "panel", role: "alert" }, what)));
}

function again() {
  const retry = () => {
    forget();
    show();
  };
  return h("button", { type: "button", onclick: retry }, "Try again");
}

/** Who comes back to the page after a while sees what is stored by then; what was entered stays. */
function lookAgain() {
  if (document.hidden) shown.left = Date.now();
  else if (Date.now() - shown.left > AWAY && !ENTERED.includes(here().view)) show();
}

listenToKeys({
  item: (step) => shown.frame?.items.step(step),
  view: (number) =>
    shown.frame && VIEWS[number] && go({ view: VIEWS[number].id, params: { item: here().params.item } }),
});
addEventListener("hashchange", show);
document.addEventListener("visibilitychange", lookAgain);
show();
