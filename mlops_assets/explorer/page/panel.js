// A part of a view: a title, what can be done with it, and what it shows.

import { h } from "./dom.js";
import { when } from "./format.js";
import { outside } from "./links.js";

/** A panel; tools stand at the right of its title. */
export function panel({ title, note, tools }, ...children) {
  return h(
    "section",
    { class: "panel" },
    h("header", {}, h("h2", {}, title), h("span", { class: "tools" }, tools)),
    note && h("p", { class: "muted" }, note),
    children,
  );
}

/** A row of figures: [[what, value, note], ...]. */
export function figures(entries) {
  const made = entries.filter(Boolean).map(([name, value, note]) => {
    return h("div", {}, h("dt", {}, name), h("dd", {}, h("b", {}, value), note && h("small", {}, note)));
  });
  return h("dl", { class: "figures" }, made);
}

/** A choice between a few: [[value, title], ...], told to choose(value). */
export function choices(label, entries, chosen, choose) {
  const made = entries.map(([value, title]) => {
    const pressed = String(value === chosen);
    return h("button", { type: "button", "aria-pressed": pressed, onclick: () => choose(value) }, title);
  });
  return h("span", { class: "choices", role: "group", "aria-label": label }, made);
}

/** A choice from a list, as a select element. */
export function select(label, entries, chosen, choose) {
  const options = entries.map(([value, title]) => {
    const option = h("option", { value }, title);
    option.selected = value === chosen;
    return option;
  });
  return h("select", { "aria-label": label, onchange: (event) => choose(event.target.value) }, options);
}

/** Words where there is nothing to show. */
export function nothing(words) {
  return h("p", { class: "muted nothing" }, words);
}

/** Rows of bars, longest first: [{ name, value, text, href, colour }]; with two sides they start in the middle. */
export function bars(entries, label, both = false) {
  const most = Math.max(...entries.map(({ value }) => Math.abs(value)), Number.MIN_VALUE);
  const made = entries.map(({ name, value, text, href, colour = "blue", note }) => {
    const bar = h("i", { class: `bar fill-${colour}`, "aria-hidden": "true" });
    const part = (Math.abs(value) / most) * (both ? 50 : 100);
    bar.style.width = `${Math.max(part, 0.5)}%`;
    if (both) bar.style.marginLeft = `${value < 0 ? 50 - part : 50}%`;
    const words = href ? h("a", { href, title: name }, name) : h("span", { title: name }, name);
    return h(
      "li",
      {},
      h("span", { class: "name" }, words, note && h("small", {}, note)),
      h("span", { class: "track" }, bar),
      h("span", { class: "figure" }, text),
    );
  });
  return h("ol", { class: "bars", "aria-label": label }, made);
}

/** What happened, one below the other: [{ at, colour, title, kind, detail, link, hint }]. */
export function events(entries) {
  const made = entries.map(({ at, colour, title, kind, detail, link, hint }) => {
    const words = [h("b", {}, title), " ", kind && h("span", { class: "badge" }, kind), " ", outside(link, "MLflow")];
    return h(
      "li",
      {},
      h("time", { datetime: at, title: hint }, when(at)),
      h("i", { class: `dot fill-${colour}`, "aria-hidden": "true" }),
      h("div", {}, words, detail && h("p", { class: "muted" }, detail)),
    );
  });
  return h("ol", { class: "events" }, made);
}
