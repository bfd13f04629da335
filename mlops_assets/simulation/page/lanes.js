// The year as lanes over one axis: what happened, what came, what was decided, who was champion, what was told.

import { h, svg } from "./dom.js";
import { seconds, when } from "./format.js";
import { timeLabel, timeTicks } from "./scales.js";
import { asks, colourOf, spans, wentWrong } from "./happened.js";

const LEFT = 84;
const RIGHT = 10;
const LINE = 20; // height of a row
const LETTER = 6.4; // width of a letter
const TOP = 6;

/** The lanes; go(day) is told where someone points, mark(day) moves the line. */
export function lanes(journal, go) {
  const { days } = journal;
  const box = h("div", { class: "lanes", role: "img", "aria-label": "What happened over the year: the days below tell it" });
  const drawn = { cursor: null, x: null, day: 0 };
  const mark = (day) => {
    drawn.day = day;
    if (!drawn.cursor) return;
    drawn.cursor.setAttribute("x", drawn.x(day) - 1);
  };
  let width = 0;
  const draw = () => {
    const now = Math.floor(box.clientWidth);
    if (now === 0 || now === width) return;
    width = now;
    const frame = frameOf(days.length, width);
    const rows = rowsOf(journal, frame);
    const height = TOP + rows.reduce((sum, row) => sum + row.lines * LINE + 4, 0) + 20;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" });
    let y = TOP;
    for (const { title, lines, parts } of rows) {
      root.append(svg("rect", { x: frame.left, y, width: width - frame.left - RIGHT, height: lines * LINE, class: "lane" }));
      root.append(svg("text", { x: 0, y: y + 14, class: "lane-name" }, title));
      root.append(...parts.map((part) => part(y)));
      y += lines * LINE + 4;
    }
    root.append(...axis(days, frame, y));
    drawn.cursor = svg("rect", { y: 0, width: 2, height: y, class: "cursor" });
    drawn.x = frame.middle;
    root.append(drawn.cursor);
    listen(root, frame, go);
    box.replaceChildren(root);
    mark(drawn.day);
  };
  new ResizeObserver(draw).observe(box);
  return { element: box, mark };
}

function frameOf(count, width) {
  const left = width < 480 ? 62 : LEFT;
  const step = (width - left - RIGHT) / Math.max(1, count);
  const x = (day) => left + day * step;
  return { left, step, x, width, count, middle: (day) => x(day) + step / 2 };
}

function listen(root, frame, go) {
  const to = (event) => go(Math.floor((event.clientX - root.getBoundingClientRect().left - frame.left) / frame.step));
  root.addEventListener("pointerdown", (event) => {
    root.setPointerCapture(event.pointerId);
    to(event);
  });
  root.addEventListener("pointermove", (event) => event.buttons === 1 && to(event));
}

function rowsOf({ days }, frame) {
  const dots = (pick, colour) =>
    days.flatMap((day, at) => pick(day, days[at - 1]).map((one) => dot(frame, at, colour(one), words(day, one))));
  const alerts = dots(
    ({ alerts: told }) => told.map(({ kind, message }) => ({ title: `${kind}: ${message}` })),
    () => "orange",
  );
  const jobs = dots(
    ({ jobs: befell }) =>
      befell.filter(wentWrong).map(({ job, state, message }) => ({ title: `${job} ${state} ${message}` })),
    () => "yellow",
  );
  const faults = dots(
    ({ faults: found }) => found.map((title) => ({ title })),
    () => "orange",
  );
  const decisions = dots(
    ({ asked, decided }) => [
      ...asked.filter(asks).map(({ action, reason }) => ({ title: `${action}: ${reason}`, colour: "sky" })),
      ...decided.map((one) => ({ title: `version ${one.version} ${one.outcome}: ${one.reason}`, colour: colourOf(one) })),
    ],
    ({ colour }) => colour,
  );
  return [
    days.some(({ happened }) => happened.length > 0) && world(days, frame),
    { title: "Data", lines: 1, parts: data(days, frame) },
    { title: "Decided", lines: 1, parts: decisions },
    { title: "Champion", lines: 1, parts: champions(days, frame) },
    { title: "Alerts", lines: 1, parts: alerts },
    jobs.length > 0 && { title: "Jobs", lines: 1, parts: jobs },
    faults.length > 0 && { title: "Faults", lines: 1, parts: faults },
  ].filter(Boolean);
}

