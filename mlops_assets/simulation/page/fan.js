// An item as it was known on a day: what had come, what was forecast, and what came of it.

import { chart } from "./charts.js";
import { seconds, when } from "./format.js";
import { nothing } from "./panel.js";
import { spans } from "./happened.js";

const BACK = 56; // days that are looked back on

/** The chart; go(day) when a point of it is picked. */
export function fanChart(journal, item, day, go) {
  const { days } = journal;
  const fan = days[day].forecasts.find((one) => one.item === item);
  const start = Math.max(0, day - BACK);
  const known = valuesOf(days, item, day);
  const later = valuesOf(days, item, days.length - 1);
  const [first, last] = [seconds(days[start].date), seconds(days[day].date)];
  const future = fan ? fan.at.map(seconds) : [];
  const dates = days.map(({ date }) => seconds(date));
  const missed = dates.slice(start, day + 1); // a day without an observation is a gap in the line
  const times = [...new Set([...known.keys(), ...missed, ...future])].filter((time) => time >= first);
  times.sort((a, b) => a - b);
  if (known.size === 0) return nothing(`Nothing is known of ${item} yet.`);
  const ofFan = (values) => times.map((time) => (future.includes(time) ? values[future.indexOf(time)] : null));
  const marks = spans(days)
    .filter((span) => !span.item || span.item === item)
    .map(({ kind, from }) => ({ at: dates[from], name: kind, colour: "orange", label: "begins" }))
    .filter(({ at }) => at >= first && at <= last);
  return chart({
    title: `${item} as it was known on ${when(days[day].date)}`,
    note: fan ? (fan.source === "champion" ? "" : `by ${fan.source.replaceAll("_", " ")}`) : "No forecast was made.",
    height: 280,
    x: { values: times, kind: "time" },
    lines: [
      { name: "came", values: times.map((time) => known.get(time) ?? null), colour: "ink", width: 1.6 },
      {
        name: "came later",
        values: times.map((time) => (time > last ? (later.get(time) ?? null) : null)),
        colour: "orange",
        width: 1.5,
        dash: [4, 3],
      },
      fan && { name: "forecast", values: ofFan(fan.middle), colour: "blue" },
    ].filter(Boolean),
    bands: fan ? [{ name: "interval", low: ofFan(fan.low), high: ofFan(fan.high), colour: "blue" }] : [],
    marks,
    onpick: (index) => {
      const picked = dates.findLastIndex((date) => date <= times[index]);
      if (picked >= 0) go(picked);
    },
  });
}

/** What was known of an item on a day: time -> value, as it was said last. */
function valuesOf(days, item, until) {
  const found = new Map();
  for (const { observed } of days.slice(0, until + 1)) {
    for (const { item: whose, at, value } of observed) if (whose === item) found.set(seconds(at), value);
  }
  return found;
}

