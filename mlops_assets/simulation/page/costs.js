// What the year cost, and what other policies would have: accuracy and processor time as they add up.

import { chart } from "./charts.js";
import { h } from "./dom.js";
import { metric, metricText, number, seconds } from "./format.js";
import { panel } from "./panel.js";
import { table } from "./table.js";
import { totals } from "./happened.js";

const LOOKS = [
  { colour: "blue", width: 2.5 },
  { colour: "orange", dash: [6, 4] },
  { colour: "green", dash: [2, 3] },
];

/** The panel, or nothing where no other policy was played. */
export function costs({ days, courses, metric: name }, go) {
  if (courses.length === 0) return null;
  const x = { values: days.map(({ date }) => seconds(date)), kind: "time" };
  const lines = (pick) => courses.map((course, at) => ({ name: course.name, values: pick(course), ...LOOKS[at % 3] }));
  const notes = courses.filter(({ note }) => note).map(({ name: whose, note }) => `${whose}: ${note}`);
  return panel(
    { title: "As lived, and as others would have", note: notes.join("; ") },
    overview(courses, name),
    h(
      "div",
      { class: "pair" },
      chart({
        title: `Mean ${metric(name).title} so far`,
        note: `Mean ${metric(name).title} so far: lower is better`,
        x,
        height: 220,
        lines: lines(({ wql }) => meanSoFar(wql)),
        onpick: go,
      }),
      chart({
        title: "Processor seconds of training so far",
        note: "CPU seconds of training so far",
        x,
        y: { zero: true },
        height: 220,
        lines: lines(({ cpu_seconds: cpu }) => sumSoFar(cpu)),
        onpick: go,
      }),
    ),
  );
}

function overview(courses, name) {
  const columns = [
    { name: "name", title: "policy", left: true },
    { name: "wql", title: `mean ${metric(name).title}`, text: (value) => metricText(name, value) },
    { name: "cpu", title: "CPU seconds of training", text: (value) => number(value) },
  ];
  return table(
    columns,
    courses.map((course) => ({ name: course.name, ...totals(course) })),
    "Costs by policy",
  );
}

function meanSoFar(values) {
  let [sum, count] = [0, 0];
  return values.map((value) => {
    if (value !== null) [sum, count] = [sum + value, count + 1];
    return count > 0 ? sum / count : null;
  });
}

function sumSoFar(values) {
  let sum = 0;
  return values.map((value) => (sum += value));
}
