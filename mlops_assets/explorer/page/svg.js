// Charts as SVG of our own, for a page whose charting library was not vendored.

import { h, svg } from "./dom.js";
import { number, percent } from "./format.js";
import { extent, ticks, timeLabel, timeTicks } from "./scales.js";

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 28;

/** Draw into a box of some width; read(index) is told where the pointer is, read(null) when it has left. */
export function drawSvg(box, description, width, read) {
  const { height, lines, bands, marks, shade, onpick, x } = description;
  const frame = frameOf(description, width);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
  root.append(...axes(description, frame));
  if (shade) {
    const from = Math.max(frame.x(shade.from), LEFT);
    const wide = Math.max(0, Math.min(frame.x(shade.to), width - RIGHT) - from);
    root.append(
      svg("rect", { x: from, y: TOP, width: wide, height: height - TOP - BOTTOM, fill: "var(--ink)", opacity: 0.05 }),
    );
  }
  for (const { low, high, colour, opacity = 0.2 } of bands) {
    for (const area of areas(x.values, low, high, frame)) {
      root.append(svg("path", { d: area, fill: `var(--${colour})`, opacity, stroke: "none" }));
    }
  }
  for (const { at, colour = "muted", dash = true } of marks) {
    const place = { x1: frame.x(at), x2: frame.x(at), y1: TOP, y2: height - BOTTOM };
    root.append(svg("line", { ...place, stroke: `var(--${colour})`, "stroke-dasharray": dash && "3 3" }));
  }
  for (const line of lines) root.append(...drawnLine(x.values, line, frame));
  const cursor = svg("line", { y1: TOP, y2: height - BOTTOM, stroke: "var(--muted)", visibility: "hidden" });
  root.append(cursor);
  const nearest = (event) => {
    const at = frame.back(event.clientX - root.getBoundingClientRect().left);
    return closest(x.values, at);
  };
  root.addEventListener("pointermove", (event) => {
    const index = nearest(event);
    cursor.setAttribute("x1", frame.x(x.values[index]));
    cursor.setAttribute("x2", frame.x(x.values[index]));
    cursor.setAttribute("visibility", "visible");
    read(index);
  });
  root.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    read(null);
  });
  if (onpick) root.addEventListener("click", (event) => onpick(nearest(event)));
  box.replaceChildren(root);
  return { destroy: () => root.remove() };
}

/** A line without axes, for a list: null in values is a gap. */
export function sparkline(values, width = 72, height = 22) {
  const range = extent([values]);
  if (!range) return h("span", { class: "spark" });
  const [low, high] = range;
  const x = (at) => 1 + (at / Math.max(1, values.length - 1)) * (width - 2);
  const y = (value) => height - 2 - ((value - low) / (high - low || 1)) * (height - 4);
  const d = path(values.map((value, at) => (typeof value === "number" ? [x(at), y(value)] : null)));
  const line = svg("path", { d, fill: "none", stroke: "var(--muted)", "stroke-width": 1.2 });
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, line);
}

/** The lowest and highest value that a chart has to reach, for either way to draw it. */
export function rangeOf({ lines, bands, y }) {
  const found = extent([...lines.map(({ values }) => values), ...bands.flatMap(({ low, high }) => [low, high])]) ?? [
    0, 1,
  ];
  const low = y.min ?? (y.zero ? Math.min(0, found[0]) : found[0]);
  const high = y.max ?? (y.zero ? Math.max(0, found[1]) : found[1]);
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [y.min ?? (y.zero && low === 0 ? 0 : low - room), y.max ?? high + room];
}

/** The text at a line of the upright axis. */
export function valueText(value, y) {
  return y.share ? percent(value) : number(value, 4);
}

function frameOf(description, width) {
  const { x, height } = description;
  const [low, high] = rangeOf(description);
  const first = x.values[0];
  const last = x.values[x.values.length - 1];
  const span = last - first || 1;
  return {
    width,
    low,
    high,
    first,
    last,
    x: (value) => LEFT + ((value - first) / span) * (width - LEFT - RIGHT),
    y: (value) => height - BOTTOM - ((value - low) / (high - low || 1)) * (height - TOP - BOTTOM),
    back: (place) => first + ((place - LEFT) / (width - LEFT - RIGHT)) * span,
  };
}

function axes({ x, y, height }, frame) {
  const made = [];
  const text = { fill: "var(--muted)", "font-size": 11 };
  for (const value of ticks(frame.low, frame.high, Math.max(3, Math.round(height / 60)))) {
    const at = frame.y(value);
    made.push(svg("line", { x1: LEFT, x2: frame.width - RIGHT, y1: at, y2: at, stroke: "var(--line)" }));
    made.push(svg("text", { ...text, x: LEFT - 8, y: at + 4, "text-anchor": "end" }, valueText(value, y)));
  }
  const count = Math.max(2, Math.floor(frame.width / 110));
  const upright = x.kind === "time" ? timeTicks(frame.first, frame.last, count) : ticks(frame.first, frame.last, count);
  const step = upright.length > 1 ? upright[1] - upright[0] : 0;
  for (const value of upright) {
    const words = x.kind === "time" ? timeLabel(value, step) : x.kind === "share" ? percent(value) : number(value);
    const place = frame.x(value);
    const fits = place + 3 * `${words}`.length <= frame.width; // half of it, of letters six wide
    const where = fits ? { x: place, "text-anchor": "middle" } : { x: frame.width, "text-anchor": "end" };
    made.push(svg("text", { ...text, ...where, y: height - BOTTOM + 18 }, words));
  }
  return made;
}

function drawnLine(at, { values, colour, width = 2, dash, dots, faint }, frame) {
  const points = values.map((value, index) =>
    typeof value === "number" ? [frame.x(at[index]), frame.y(value)] : null,
  );
  const opacity = faint ? 0.35 : null;
  const made = [];
  if (width > 0) {
    const look = { stroke: `var(--${colour})`, "stroke-width": width, "stroke-dasharray": dash?.join(" "), opacity };
    made.push(svg("path", { d: path(points), fill: "none", "stroke-linejoin": "round", ...look }));
  }
  // A value between two gaps is no line.
  const alone = (point, index) => point && (dots || (!points[index - 1] && !points[index + 1]));
  for (const [cx, cy] of points.filter(alone))
    made.push(svg("circle", { cx, cy, r: dots ? 3 : 1.5, fill: `var(--${colour})`, opacity }));
  return made;
}

function path(points) {
  let pen = "M";
  let drawn = "";
  for (const point of points) {
    if (point === null) {
      pen = "M";
      continue;
    }
    drawn += `${pen}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}

function* areas(at, low, high, frame) {
  let part = [];
  for (let index = 0; index <= at.length; index += 1) {
    if (index < at.length && typeof low[index] === "number" && typeof high[index] === "number") {
      part.push(index);
    } else if (part.length) {
      const over = part.map((spot) => [frame.x(at[spot]), frame.y(high[spot])]);
      const under = part.map((spot) => [frame.x(at[spot]), frame.y(low[spot])]).reverse();
      yield `${path([...over, ...under])}Z`;
      part = [];
    }
  }
}

function closest(sorted, value) {
  let low = 0;
  let high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle;
    else high = middle;
  }
  return value - sorted[low] < sorted[high] - value ? low : high;
}
