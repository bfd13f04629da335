// Charts drawn by uPlot (MIT, fetched by `make vendor`), which defines itself as a global.

import { h } from "./dom.js";
import { number, percent } from "./format.js";
import { timeLabel, timeTicks } from "./scales.js";
import { rangeOf, valueText } from "./svg.js";
import { colour } from "./theme.js";

/** Whether the library is there. */
export function hasUplot() {
  return typeof globalThis.uPlot === "function";
}

/** Draw into a box, as drawSvg does; a part of the axis can be dragged over to look closer, a double click goes back. */
export function drawUplot(box, description, width, read) {
  const { height, lines, bands, x, y, onpick } = description;
  const place = h("div");
  box.replaceChildren(place);
  const edges = bands.flatMap(({ low, high }) => [high, low]);
  const data = [x.values, ...edges, ...lines.map(({ values }) => values)];
  const options = {
    width,
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: x.kind === "time", y: false } },
    scales: { x: { time: false, range: xRange(x) }, y: { range: () => rangeOf(description) } },
    axes: [xAxis(x, width), yAxis(y)],
    series: [{}, ...edges.map(() => ({ stroke: null, width: 0, points: { show: false } })), ...lines.map(series)],
    bands: bands.map((band, index) => ({ series: [2 * index + 1, 2 * index + 2], fill: tint(band) })),
    hooks: {
      drawClear: [(plot) => drawShade(plot, description.shade)],
      draw: [(plot) => drawMarks(plot, description.marks)],
      setCursor: [(plot) => read(plot.cursor.idx ?? null)],
    },
  };
  const plot = new globalThis.uPlot(options, data, place);
  if (onpick) plot.over.addEventListener("click", () => plot.cursor.idx !== null && onpick(plot.cursor.idx));
  return { destroy: () => plot.destroy() };
}

function series({ colour: name, width = 2, dash, dots, faint }) {
  const ink = colour(name);
  const stroke = faint ? faded(ink, 0.35) : ink;
  const points = { show: true, size: dots ? 7 : 4, fill: stroke, stroke, filter: dots ? null : alone };
  return { stroke, width, dash, spanGaps: false, points };
}

/** Values between two gaps, which are no line. */
function alone(plot, index) {
  const values = plot.data[index];
  const [first, last] = plot.series[0].idxs;
  const found = [];
  for (let at = first; at <= last; at += 1) {
    if (values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null) found.push(at);
  }
  return found;
}

function tint({ colour: name, opacity = 0.2 }) {
  return faded(colour(name), opacity);
}

function faded(rgb, opacity) {
  return rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${opacity})`);
}

function xRange({ values, kind }) {
  return (plot, low, high) => (kind === "time" || low !== high ? [low, high] : [values[0] - 1, values[0] + 1]);
}

function font() {
  return "11px system-ui, sans-serif";
}

function xAxis({ kind }, width) {
  const look = {
    stroke: colour("muted"),
    font: font(),
    grid: { show: false },
    ticks: { stroke: colour("line"), size: 4 },
    size: 34,
  };
  const count = Math.max(2, Math.floor(width / 110));
  if (kind !== "time") {
    const text = kind === "share" ? percent : number;
    return { ...look, values: (_, at) => at.map((value) => text(value)) };
  }
  const step = (at) => (at.length > 1 ? at[1] - at[0] : 0);
  return {
    ...look,
    splits: (plot, axis, low, high) => timeTicks(low, high, count),
    values: (_, at) => at.map((value) => timeLabel(value, step(at))),
  };
}

function yAxis(y) {
  return {
    stroke: colour("muted"),
    font: font(),
    size: 52,
    space: 45,
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    values: (_, at) => at.map((value) => valueText(value, y)),
  };
}

function drawShade(plot, shade) {
  if (!shade) return;
  const { ctx, bbox } = plot;
  const from = Math.max(plot.valToPos(shade.from, "x", true), bbox.left);
  const to = Math.min(plot.valToPos(shade.to, "x", true), bbox.left + bbox.width);
  if (to <= from) return;
  ctx.save();
  ctx.fillStyle = faded(colour("ink"), 0.05);
  ctx.fillRect(from, bbox.top, to - from, bbox.height);
  ctx.restore();
}

function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  for (const { at, colour: name = "muted", dash = true } of marks) {
    const place = Math.round(plot.valToPos(at, "x", true));
    if (place < bbox.left || place > bbox.left + bbox.width) continue;
    ctx.strokeStyle = colour(name);
    ctx.setLineDash(dash ? [4, 4] : []);
    ctx.beginPath();
    ctx.moveTo(place, bbox.top);
    ctx.lineTo(place, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
