// What is told in words and tables: numbers in large letters, sentences, small tables, as the server has made them.

import { h } from "./dom.js";
import { metric, metricText, number, when } from "./format.js";
import { table } from "./table.js";
import { rowsOf } from "./data.js";

const LINK = /(https?:\/\/[^\s"'<>)]+)/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** Numbers in large letters: [{ name, value, note }]. */
export function cards(told) {
  const card = ({ name, value, note }) =>
    h(
      "li",
      { class: "panel card" },
      h("span", { class: "muted" }, name),
      h("b", { class: "big" }, value),
      h("small", { class: "muted" }, note),
    );
  return h("ul", { class: "cards numbers" }, told.map(card));
}

/** What a person should look at, or that there is nothing. */
export function problems(told) {
  if (told.length === 0)
    return h("p", { class: "well" }, "Nothing to look at: all that is due is stored, and nothing is beyond its limits.");
  return h(
    "section",
    { class: "panel look" },
    h("h2", {}, "To look at"),
    h(
      "ul",
      {},
      told.map((words) => h("li", {}, linked(words))),
    ),
  );
}

/** Sections: [{ title, sentences, tables: [{ title, columns, labels, sentences }] }]. */
export function sections(told) {
  return told.map(({ title, sentences, tables }) =>
    h(
      "section",
      { class: "panel" },
      h("h2", {}, title),
      sentences.map((words) => h("p", {}, linked(words))),
      tables.map((each) => tableOf(each, title)),
    ),
  );
}

/** Text in which addresses of the web are links. */
export function linked(text) {
  return text
    .split(LINK)
    .map((part, at) => (at % 2 ? h("a", { href: part, rel: "noopener noreferrer", target: "_blank" }, part) : part));
}

function tableOf({ title, columns, labels, sentences }, section) {
  const rows = rowsOf({ columns });
  const shown = Object.keys(columns).map((name) => ({
    name,
    title: labels[name],
    words: sentences.includes(name),
    left: sentences.includes(name) || rows.some((row) => typeof row[name] === "string" && !TIME.test(row[name])),
    text: (value) => cell(name, value),
  }));
  return [title && h("h3", {}, title), table(shown, rows, title || section)];
}

function small(value) {
  return value > 0 && value < 1e-4;
}

function cell(name, value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number")
    return metric(name).words ? metricText(name, value) : small(value) ? "< 0.0001" : number(value, 4);
  return TIME.test(value) ? when(value, { weekday: false }) : h("span", {}, linked(value));
}
