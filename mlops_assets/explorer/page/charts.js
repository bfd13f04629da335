// Charts: lines, bands and marks over an axis, and beside each what it shows as a table.
//
// Drawn by uPlot where it was vendored, else as SVG of our own: one description for both.
// {
//   title, note            words above the chart
//   x: { values, kind }    sorted numbers; kind "time" (seconds), "number" or "share"; name: of the axis in words
//   lines: [{ name, values, colour, width, dash, dots, faint, share }]    null in values: a gap; colour: of style.css
//   bands: [{ name, low, high, colour, opacity }]                         the first is drawn first
//   marks: [{ at, name, colour, label }]                                  upright lines
//   shade: { from, to }    a part of the axis that is set off
//   y: { zero, share, min, max }
//   height
//   table: { columns, rows }   what stands beside it; none: the values of all lines
//   onpick(index)          a point of the axis was clicked
// }

import { h } from "./dom.js";
import { number, percent, when, stampOf } from "./format.js";
import { drawSvg } from "./svg.js";
import { table } from "./table.js";
import { onTheme } from "./theme.js";
import { drawUplot, hasUplot } from "./uplot.js";

/** A figure with the chart, its legend, and its table. */
export function chart(description) {
  const told = h("p", { class: "readout", "aria-hidden": "true" });
  const canvas = h("div", {
    class: "plot",
    role: "img",
    "aria-label": `${description.title}. The table below has its numbers.`,
  });
  canvas.dataset.drawn = hasUplot() ? "uplot" : "svg";
  const rest = readoutText(description, lastIndex(description));
  const read = (index) => (told.textContent = index === null ? rest : readoutText(description, index));
  read(null);
  const figure = h(
    "figure",
    { class: "chart" },
    h(
      "figcaption",
      {},
      h("b", { class: "unseen" }, description.title),
      description.note && h("span", { class: "muted" }, description.note),
    ),
    legend(description),
    told,
    canvas,
    markList(description.marks ?? []),
    values(description),
  );
  keepDrawn(canvas, { height: 260, lines: [], bands: [], marks: [], y: {}, ...description }, read);
  return figure;
}

/** Whether the chart library is there; without it a line on the page says so. */
export function withLibrary() {
  return hasUplot();
}

/** Draw when the place for it has a width, and again when that or the theme changes, until it is gone. */
function keepDrawn(canvas, description, read) {
  let drawn = null;
  let width = 0;
  const draw = () => {
    if (width === 0) return;
    drawn?.destroy();
    drawn = (hasUplot() ? drawUplot : drawSvg)(canvas, description, width, read);
  };
  const stop = onTheme(draw);
  let attached = false;
  const observer = new ResizeObserver(() => {
    if (!canvas.isConnected) {
      if (!attached) return;
      observer.disconnect();
      stop();
      drawn?.destroy();
      return;
    }
    attached = true;
    const now = Math.floor(canvas.clientWidth);
    if (now === width) return;
    width = now;
    draw();
  });
  observer.observe(canvas);
}

function legend({ lines = [], bands = [] }) {
  const key = (kind, { name, colour, dash, dots, faint, opacity = 0.2 }) => {
    const look = [kind, `ink-${colour}`, dash && "dashed", dots && "dots", faint && "faint"].filter(Boolean).join(" ");
    const sign = h("i", { class: `sign ${look}`, "aria-hidden": "true" });
    if (kind === "band") sign.style.opacity = 2 * opacity;
    return h("li", {}, sign, name);
  };
  const named = (list) => list.filter(({ name }) => name);
  return h(
    "ul",
    { class: "legend" },
    named(lines).map((line) => key("line", line)),
    named(bands).map((band) => key("band", band)),
  );
}

function markList(marks) {
  const told = marks.filter(({ label }) => label);
  if (told.length === 0) return null;
  const items = told.map(({ at, name, colour, label }) => {
    return h("li", {}, h("b", { class: `ink-${colour ?? "muted"}` }, name), ` ${when(stampOf(at))}: ${label}`);
  });
  return h("details", { class: "marks" }, h("summary", {}, `Marked on the axis: ${told.length}`), h("ul", {}, items));
}

function axisText({ x }, index) {
  const value = x.values[index];
  if (x.kind === "time") return when(stampOf(value));
  return `${x.name ?? ""} ${x.kind === "share" ? percent(value) : number(value)}`.trim();
}

function readoutText(description, index) {
  if (index === null || index < 0) return "\u00a0";
  const { lines = [], bands = [], y = {} } = description;
  const text = (value) => (y.share ? percent(value) : number(value));
  const parts = [];
  for (const { name, values } of lines) {
    if (name && typeof values[index] === "number") parts.push(`${name} ${text(values[index])}`);
  }
  for (const { name, low, high } of bands) {
    if (name && typeof low[index] === "number") parts.push(`${name} ${text(low[index])} to ${text(high[index])}`);
  }
  return [axisText(description, index), ...parts].join(" · ");
}

/** The last place at which the chart says something. */
function lastIndex({ x, lines = [] }) {
  for (let at = x.values.length - 1; at >= 0; at -= 1) {
    if (lines.some(({ name, values }) => name && typeof values[at] === "number")) return at;
  }
  return null;
}

function values(description) {
  const given = description.table ?? allValues(description);
  const shown = h("details", { class: "values" }, h("summary", {}, `Table: ${given.rows.length} rows`));
  // Most people never open it: it is made when they do.
  shown.addEventListener("toggle", () => {
    if (shown.open && shown.children.length === 1) shown.append(table(given.columns, given.rows, description.title));
  });
  return shown;
}

function allValues(description) {
  const { x, lines = [], bands = [], y = {} } = description;
  const text = (value) => (y.share ? percent(value) : number(value, 4));
  const columns = [{ name: "x", title: x.name ?? (x.kind === "time" ? "time" : ""), left: true }];
  const sources = [];
  const add = (title, list) => {
    columns.push({ name: `v${sources.length}`, title, text });
    sources.push(list);
  };
  for (const { name, values } of lines) if (name) add(name, values);
  for (const { name, low, high } of bands) {
    if (!name) continue;
    add(`${name}, lower`, low);
    add(`${name}, upper`, high);
  }
  const rows = x.values.map((_, at) => ({
    x: axisText(description, at),
    ...Object.fromEntries(sources.map((list, column) => [`v${column}`, list[at]])),
  }));
  return { columns, rows: rows.filter((_, at) => sources.some((list) => typeof list[at] === "number")).reverse() };
}
