// What happened to the forecast, latest first.

import { go } from "./address.js";
import { ask, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { when } from "./format.js";
import { kindOf } from "./events.js";
import { events, nothing, panel } from "./panel.js";
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
      events(shown.slice(0, SHOWN).map(told)),
    ),
    shown.length > SHOWN &&
      h("p", { class: "muted" }, `The latest ${SHOWN} of ${shown.length}; the download has them all.`),
  ];
}

function told({ at, kind, title, detail, link, happened_at: happened }) {
  const { title: word, colour } = kindOf(kind);
  return { at, colour, title, kind: word, detail, link, hint: happened && `Happened ${when(happened)} UTC` };
}
