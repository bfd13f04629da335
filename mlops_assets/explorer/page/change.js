// Why the forecast changed between two origins: corrected history, new data, another model.

import { addressOf, go, here } from "./address.js";
import { ask, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { counted, number, percent, signed, when } from "./format.js";
import { bars, nothing, panel, select } from "./panel.js";
import { downloads, table } from "./table.js";

const CAUSES = [
  ["revised_history", "corrected history", "pink"],
  ["new_data", "new data", "blue"],
  ["new_model", "a new model", "green"],
];

/** The view of why the forecast changed. */
export async function changeView({ name, path, params }) {
  const asked = { origin: params.origin, item: params.item, limit: 200 };
  const answer = await ask(`${path}/changes`, asked);
  const rows = rowsOf(answer);
  const chosen = params.origin ? rows.filter(({ origin }) => origin === params.origin) : latest(rows);
  const of = params.item ? chosen.filter((row) => row.item_id === params.item) : chosen;
  if (of.length === 0)
    return [nothing("No two forecasts that reach the same times are stored to compare here."), allItems(params)];
  const { origin, previous_origin: previous } = of[0];
  const total = Object.fromEntries(
    ["previous", "current", "change", ...CAUSES.map(([cause]) => cause)].map((key) => [key, sum(of, key)]),
  );
  const origins = [...new Set(rows.map((row) => row.origin))].sort().reverse();
  const choose =
    origins.length > 1 &&
    select(
      "Origin",
      origins.map((each) => [each, when(each)]),
      origin,
      (value) => go({ params: { origin: value } }),
    );
  const some =
    answer.total > rows.length ? `The ${of.length} items that changed most` : `All ${counted(of.length, "item")}`;
  const title = params.item ?? (of.length === 1 ? of[0].item_id : some);
  const largest = [...of].sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
  const href = (item) => addressOf({ forecast: name, view: "change", params: { ...here().params, item } });
  return [
    panel(
      { title, tools: [choose, downloads(`${name} changes`, () => of, `${path}/changes`, asked)] },
      sentence(total, previous, origin, of),
      bridge(total),
      undivided(of),
      allItems(params),
    ),
    !params.item &&
      panel(
        { title: "Which items moved", note: "Coloured by the cause that weighs most, as above." },
        bars(
          largest.slice(0, 15).map((row) => bar(row, href)),
          "Items",
          true,
        ),
      ),
    panel({ title: "In numbers" }, table(columns(href), largest, "Changes by item")),
  ];
}

function sentence({ previous, current, change, ...causes }, before, origin, rows) {
  const [cause, words] = [...CAUSES].sort((a, b) => Math.abs(causes[b[0]]) - Math.abs(causes[a[0]]))[0];
  const share = previous ? ` (${percent(change / previous, true)})` : "";
  const steps = Math.max(...rows.map((row) => row.steps));
  const moved =
    change === 0 ? "did not change" : `${change > 0 ? "rose" : "fell"} by ${number(Math.abs(change))}${share}`;
  const because = causes[cause] ? `, mostly because of ${words} (${signed(causes[cause])})` : "";
  return h(
    "p",
    { class: "words" },
    `Over the ${counted(steps, "time")} that both reach, the forecast ${moved} from ${when(before)} to ${when(origin)}${because}.`,
  );
}

/** A bridge from the former forecast to the present one, a step for each cause. */
function bridge(total) {
  const steps = [];
  let level = total.previous;
  for (const [cause, words, colour] of CAUSES) {
    steps.push({ words, colour, from: level, to: level + total[cause], text: signed(total[cause]) });
    level += total[cause];
  }
  const lines = [
    { words: "forecast before", colour: "muted", from: null, to: total.previous, text: number(total.previous) },
    ...steps,
    { words: "forecast now", colour: "ink", from: null, to: total.current, text: number(total.current) },
  ];
  const ends = lines.flatMap(({ from, to }) => (from === null ? [to] : [from, to]));
  const room = (Math.max(...ends) - Math.min(...ends)) * 0.25 || Math.abs(ends[0]) * 0.1 || 1;
  const low = Math.min(...ends) - room;
  const span = Math.max(...ends) + room * 0.3 - low;
  const made = lines.map(({ words, colour, from, to, text }) => {
    const start = from === null ? low : Math.min(from, to);
    const bar = h("i", { class: `bar fill-${colour}`, "aria-hidden": "true" });
    bar.style.marginLeft = `${((start - low) / span) * 100}%`;
    bar.style.width = `${Math.max(0.4, (((from === null ? to : Math.max(from, to)) - start) / span) * 100)}%`;
    return h(
      "li",
      {},
      h("span", { class: "name" }, words),
      h("span", { class: "track" }, bar),
      h("span", { class: "figure" }, text),
    );
  });
  return [h("ol", { class: "bars bridge" }, made), h("p", { class: "muted" }, "The axis does not begin at zero.")];
}

function bar(row, href) {
  const [, , colour] = [...CAUSES].sort((a, b) => Math.abs(row[b[0]] ?? 0) - Math.abs(row[a[0]] ?? 0))[0];
  return { name: row.item_id, value: row.change ?? 0, text: signed(row.change), href: href(row.item_id), colour };
}

function columns(href) {
  const numbers = ["previous", ...CAUSES.map(([cause]) => cause), "current", "change"];
  return [
    { name: "item_id", title: "item", left: true, text: (item) => h("a", { href: href(item) }, item) },
    ...numbers.map((name) => ({
      name,
      title: name.replaceAll("_", " "),
      text: (value) => (name === "previous" || name === "current" ? number(value) : signed(value)),
    })),
    { name: "model_version", title: "version" },
  ];
}

function undivided(rows) {
  const reasons = [...new Set(rows.map((row) => row.undivided).filter(Boolean))];
  return reasons.length > 0 && h("p", { class: "muted" }, `Not divided by cause: ${reasons.join("; ")}`);
}

function allItems({ item }) {
  return (
    item &&
    h(
      "p",
      {},
      h("button", { type: "button", class: "quiet", onclick: () => go({ params: { item: null } }) }, "Show all items"),
    )
  );
}

function latest(rows) {
  const last = rows
    .map(({ origin }) => origin)
    .sort()
    .at(-1);
  return rows.filter(({ origin }) => origin === last);
}

function sum(rows, key) {
  return rows.reduce((total, row) => total + (row[key] ?? 0), 0);
}
