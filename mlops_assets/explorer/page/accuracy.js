// How good the forecasts were: over time, by lead, by quantile, by segment and version.

import { go } from "./address.js";
import { ask, askIfThere, isOneFile, rowsOf } from "./data.js";
import { chart } from "./charts.js";
import { h } from "./dom.js";
import { isSum, level, metric, metricText, metricsOf, number, percent, seconds, titleOf } from "./format.js";
import { marksOf } from "./events.js";
import { figures, nothing, panel, select } from "./panel.js";
import { downloads, table } from "./table.js";

const SUMS = "Scores are kept of items, not of their sums.";

/** The view of accuracy, of all items or one. */
export async function accuracyView({ name, path, state, params, known }) {
  const item = isOneFile ? null : params.item; // a file tells of single items in the ranking only
  const of = item ? { item, ...known } : known;
  const by = (what) => askIfThere(`${path}/accuracy`, { by: what, ...of });
  const [all, period, lead, segment, version, calibration, timeline] = await Promise.all([
    ask(`${path}/accuracy`, { by: "all", ...of }).catch(() => null),
    by("period"),
    by("lead"),
    item ? null : by("segment"),
    by("version"),
    askIfThere(`${path}/calibration`, item ? { item } : {}),
    askIfThere(`${path}/timeline`),
  ]);
  const rows = rowsOf(period);
  const metrics = metricsOf(rows.length ? rows : rowsOf(lead));
  const whose = item
    ? h(
        "p",
        {},
        "Of ",
        h("b", {}, titleOf(item, isSum(item, state))),
        ". ",
        h(
          "button",
          { type: "button", class: "quiet", onclick: () => go({ params: { item: null } }) },
          "Show all items",
        ),
      )
    : h(
        "p",
        { class: "muted" },
        isOneFile ? "Of all items; the ranking tells of each." : "Of all items; choose one to see its own.",
      );
  const unscored =
    item && isSum(item, state) ? SUMS : "No forecast has been scored yet: scores come as the actuals do.";
  if (metrics.length === 0) return [whose, nothing(unscored)];
  const chosen = metrics.includes(params.metric)
    ? params.metric
    : metrics.includes(state.metric)
      ? state.metric
      : metrics[0];
  const choose = select(
    "Metric",
    metrics.map((each) => [each, metric(each).title]),
    chosen,
    (value) => go({ params: { metric: value } }),
  );
  const download = (what, answer) =>
    downloads(`${name} accuracy by ${what}`, () => rowsOf(answer), `${path}/accuracy`, { by: what, ...of });
  return [
    whose,
    totals(rowsOf(all)[0], state),
    panel(
      { title: "Over time", note: describe(chosen), tools: [choose, download("period", period)] },
      overTime(rows, chosen, rowsOf(timeline), state),
    ),
    h(
      "div",
      { class: "pair" },
      panel(
        { title: "By lead", note: "How much harder is it to look farther ahead?", tools: download("lead", lead) },
        byLead(rowsOf(lead), chosen),
      ),
      panel(
        {
          title: "Calibration",
          note: "Of actuals, how many fell below each quantile?",
          tools: downloads(
            `${name} calibration`,
            () => rowsOf(calibration),
            `${path}/calibration`,
            item ? { item } : {},
          ),
        },
        diagram(rowsOf(calibration)),
      ),
    ),
    breakdown("By segment", "segment", rowsOf(segment), metrics, download("segment", segment)),
    breakdown("By version", "model_version", rowsOf(version), metrics, download("version", version)),
  ];
}

function totals(row, { quantiles = [] }) {
  if (!row) return null;
  const outer = quantiles.length > 1 ? Math.max(...quantiles) - Math.min(...quantiles) : null;
  return figures([
    typeof row.skill === "number" && [
      "skill",
      percent(row.skill, true),
      row.skill >= 0 ? " better than seasonal naive" : " worse than seasonal naive",
    ],
    typeof row.mase === "number" && [
      "MASE",
      number(row.mase),
      typeof row.naive_mase === "number" && ` naive ${number(row.naive_mase)}`,
    ],
    typeof row.wql === "number" && ["wQL", number(row.wql)],
    typeof row.coverage === "number" && [
      "within the band",
      percent(row.coverage),
      outer && ` ${percent(outer)} is meant`,
    ],
    typeof row.bias === "number" && ["bias", percent(row.bias, true), row.bias > 0 ? " too high" : " too low"],
    ["forecasts scored", number(row.rows, 9)],
  ]);
}

