// What if a covariate that is known ahead were different: the champion's answer beside the forecast as things stand.

import { go, slide } from "./address.js";
import { askAll, isOneFile, rowsOf, send } from "./data.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { isSum, number, percent, seconds, signed, when } from "./format.js";
import { inWords, lever } from "./lever.js";
import { nothing, panel } from "./panel.js";
import { downloads } from "./table.js";

const PATIENCE = 300; // milliseconds without a movement before the champion is asked
const RESTING = "Move a slider: the champion answers, and nothing is stored.";

/** The view of what if. */
export async function whatIfView({ name, path, state, params, items }) {
  const covariates = state.covariates_known ?? [];
  if (isOneFile) return nothing("The champion can only be asked where it is: open the explorer of mlops-assets serve.");
  if (covariates.length === 0)
    return nothing(
      "This forecast has no covariate that is known ahead (covariates: known), so there is nothing that you could change.",
    );
  const item = params.item ?? (await items.first());
  items.mark(item);
  if (isSum(item, state)) return nothing("The champion forecasts items, not their sums: choose an item.");
  const past = rowsOf(await askAll(`${path}/observations`, { item }));
  const given = changesOf(params);
  const held = h("div", { "aria-live": "polite" }, nothing(RESTING));
  const levers = covariates.map((covariate) => {
    const values = past.map((row) => row[covariate]);
    const begun = given.find((change) => change.startsWith(`${covariate}=`));
    return lever(covariate, values, begun, changed);
  });
  const ask = oneAtATime(async () => {
    const changes = levers.map(({ change }) => change()).filter(Boolean);
    slide({ changes: changes.length ? JSON.stringify(changes) : null });
    if (changes.length === 0) return fill(held, nothing(RESTING));
    held.setAttribute("aria-busy", "true");
    if (!held.querySelector(".chart")) fill(held, nothing("The champion is asked …"));
    try {
      const answer = await send(`${path}/what-if`, { changes, items: [item], origin: null });
      fill(held, result(name, item, changes, answer));
    } catch (problem) {
      fill(held, h("p", { class: "warn", role: "alert" }, problem.message));
    } finally {
      held.removeAttribute("aria-busy");
    }
  });
  let waiting;
  function changed() {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PATIENCE);
  }
  if (given.length) ask();
  const moved = levers.map(({ element }) => element);
  const undo = () => go({ params: { changes: null } });
  const tools = h("button", { type: "button", class: "quiet", onclick: undo }, "As things stand");
  const about = { title: `What if, for ${item}?`, note: "A change holds over the whole horizon.", tools };
  return panel(about, h("div", { class: "levers" }, moved), held);
}

/** The changes that an address holds. */
function changesOf({ changes }) {
  try {
    return changes ? JSON.parse(changes).filter((change) => typeof change === "string") : [];
  } catch {
    return []; // an address that was cut off
  }
}

/** Run a task again as often as asked for, but never twice at a time: the champion answers one question after the other. */
function oneAtATime(task) {
  let running = false;
  let again = false;
  return async function run() {
    again = running;
    if (running) return;
    running = true;
    do {
      again = false;
      await task();
    } while (again);
    running = false;
  };
}

function result(name, item, changes, answer) {
  const rows = rowsOf(answer);
  if (rows.length === 0) return nothing("The champion has no answer for this item.");
  const now = sum(rows, "now");
  const then = sum(rows, "changed");
  const moved = then - now;
  const words =
    moved === 0
      ? "would stay as it is"
      : `would ${moved > 0 ? "rise" : "fall"} from ${number(now)} to ${number(then)}, ${signed(moved)} (${percent(moved / (now || 1), true)})`;
  return [
    h(
      "p",
      { class: "words" },
      `With ${changes.map(inWords).join(" and ")}, the sum over ${rows.length} times from ${when(rows[0].timestamp)} ${words}.`,
    ),
    chart({
      title: `${item}: as things stand, and changed`,
      height: 260,
      x: { values: rows.map((row) => seconds(row.timestamp)), kind: "time" },
      lines: [
        { name: "as things stand", values: rows.map((row) => row.now), colour: "blue", width: 2.2 },
        {
          name: "changed",
          values: rows.map((row) => row.changed),
          colour: "orange",
          width: 2.2,
          dash: [7, 3],
          dots: true,
        },
      ],
      table: { columns: COLUMNS, rows },
    }),
    answer.warnings?.map((warning) => h("p", { class: "warn" }, warning)),
    answer.model && h("p", { class: "muted" }, `Asked: ${answer.model}`),
    downloads(`${name} ${item} what if`, () => rows),
  ];
}

const COLUMNS = [
  { name: "timestamp", title: "time", left: true, text: (value) => when(value) },
  { name: "now", title: "as things stand", text: (value) => number(value, 4) },
  { name: "changed", title: "changed", text: (value) => number(value, 4) },
  { name: "difference", title: "difference", text: (_, row) => signed(row.changed - row.now, 4) },
];

function sum(rows, key) {
  return rows.reduce((total, row) => total + (row[key] ?? 0), 0);
}
