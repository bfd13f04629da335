// One item: its history, the fan of what is forecast, what came, and how the forecast changed from origin to origin.

import { go, slide } from "./address.js";
import { askAll, askIfThere, rowsOf } from "./data.js";
import { fill, h } from "./dom.js";
import { chart } from "./charts.js";
import { dayPanel } from "./day.js";
import { counted, isSum, number, percent, seconds, titleOf, when } from "./format.js";
import { onStep } from "./keys.js";
import { choices, figures, nothing, panel } from "./panel.js";
import { fan, futureOf, originsOf, pointOf } from "./ledger.js";
import { downloads, plainColumns } from "./table.js";

const LOOK_BACK = 60; // origins that one can step through
const GHOSTS = 4; // earlier forecasts that stay visible behind the chosen one
const WINDOWS = [
  ["near", "Near"],
  ["year", "A year"],
  ["all", "All"],
];

/** The view of one item. */
export async function itemView(context) {
  const { name, path, state, params, known, items } = context;
  const start = firstOrigin(path, params, known);
  const item = params.item ?? (await items.first());
  if (item === undefined)
    return nothing("No item is stored yet. The first round brings them: mlops-assets run " + name);
  items.mark(item);
  const version = params.version ? { version: params.version } : {};
  const asked = { item, role: "shadow", ...known, ...version };
  const [observed, ledger] = await Promise.all([
    askAll(`${path}/observations`, { item, ...known }),
    start.then((first) => askAll(path, { ...asked, origin: "all", start: first })),
  ]);
  const told = scored(path, item, known, state);
  const actuals = rowsOf(observed).map((row) => ({ at: seconds(row.timestamp), value: row.target }));
  const rows = rowsOf(ledger);
  const point = pointOf(state, rows[0]);
  const origins = originsOf(rows);
  if (origins.length === 0) return [told, nothing("There is no forecast of this item yet."), history(item, actuals)];
  const view = { name, item, actuals, rows, point, origins, params, state };
  const stage = stepper(view, (index) => draw(view, index));
  const shown = () => shownRows(view, stage.index());
  const download = downloads(`${name} ${item}`, shown, path, () => ({ ...asked, origin: origins[stage.index()] }));
  const ways = [
    rows.some((row) => row.adjustment !== null && row.adjustment !== undefined) || params.version
      ? versions(params)
      : null,
    choices("History", WINDOWS, params.window ?? "near", (window) => go({ params: { window } })),
    download,
  ];
  return [told, panel({ title: titleOf(item, isSum(item, state)), tools: ways }, stage.element), stage.below];
}

/** The first origin whose forecasts are looked at: of many the latest, and the one that the address names. */
async function firstOrigin(path, params, known) {
  const made = rowsOf(await askIfThere(`${path}/origins`, known)).map(({ origin }) => origin);
  const latest = made.sort().slice(-LOOK_BACK);
  return [latest[0], params.origin].filter(Boolean).sort()[0];
}

/** How good the forecasts of the item have been; in a place of its own, for the picture does not wait for it. */
function scored(path, item, known, state) {
  const place = h("div", { class: "item-words" });
  askIfThere(`${path}/accuracy`, { by: "item", item, ...known })
    .then((scores) => fill(place, itemWords(rowsOf(scores)[0], state)))
    .catch(() => {}); // the others say so
  return place;
}

/** The slider over origins, and where what it shows is drawn. */
function stepper(view, draw) {
  const { origins, params } = view;
  const wanted = origins.indexOf(params.origin);
  const current = { index: wanted >= 0 ? wanted : origins.length - 1 };
  const last = origins.length - 1;
  const slider = h("input", { type: "range", min: 0, max: last, id: "origin", "aria-label": "Origin" });
  const label = h("label", { for: "origin" });
  const back = h(
    "button",
    {
      type: "button",
      class: "icon",
      "aria-label": "Origin before",
      title: "Origin before (←)",
      onclick: () => step(-1),
    },
    "◀",
  );
  const next = h(
    "button",
    { type: "button", class: "icon", "aria-label": "Next origin", title: "Next origin (→)", onclick: () => step(1) },
    "▶",
  );
  const above = h("div");
  const below = h("div");
  function show(index) {
    current.index = index;
    slider.value = index;
    slider.setAttribute("aria-valuetext", when(origins[index]));
    fill(
      label,
      "Forecast made from ",
      h("b", {}, when(origins[index])),
      h("span", { class: "muted" }, ` · ${index + 1} of ${origins.length}`),
    );
    back.disabled = index === 0;
    next.disabled = index === last;
    const drawn = draw(index);
    fill(above, drawn.above);
    fill(below, drawn.below);
  }
  function step(by) {
    const index = Math.min(last, Math.max(0, current.index + by));
    if (index === current.index) return;
    show(index);
    slide({ origin: origins[index] });
  }
  slider.addEventListener("input", () => step(Number(slider.value) - current.index));
  const element = h("div", {}, h("div", { class: "stepper" }, label, back, slider, next), above);
  onStep(element, step);
  show(current.index);
  return { element, below, index: () => current.index };
}

function draw(view, index) {
  return { above: [fanChart(view, index), sources(view, index)], below: [dayPanel(view, index)] };
}