function describe(name) {
  const { title, words, lower } = metric(name);
  return `${title}: ${words}${lower ? "; lower is better" : ""}.`;
}

function overTime(rows, name, timeline, state) {
  if (rows.length < 2) return nothing("Fewer than two periods have been scored.");
  const sorted = [...rows].sort((a, b) => (a.period < b.period ? -1 : 1));
  const x = sorted.map((row) => seconds(row.period ?? row.timestamp));
  return chart({
    title: `${metric(name).title} over time`,
    height: 260,
    x: { values: x, kind: "time" },
    y: { share: metric(name).share, zero: true },
    lines: [
      ...meant(name, x, state),
      ...naive(sorted, name),
      { name: metric(name).title, values: sorted.map((row) => row[name]), colour: "blue", dots: x.length < 60 },
    ],
    marks: marksOf(timeline, x[0], x.at(-1)),
  });
}

/** The share that the outermost quantiles should hold, and the limit of the retraining policy, as lines. */
function meant(name, x, { quantiles = [], retraining }) {
  const lines = [];
  const flat = (title, value, colour) =>
    lines.push({ name: title, values: x.map(() => value), colour, width: 1.2, dash: [2, 3] });
  if (name === "coverage" && quantiles.length > 1)
    flat("meant", Math.max(...quantiles) - Math.min(...quantiles), "green");
  if (name === "bias") flat("no bias", 0, "green");
  if (retraining?.metric === name && typeof retraining.limit === "number")
    flat("retrained above", retraining.limit, "orange");
  return lines;
}

function naive(rows, name) {
  if (name !== "mase" || !rows.some((row) => typeof row.naive_mase === "number")) return [];
  return [
    { name: "seasonal naive", values: rows.map((row) => row.naive_mase), colour: "muted", width: 1.4, dash: [4, 3] },
  ];
}

function byLead(rows, name) {
  if (rows.length < 2) return nothing("Fewer than two leads have been scored.");
  const sorted = [...rows].sort((a, b) => a.lead - b.lead);
  return chart({
    title: `${metric(name).title} by lead`,
    height: 240,
    x: { values: sorted.map((row) => row.lead), kind: "number", name: "lead" },
    y: { share: metric(name).share, zero: true },
    lines: [
      ...naive(sorted, name),
      { name: metric(name).title, values: sorted.map((row) => row[name]), colour: "blue", dots: true },
    ],
  });
}

/** The reliability diagram: on the diagonal, quantiles are what they say (Gneiting, Balabdaoui and Raftery, 2007). */
function diagram(rows) {
  const points = rows
    .map(({ quantile, share }) => [typeof quantile === "number" ? quantile : level(quantile), share])
    .sort((a, b) => a[0] - b[0]);
  if (points.length === 0) return nothing("No quantile has been scored.");
  const x = [0, ...points.map(([quantile]) => quantile), 1];
  return chart({
    title: "Quantiles and what fell below them",
    height: 240,
    x: { values: x, kind: "share", name: "quantile" },
    y: { share: true, min: 0, max: 1 },
    lines: [
      { name: "perfect", values: x, colour: "muted", width: 1.4, dash: [4, 3] },
      {
        name: "share at or below",
        values: [null, ...points.map(([, share]) => share), null],
        colour: "blue",
        dots: true,
      },
    ],
  });
}

function breakdown(title, by, rows, metrics, tools) {
  if (rows.length < 2) return null;
  const text = (name) => (value) => metricText(name, value);
  const columns = [
    { name: by, title: by.replace("model_", ""), left: true, text: String },
    { name: "rows", title: "forecasts", text: (value) => number(value, 9) },
    ...metrics.map((name) => ({ name, title: metric(name).title, text: text(name) })),
  ];
  return panel({ title, tools }, table(columns, rows, title));
}