function words({ date }, { title }) {
  return `${when(date)}: ${title}`;
}

/** What happens as bars with their names, each in the first row with room for it. */
function world(days, frame) {
  const ends = [];
  const placed = spans(days).map(({ kind, item, from, to }) => {
    const name = item ? `${kind}: ${item}` : kind;
    const wide = Math.max(frame.step * (to - from + 1), 3);
    const long = name.length * LETTER + 10;
    const inside = wide >= long;
    const start = frame.x(from);
    const turned = !inside && start + wide + long > frame.width - RIGHT;
    const left = turned ? start - long : start;
    let line = ends.findIndex((end) => end < left);
    if (line < 0) line = ends.push(0) - 1;
    ends[line] = inside ? start + wide : turned ? start + wide : start + wide + long;
    const title = `${name}, ${when(days[from].date)}${to > from ? ` to ${when(days[to].date)}` : ""}`;
    return (y) => {
      const top = y + line * LINE;
      const textX = inside ? start + 5 : turned ? start - 4 : start + wide + 4;
      return svg(
        "g",
        {},
        svg("title", {}, title),
        svg("rect", { x: start, y: top + 3, width: wide, height: LINE - 6, rx: 3, class: "span" }),
        svg("text", { x: textX, y: top + 14, class: "span-name", "text-anchor": turned ? "end" : null }, name),
      );
    };
  });
  return { title: "World", lines: Math.max(1, ends.length), parts: placed };
}

function data(days, frame) {
  const stroke = (at, colour, title) => (y) =>
    svg(
      "g",
      {},
      svg("title", {}, `${when(days[at].date)}: ${title}`),
      svg("rect", { x: frame.x(at), y: y + 3, width: Math.max(frame.step, 2), height: LINE - 6, fill: `var(--${colour})` }),
    );
  return days.flatMap(({ came, quarantined, revised }, at) =>
    [
      came === 0 && stroke(at, "orange", "nothing came"),
      quarantined > 0 && stroke(at, "yellow", `${quarantined} rows set aside`),
      revised > 0 && stroke(at, "pink", `${revised} rows came anew`),
    ].filter(Boolean),
  );
}

function champions(days, frame) {
  const found = [];
  days.forEach(({ champion }, at) => {
    const last = found.at(-1);
    if (last?.champion === champion) last.to = at;
    else found.push({ champion, from: at, to: at });
  });
  return found
    .filter(({ champion }) => champion > 0)
    .map(({ champion, from, to }, number) => (y) => {
      const wide = frame.step * (to - from + 1);
      const text = wide > 30 ? `v${champion}` : "";
      return svg(
        "g",
        {},
        svg("title", {}, `Version ${champion}, ${when(days[from].date)} to ${when(days[to].date)}`),
        svg("rect", { x: frame.x(from), y: y + 3, width: Math.max(wide - 1, 1), height: LINE - 6, rx: 2, class: number % 2 ? "reign odd" : "reign" }),
        svg("text", { x: frame.x(from) + 5, y: y + 14, class: "span-name" }, text),
      );
    });
}

function dot(frame, at, colour, title) {
  return (y) =>
    svg(
      "g",
      {},
      svg("title", {}, title),
      svg("circle", { cx: frame.middle(at), cy: y + LINE / 2, r: 4.5, fill: `var(--${colour})`, class: "mark" }),
    );
}

function axis(days, frame, y) {
  const [first, last] = [seconds(days[0].date), seconds(days.at(-1).date)];
  const at = timeTicks(first, last, Math.max(2, Math.floor(frame.width / 80)));
  const step = at.length > 1 ? at[1] - at[0] : 0;
  return at.map((time) => {
    const day = ((time - first) / (last - first || 1)) * (frame.count - 1);
    return svg("text", { x: frame.middle(day), y: y + 14, class: "tick" }, timeLabel(time, step));
  });
}
