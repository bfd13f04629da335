// What stands around every view: the head of the page, the forecast in words, the tabs, the list of items.

import { addressOf, go, here } from "./address.js";
import { withLibrary } from "./charts.js";
import { isOneFile } from "./data.js";
import { fill, h } from "./dom.js";
import { when } from "./format.js";
import { helpButton } from "./keys.js";
import { outside } from "./links.js";
import { themeButton } from "./theme.js";
import { VIEWS } from "./views.js";

const STATES = { ok: "in order", attention: "to look at", broken: "broken", empty: "nothing stored yet" };
/** Parameters that another view keeps. */
const CARRIED = ["item", "as_of", "version"];

/** The head of the page; chooser and tools belong to a forecast. */
export function header({ chooser, tools }) {
  return h(
    "header",
    { class: "top" },
    h("a", { class: "brand", href: "#/", title: "All forecasts" }, sign(), h("span", {}, "Forecasts")),
    chooser,
    h("span", { class: "space" }),
    tools,
    helpButton(),
    themeButton(),
  );
}

/** A way to another forecast, as soon as their list is there; of one there is none. */
function chooserOf(listed, name) {
  const place = h("span");
  const choose = (event) => go({ forecast: event.target.value, view: "", params: {} });
  const show = (forecasts) => {
    if (forecasts.length < 2) return;
    const options = forecasts.map((each) => option(each.name, name));
    fill(place, h("select", { "aria-label": "Forecast", onchange: choose }, options));
  };
  listed.then(show).catch(() => {}); // the forecast itself can be looked at without
  return place;
}

/** The frame of a forecast's views: its parts, where a view goes, and mark(view, params) which says what is shown. */
export function frame({ name, state, listed, items, asOf }) {
  const content = h("div", { class: "view", id: "view" }, h("p", { class: "muted nothing" }, "Looking …"));
  const past = h("div");
  const tabs = h("nav", { class: "tabs", "aria-label": "Views" });
  const side = h("aside", { class: "side", id: "items", "aria-label": "Items" }, items.element);
  const toggle = h(
    "button",
    { type: "button", class: "quiet burger", "aria-controls": "items", "aria-expanded": "false" },
    "Items",
  );
  const open = (wanted) => {
    side.classList.toggle("open", wanted);
    toggle.setAttribute("aria-expanded", String(wanted));
  };
  toggle.addEventListener("click", () => open(!side.classList.contains("open")));
  const main = h("main", { id: "main" }, about(state), tabs, past, content, foot(state));
  const mark = (view, params) => {
    open(false);
    items.mark(params.item);
    const carried = Object.fromEntries(CARRIED.map((key) => [key, params[key]]));
    fill(
      tabs,
      VIEWS.filter((each) => !each.shown || each.shown(state)).map((each) => {
        const href = addressOf({ forecast: name, view: each.id, params: carried });
        return h("a", { href, "aria-current": each === view ? "page" : null }, each.title);
      }),
    );
    fill(past, asOf && moment(view, asOf));
    tabs.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  const parts = [
    header({ chooser: chooserOf(listed, name), tools: [toggle, asOfControl(asOf)] }),
    h("div", { class: "body" }, side, main),
  ];
  return { parts, content, mark, items };
}

/** The state of a forecast as a word in its colour. */
export function stateBadge(state, problems = 0) {
  return h("span", { class: `badge state-${state}` }, `${STATES[state] ?? state}${problems ? `: ${problems}` : ""}`);
}

function about(state) {
  const { champion, problems = [], links = {} } = state;
  const badge = stateBadge(state.state ?? (problems.length ? "attention" : "ok"), problems.length);
  return h(
    "section",
    { class: "about" },
    h(
      "div",
      { class: "title" },
      h("h1", {}, state.name),
      problems.length > 0 ? h("details", { class: "problems" }, h("summary", {}, badge), list(problems)) : badge,
      h("span", { class: "space" }),
      champion && championChip(champion),
      outside(links.dagster, "Dagster"),
      outside(links.mlflow, "MLflow"),
    ),
    state.description && h("p", { class: "muted" }, state.description),
    state.words && h("p", { class: "words" }, state.words),
  );
}

function championChip({ version, kind, since, trained_until: until, link }) {
  const words = [version ? `Version ${version}` : "No version", kind && String(kind).replaceAll("_", " ")]
    .filter(Boolean)
    .join(", ");
  const title = [since && `champion since ${when(since)}`, until && `has learnt until ${when(until)}`]
    .filter(Boolean)
    .join(", ");
  return outside(link, words, title) ?? h("span", { class: "chip", title }, words);
}

function list(problems) {
  return h(
    "ul",
    {},
    problems.map((problem) => h("li", {}, typeof problem === "string" ? problem : (problem.text ?? problem.title))),
  );
}

/** A line that says of when the view is. */
function moment({ asOf: can }, asOf) {
  const words = `it was known on ${when(asOf)} UTC. `;
  const said = can ? `As ${words}` : `What is known now; forecast and accuracy are shown as ${words}`;
  return h("p", { class: "known" }, said, h("a", { href: now() }, "Back to now"));
}

/** Look at forecasts and scores as they were known at a moment. */
function asOfControl(asOf) {
  if (isOneFile) return null;
  const field = h("input", { type: "datetime-local", id: "as-of", step: 1, value: asOf ?? "" });
  const enter = (event) => {
    event.preventDefault();
    go({ params: { as_of: field.value || null } });
  };
  const words = "Show forecasts, actuals and scores as they were known at this moment (UTC).";
  return h(
    "details",
    { class: "as-of" },
    h(
      "summary",
      { class: asOf ? "on" : null },
      asOf ? when(asOf, { weekday: false }) : [h("span", { class: "roomy" }, "As known "), "now"],
    ),
    h("form", { onsubmit: enter }, h("label", { for: "as-of" }, words), field, h("button", { type: "submit" }, "Show")),
  );
}

function now() {
  const { forecast, view, params } = here();
  return addressOf({ forecast, view, params: { ...params, as_of: null } });
}

function foot({ at }) {
  return h(
    "footer",
    { class: "muted" },
    at && `As of ${when(at)} UTC. `,
    isOneFile && "This file holds its data and asks nobody. ",
    !withLibrary() && "Charts are plain SVG here: the charting library was not fetched (make vendor).",
  );
}

function option(value, chosen) {
  const made = h("option", { value }, value);
  made.selected = value === chosen;
  return made;
}

function sign() {
  return h("span", { class: "sign-mark", "aria-hidden": "true" });
}
