// What happened to the forecast, latest first.

import { go } from "./address.js";
import { ask, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { when } from "./format.js";
import { kindOf } from "./events.js";
import { outside } from "./links.js";
import { nothing, panel } from "./panel.js";
import { downloads } from "./table.js";

const SHOWN = 200;

/** The view of what happened. */
export async function timelineView({ name, path, params }) {
  const rows = rowsOf(await ask(`${path}/timeline`)).sort((a, b) => (a.at < b.at ? 1 : -1));
  if (rows.length === 0) return nothing("Nothing has happened yet.");
  const kinds = [...new Set(rows.map(({ kind }) => kind))];
  const shown = params.kind ? rows.filter(({ kind }) => kind === params.kind) : rows;
  const counts = (kind) => rows.filter((row) => row.kind === kind).length;
  const choose = (kind) => () => go({ params: { kind } });
  const chip = (kind, title, count) =>
    h(
      "button",
      { type: "button", "aria-pressed": String((params.kind ?? null) === kind), onclick: choose(kind) },
      `${title} ${count}`,
    );
  return [
    h(
      "p",
      { class: "choices", role: "group", "aria-label": "Kind" },
      chip(null, "All", rows.length),
      kinds.map((kind) => chip(kind, kindOf(kind).title, counts(kind))),
    ),
    panel(
      { title: "What happened", tools: downloads(`${name} timeline`, () => shown, `${path}/timeline`) },
      h("ol", { class: "events" }, shown.slice(0, SHOWN).map(event)),
    ),
    shown.length > SHOWN &&
      h("p", { class: "muted" }, `The latest ${SHOWN} of ${shown.length}; the download has them all.`),
  ];
}

function event({ at, kind, title, detail, link, happened_at: told }) {
  const { title: word, colour } = kindOf(kind);
  return h(
    "li",
    {},
    h("time", { datetime: at, title: told && `Happened ${when(told)} UTC` }, when(at)),
    h("i", { class: `dot fill-${colour}`, "aria-hidden": "true" }),
    h(
      "div",
      {},
      h("b", {}, word),
      ` ${title ?? ""} `,
      outside(link, "Look"),
      detail && h("p", { class: "muted" }, detail),
    ),
  );
}
