// What if a covariate that is known ahead were different: the champion's answer beside the forecast as things stand.

import { isOneFile, rowsOf, send } from "./data.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { number, percent, seconds, signed, when } from "./format.js";
import { nothing, panel } from "./panel.js";
import { downloads } from "./table.js";

const WAYS = {
  "*": { title: "times", low: 0, high: 2, step: 0.05, start: 1, idle: 1 },
  "+": { title: "plus", low: -20, high: 20, step: 0.5, start: 0, idle: 0 },
  "=": { title: "set to", low: 0, high: 1, step: 1, start: 1, idle: null },
};
const PATIENCE = 400; // milliseconds without a movement before the champion is asked

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
  const held = h(
    "div",
    { "aria-live": "polite" },
    nothing("Move a slider: the champion answers at once, and nothing is stored."),
  );
  const controls = covariates.map((each) => control(typeof each === "string" ? each : each.name, changed));
  let waiting;
  let turn = 0;
  function changed() {
    clearTimeout(waiting);
    waiting = setTimeout(answer, PATIENCE);
  }
  async function answer() {
    const mine = ++turn;
    const changes = controls.map(({ change }) => change()).filter(Boolean);
    if (changes.length === 0) return fill(held, nothing("Nothing is changed."));
    held.setAttribute("aria-busy", "true");
    try {
      const rows = rowsOf(await send(`${path}/what-if`, { changes, items: [item], origin: null }));
      if (mine === turn) fill(held, result(name, item, changes, rows));
    } catch (problem) {
      if (mine === turn) fill(held, h("p", { class: "warn", role: "alert" }, problem.message));
    } finally {
      if (mine === turn) held.removeAttribute("aria-busy");
    }
  }
  return panel(
    { title: `What if, for ${item}?`, note: "A change holds over the whole horizon." },
    h(
      "div",
      { class: "levers" },
      controls.map(({ element }) => element),
    ),
    held,
  );
}

/** A way to change one covariate: how, and by how much. */
function control(name, told) {
  const how = h(
    "select",
    { "aria-label": `How ${name} changes` },
    Object.entries(WAYS).map(([sign, { title }]) => h("option", { value: sign }, title)),
  );
  const slider = h("input", { type: "range", "aria-label": `Change of ${name}` });
  const field = h("input", { type: "number", step: "any", "aria-label": `Change of ${name} as a number` });
  const state = { on: false };
  function reset() {
    const { low, high, step, start } = WAYS[how.value];
    Object.assign(slider, { min: low, max: high, step, value: start });
    field.value = start;
    state.on = WAYS[how.value].idle === null;
  }
  how.addEventListener("change", () => {
    reset();
    told();
  });
  slider.addEventListener("input", () => {
    field.value = slider.value;
    state.on = true;
    told();
  });
  field.addEventListener("input", () => {
    slider.value = field.value;
    state.on = field.value !== "";
    told();
  });
  reset();
  const change = () => {
    const value = Number(field.value);
    return state.on && Number.isFinite(value) && value !== WAYS[how.value].idle ? text(name, how.value, value) : null;
  };
  return { element: h("div", { class: "lever" }, h("b", {}, name), how, slider, field), change };
}

/** A change as the command line writes it: price=*0.9, temperature=+5, promo=1, temperature==-5. */
function text(name, how, value) {
  if (how === "+") return value < 0 ? `${name}=-${-value}` : `${name}=+${value}`;
  if (how === "=") return value < 0 ? `${name}==${value}` : `${name}=${value}`;
  return `${name}=*${value}`;
}

function result(name, item, changes, rows) {
  if (rows.length === 0) return nothing("The champion has no answer for this item.");
  const now = sum(rows, "now");
  const then = sum(rows, "changed");
  const moved = then - now;
  const words =
    moved === 0
      ? "would stay as it is"
      : `would ${moved > 0 ? "rise" : "fall"} from ${number(now)} to ${number(then)}, ${signed(moved)} (${percent(moved / (now || 1), true)})`;
  return [
    h("p", { class: "words" }, `With ${changes.join(" and ")}, the sum over ${rows.length} times ${words}.`),
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
