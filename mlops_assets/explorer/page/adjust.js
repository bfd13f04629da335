// People adjust what is published: a form that shows what would come of it, what was changed so far, and whether it helped.

import { changesPanel, helpedPanel } from "./adjusted.js";
import { chart } from "./charts.js";
import { ask, askIfThere, forget, isOneFile, rowsOf, send } from "./data.js";
import { fill, h } from "./dom.js";
import { number, seconds, signed, when } from "./format.js";
import { loginForm } from "./login.js";
import { notice } from "./notice.js";
import { nothing, panel } from "./panel.js";

const WAYS = [
  ["factor", "is multiplied by"],
  ["delta", "gets added"],
  ["value", "is set to"],
];
const EVERYTHING = "sum:*";
const DAY = 10; // characters of a date

/** The view of adjustments. */
export async function adjustView(context) {
  const held = h("div", { class: "stack" });
  await refresh(context, held);
  return held;
}

async function refresh(context, held) {
  const { path, state, params, items } = context;
  const item = params.item ?? (await items.first());
  items.mark(item);
  const again = () => {
    forget();
    return refresh(context, held);
  };
  const [changes, helped] = await Promise.all([askIfThere(`${path}/adjustments`), helpedPanel(path)]);
  const form = state.adjustable && !isOneFile && item !== undefined ? await formPanel(context, item, again) : null;
  fill(held, form, changesPanel(rowsOf(changes), form && end(path, again)), helped);
}

/** Withdraw an adjustment, or lift a lock. */
function end(path, again) {
  return async (row) => {
    const way = row.action === "lock" ? `locks/${row.number}/unlock` : `adjustments/${row.number}/withdraw`;
    try {
      await send(`${path}/${way}`, {}, {});
      await again();
    } catch (problem) {
      notice(problem.message);
    }
  };
}

async function formPanel({ name, path, state }, item, again) {
  const times = rowsOf(await ask(path, { item }))
    .map(({ timestamp }) => timestamp)
    .sort();
  if (times.length === 0) return nothing("There is no forecast of this item yet that could be adjusted.");
  const whole = times.every((time) => time.endsWith("T00:00:00"));
  const kind = whole ? "date" : "datetime-local";
  const text = (time) => (whole ? time.slice(0, DAY) : time.slice(0, 16));
  const fields = {
    item: h("input", { id: "adjust-item", value: item, list: "adjust-items", required: true, autocomplete: "off" }),
    since: h("input", { id: "adjust-since", type: kind, value: text(times[0]), required: true }),
    until: h("input", { id: "adjust-until", type: kind, value: text(times.at(-1)), required: true }),
    kind: h(
      "select",
      { id: "adjust-kind" },
      WAYS.map(([value, title]) => h("option", { value }, title)),
    ),
    amount: h("input", { id: "adjust-amount", type: "number", step: "any", value: "1.1", required: true }),
    reason: reasonField(state.reasons ?? []),
    note: h("input", { id: "adjust-note", autocomplete: "off" }),
    ends: h("input", { id: "adjust-ends", type: "checkbox", checked: true }),
  };
  const said = () => ({
    item: fields.item.value,
    since: fields.since.value,
    until: fields.until.value,
    reason: fields.reason.value,
    note: fields.note.value,
  });
  const adjusted = () => ({
    ...said(),
    kind: fields.kind.value,
    amount: Number(fields.amount.value),
    ends: fields.ends.checked ? "until" : "origin",
  });
  const shown = h("div", { "aria-live": "polite" });
  const form = h(
    "form",
    { class: "adjust" },
    field("Item or sum", fields.item, `${EVERYTHING} is all of them`),
    field("From", fields.since),
    field("Until, included", fields.until),
    field("The forecast", fields.kind),
    field("How much", fields.amount),
    field("Reason", fields.reason, "in a word: what helps is counted by it"),
    field("Note", fields.note),
    h(
      "label",
      { class: "check", for: "adjust-ends" },
      fields.ends,
      " also of later forecasts, until the period has passed",
    ),
    h("datalist", { id: "adjust-items" }, h("option", { value: item }), h("option", { value: EVERYTHING })),
    h(
      "span",
      { class: "choices" },
      h("button", { type: "button", onclick: () => tell("adjustments", adjusted(), true) }, "Show what comes of it"),
      h("button", { type: "submit" }, "Publish"),
      h("button", { type: "button", onclick: () => tell("locks", said(), false) }, "Lock the period"),
    ),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    tell("adjustments", adjusted(), false);
  });
  async function tell(where, body, only) {
    if (!form.reportValidity()) return;
    shown.setAttribute("aria-busy", "true");
    try {
      const change = await send(`${path}/${where}`, { ...body, dry_run: only }, {});
      if (!only) return await again();
      fill(shown, preview(name, change));
    } catch (problem) {
      fill(
        shown,
        refused(problem, () => tell(where, body, only)),
      );
    } finally {
      shown.removeAttribute("aria-busy");
    }
  }
  const note = "The system's forecast stays beside it, and every change is kept under the name of your token.";
  return panel({ title: "Adjust what is published", note }, form, shown);
}

function refused(problem, again) {
  if (problem.status === 401 || problem.status === 403)
    return loginForm("To adjust needs a token that may write (MLOPS_APPROVERS, MLOPS_API_WRITE_TOKEN).", again);
  return h("p", { class: "warn", role: "alert" }, problem.message);
}

function reasonField(reasons) {
  const attributes = { id: "adjust-reason", required: true };
  if (reasons.length === 0) return h("input", { ...attributes, autocomplete: "off" });
  return h(
    "select",
    attributes,
    reasons.map((reason) => h("option", { value: reason }, reason)),
  );
}

function field(title, input, hint) {
  return h("label", { for: input.id }, h("span", {}, title), input, hint && h("small", { class: "muted" }, hint));
}

/** What would become of the forecast: of several items together, the sum of each time. */
function preview(name, change) {
  const rows = summed(change.rows);
  if (rows.length === 0) return nothing("No forecast reaches that period yet: it holds from the first one that does.");
  const total = (column) => rows.reduce((sum, row) => sum + row[column], 0);
  const words = `Published would be ${number(total("after"))} in all, ${signed(total("after") - total("before"))} against now; the system says ${number(total("system"))}.`;
  const line = (title, column, more) => ({ name: title, values: rows.map((row) => row[column]), width: 2.2, ...more });
  return [
    h("p", { class: "words" }, words),
    chart({
      title: `${change.item_id}: as the system says it, as published now, and as it would be`,
      height: 240,
      x: { values: rows.map((row) => seconds(row.timestamp)), kind: "time" },
      lines: [
        line("system", "system", { colour: "blue" }),
        line("published now", "before", { colour: "sky", dash: [3, 3] }),
        line("published then", "after", { colour: "orange", dash: [7, 3], dots: true }),
      ],
      table: { columns: COLUMNS, rows },
    }),
  ];
}

function summed(rows) {
  const found = new Map();
  for (const { timestamp, system, before, after } of rows) {
    const sum = found.get(timestamp) ?? { timestamp, system: 0, before: 0, after: 0 };
    found.set(timestamp, {
      timestamp,
      system: sum.system + system,
      before: sum.before + before,
      after: sum.after + after,
    });
  }
  return [...found.values()].sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
}

const COLUMNS = [
  { name: "timestamp", title: "time", left: true, text: (value) => when(value) },
  { name: "system", title: "system", text: (value) => number(value, 4) },
  { name: "before", title: "published now", text: (value) => number(value, 4) },
  { name: "after", title: "published then", text: (value) => number(value, 4) },
];
