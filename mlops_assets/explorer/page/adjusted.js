// What people have changed of a forecast, and whether it has helped: tables.

import { askIfThere, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { number, percent, when } from "./format.js";
import { nothing, panel } from "./panel.js";
import { downloads, table } from "./table.js";

const BY = [
  ["person", "by whom"],
  ["reason", "why"],
  ["lead", "lead"],
];

/** The log, the latest first; end(row), where there is one, withdraws an adjustment or lifts a lock. */
export function changesPanel(rows, end) {
  const title = "What people have changed";
  if (rows.length === 0) return panel({ title }, nothing("Nobody has adjusted this forecast."));
  const columns = end ? [...LOG, { name: "end", title: "", text: (_, row) => button(row, end) }] : LOG;
  const shown = [...rows].reverse();
  return panel({ title, tools: downloads("adjustments", () => rows) }, table(columns, shown, title));
}

function button(row, end) {
  if (row.state !== "holds") return "";
  const words = row.action === "lock" ? "Unlock" : "Withdraw";
  return h("button", { type: "button", class: "quiet", onclick: () => end(row) }, `${words} ${row.number}`);
}

/** Forecast value added; null where no adjusted forecast has met its actual yet. */
export async function helpedPanel(path) {
  const answers = await Promise.all(BY.map(([by]) => askIfThere(`${path}/value-added`, { by })));
  const tables = answers.map(rowsOf);
  if (tables.every((rows) => rows.length === 0)) return null;
  const title = "Have people helped?";
  const note =
    "The mean error of what was published, less that of the system on the same rows: above zero, people help. What was changed after its time had begun counts nowhere.";
  const made = BY.map(([by, words], at) => {
    const name = {
      name: by,
      title: words,
      left: by !== "lead",
      text: (value) => (value === "" ? "–" : String(value)),
    };
    return table([name, ...HELPED], tables[at], `${title} ${words}`);
  });
  return panel({ title, note, tools: downloads("value added", () => tables.flat()) }, made);
}

function what({ action, kind, amount, replaces }) {
  if (action !== "adjust") return [action, replaces].filter((part) => part !== null).join(" ");
  const sign = { factor: "× ", delta: amount < 0 ? "" : "+ ", value: "= " }[kind];
  return `${sign}${number(amount, 4)}`;
}

function period({ since, until }) {
  const last = until.replace(/T23:59:59.*/, "");
  return since.startsWith(last) ? when(since) : `${when(since)} – ${when(last)}`;
}

const LOG = [
  { name: "number", title: "no." },
  { name: "made_at", title: "made (UTC)", left: true, text: (value) => when(value, { weekday: false }) },
  { name: "made_by", title: "by", left: true },
  { name: "action", title: "what", left: true, text: (_, row) => what(row) },
  { name: "item_id", title: "of", left: true, text: (value) => (value === "sum:*" ? "all items" : value) },
  { name: "since", title: "period", left: true, text: (_, row) => period(row) },
  {
    name: "reason",
    title: "why",
    left: true,
    text: (_, { reason, note }) => [reason, note].filter(Boolean).join(" · "),
  },
  { name: "state", title: "state", left: true },
];

const HELPED = [
  { name: "rows", title: "forecasts", text: (value) => number(value, 4) },
  { name: "naive_error", title: "naive's error", text: (value) => number(value) },
  { name: "system_error", title: "system's error", text: (value) => number(value) },
  { name: "published_error", title: "published error", text: (value) => number(value) },
  { name: "value_added", title: "value added", text: (value) => number(value) },
  { name: "share", title: "of the system's error", text: (value) => percent(value, true) },
  { name: "better", title: "nearer in", text: (value) => percent(value) },
];
