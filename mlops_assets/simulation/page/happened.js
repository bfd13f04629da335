// What happened on the days of a journal: its colour, its words.

import { counted, number, percent } from "./format.js";

const OUTCOMES = { promoted: "green", "rolled back": "pink" };

/** The colour of a decision on a version. */
export function colourOf({ outcome }) {
  return OUTCOMES[outcome] ?? "yellow";
}

/** Whether a policy asks for a training. */
export function asks({ action }) {
  return action !== "keep" && action !== "refresh";
}

/** Whether what befell a job is worth a mark: it ended badly. */
export function wentWrong({ state }) {
  return ["failed", "cancelled", "expired"].includes(state);
}

/** Spans of what happened in the world: [{ kind, item, from, to }], `to` the last day. */
export function spans(days) {
  const open = new Map();
  const found = [];
  days.forEach(({ happened }, day) => {
    for (const { kind, item, begins } of happened) {
      const key = `${kind}/${item}`;
      const before = open.get(key);
      if (before && !begins && before.to >= day - 1) before.to = day;
      else found.push(open.set(key, { kind, item, from: day, to: day }).get(key));
    }
  });
  return found;
}

/** The numbers of days on which something begins, is decided or told. */
export function noteworthy(days) {
  const is = ({ happened, decided, asked, jobs, faults, alerts }, before) =>
    happened.some(({ begins }) => begins) ||
    [decided, faults, jobs.filter(wentWrong)].some((list) => list.length > 0) ||
    asked.some(asks) ||
    (alerts.length > 0 && !before?.alerts.length);
  return days.map((day, at) => (is(day, days[at - 1]) ? at : -1)).filter((at) => at >= 0);
}

/** How it went, in a few sentences. */
export function summary({ days, courses, seed }) {
  const kinds = spans(days).length;
  const asked = days.filter((day) => day.asked.some(asks)).length;
  const outcomes = new Map();
  for (const { outcome } of days.flatMap(({ decided }) => decided)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const decided = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(", ");
  const scored = days.filter(({ wql, naive }) => wql !== null && naive !== null);
  const sum = (pick) => scored.reduce((total, day) => total + pick(day), 0);
  const better = scored.length ? 1 - sum(({ wql }) => wql) / sum(({ naive }) => naive) : null;
  const faults = days.reduce((sum, day) => sum + day.faults.length, 0);
  return [
    kinds > 0 && `In ${counted(days.length, "day")} ${counted(kinds, "thing")} happened.`,
    `Retraining was asked for on ${counted(asked, "day")}${decided ? `; of the versions: ${decided}` : ""}.`,
    better !== null &&
      `The forecasts were ${percent(Math.abs(better))} ${better >= 0 ? "better" : "worse"} than seasonal naive (weighted quantile loss).`,
    ...courses.slice(0, 1).flatMap((lived) => against(lived, courses.slice(1))),
    seed !== null && `The auditor found ${faults === 0 ? "nothing wrong" : counted(faults, "fault")}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** The mean of a course's scores, and its processor seconds. */
export function totals({ wql, cpu_seconds: cpu }) {
  const scored = wql.filter((value) => value !== null);
  return {
    wql: scored.length ? scored.reduce((sum, value) => sum + value, 0) / scored.length : null,
    cpu: cpu.reduce((sum, value) => sum + value, 0),
  };
}

function against(lived, others) {
  const own = totals(lived);
  if (own.wql === null) return [];
  return others
    .map((other) => [other, totals(other)])
    .filter(([, { wql }]) => wql !== null)
    .map(([{ name, verdict }, { cpu }]) => {
      const cost = `${number(cpu)} instead of ${number(own.cpu)} CPU seconds of training`;
      return `With a model that is ${name} they would have been ${verdict}; it takes ${cost}.`;
    });
}