/** History, fan, what came, earlier forecasts behind, services beside. */
function fanChart({ item, actuals, rows, point, origins, params }, index) {
  const origin = origins[index];
  const start = seconds(origin);
  const future = futureOf(rows, origin);
  const ghosts = origins.slice(Math.max(0, index - GHOSTS), index).map((each) => futureOf(rows, each).delivered);
  const end = Math.max(
    ...[...future.delivered, ...Object.values(future.beside).flat()].map((row) => seconds(row.timestamp)),
  );
  const from = { near: start - 3 * (end - start), year: start - 365 * 86400, all: -Infinity }[params.window ?? "near"];
  const shown = actuals.filter(({ at }) => at >= from && at <= end);
  const ahead = future.delivered.map((row) => seconds(row.timestamp));
  const behind = ghosts
    .flat()
    .map((row) => seconds(row.timestamp))
    .filter((at) => at <= end && at > start - (end - start));
  const x = [...new Set([...shown.map(({ at }) => at), ...ahead, ...behind])].sort((a, b) => a - b);
  const place = (entries) => {
    const values = new Map(entries);
    return x.map((at) => values.get(at) ?? null);
  };
  const line = (list, column) => place(list.map((row) => [seconds(row.timestamp), row[column]]));
  const before = shown.filter(({ at }) => at <= start);
  const after = shown.filter(({ at }) => at > start);
  const others = ["green", "pink", "yellow", "sky"];
  const beside = Object.entries(future.beside).map(([source, list], at) => {
    const name = source === "champion" ? "our model" : source; // a service is delivered, and it stands beside
    return { name, values: line(list, point), colour: others[at % others.length], dash: [6, 3], width: 1.8 };
  });
  return chart({
    title: `Forecast of ${item}`,
    height: 340,
    x: { values: x, kind: "time" },
    y: { zero: nearZero(shown, future.delivered) },
    bands: fan(future.delivered).map(({ name, low, high, opacity }) => {
      return { name, low: line(future.delivered, low), high: line(future.delivered, high), colour: "blue", opacity };
    }),
    lines: [
      ...ghosts.map((list, at) => ({
        name: at === 0 ? "earlier forecasts" : "",
        values: line(list, point),
        colour: "blue",
        width: 1.2,
        faint: true,
      })),
      { name: "seasonal naive", values: line(future.delivered, "naive"), colour: "muted", width: 1.2, dash: [3, 3] },
      ...beside,
      { name: "actual", values: place(before.map(({ at, value }) => [at, value])), colour: "ink", width: 1.6 },
      { name: "forecast", values: line(future.delivered, point), colour: "blue", width: 2.4 },
      {
        name: "what came",
        values: place(after.map(({ at, value }) => [at, value])),
        colour: "orange",
        width: 1,
        dots: true,
      },
    ].filter(({ values }) => values.some((value) => value !== null)),
    marks: [{ at: start, name: "origin", colour: "muted" }],
    shade: { from: start, to: end },
    table: {
      columns: plainColumns(shownRows({ actuals, rows, origins }, index)),
      rows: shownRows({ actuals, rows, origins }, index),
    },
  });
}

/** Who made what is shown, where it was not the champion. */
function sources({ rows, origins }, index) {
  const { delivered } = futureOf(rows, origins[index]);
  const by = [...new Set(delivered.map(({ source }) => source))].filter(
    (source) => source && source !== "champion" && source !== "aggregate",
  );
  const versions = [...new Set(delivered.map((row) => row.model_version))].filter((version) => version > 0);
  const made = delivered.map((row) => row.created_at).find(Boolean);
  const words = [
    versions.length && `by version ${versions.join(", ")}`,
    by.length && `by ${by.join(", ").replaceAll("_", " ")}`,
    made && `made ${when(made)} UTC`,
  ];
  return h("p", { class: "muted" }, words.filter(Boolean).join(" · "));
}

/** The rows that the chart shows: of the chosen origin, each with what came. */
function shownRows({ rows, origins, actuals }, index) {
  const came = new Map(actuals.map(({ at, value }) => [at, value]));
  const { delivered, beside } = futureOf(rows, origins[index]);
  return [...delivered, ...Object.values(beside).flat()].map(({ beside: _, ...row }) => ({
    ...row,
    actual: came.get(seconds(row.timestamp)) ?? null,
  }));
}

function history(item, actuals) {
  const x = actuals.map(({ at }) => at);
  const lines = [{ name: "actual", values: actuals.map(({ value }) => value), colour: "ink" }];
  return (
    actuals.length > 1 &&
    panel({ title: item }, chart({ title: `History of ${item}`, x: { values: x, kind: "time" }, lines }))
  );
}

/** Zero belongs on the axis where it is near: else the picture would make much of little. */
function nearZero(actuals, future) {
  const values = [...actuals.map(({ value }) => value), ...future.map(({ mean }) => mean)].filter(
    (value) => typeof value === "number",
  );
  return Math.min(...values) >= 0 && Math.min(...values) < 0.5 * Math.max(...values);
}

function versions(params) {
  const entries = [
    ["published", "With adjustments"],
    ["system", "As the system has it"],
  ];
  return choices("Version", entries, params.version ?? "published", (version) => go({ params: { version } }));
}

/** How good the forecasts of the item have been, in a sentence and figures. */
function itemWords(score, { season }) {
  if (!score || typeof score.skill !== "number") return null;
  const naive = season ? "repeating the last season" : "seasonal naive";
  const better = score.skill >= 0 ? "better" : "worse";
  const words = `Its past forecasts were ${percent(Math.abs(score.skill))} ${better} than ${naive}, over ${counted(score.rows, "forecast")}.`;
  const entries = [
    ["MASE", number(score.mase), typeof score.naive_mase === "number" && ` naive ${number(score.naive_mase)}`],
    typeof score.wape === "number" && ["WAPE", percent(score.wape)],
    typeof score.bias === "number" && ["bias", percent(score.bias, true), score.bias > 0 ? " too high" : " too low"],
    typeof score.coverage === "number" && ["within the band", percent(score.coverage)],
  ];
  return [h("p", {}, words), figures(entries)];
}
