// What happened, by kind: its word, its colour, and its marks on an axis of time.

import { seconds, stampOf } from "./format.js";

const KINDS = {
  promotion: { title: "Promoted", colour: "green" },
  refusal: { title: "Refused", colour: "yellow" },
  rollback: { title: "Rolled back", colour: "pink" },
  retraining: { title: "Retrained", colour: "sky" },
  drift: { title: "Drift", colour: "orange" },
  outage: { title: "Outage", colour: "orange" },
  revision: { title: "Revised", colour: "muted" },
  adjustment: { title: "Adjusted", colour: "pink" },
  anomaly: { title: "Anomaly", colour: "yellow" },
  holiday: { title: "Holiday", colour: "muted" },
};
const ON_AXIS = new Set(["promotion", "rollback", "retraining", "drift", "outage", "holiday"]);

/** The word and the colour of a kind of event. */
export function kindOf(kind) {
  return KINDS[kind] ?? { title: kind, colour: "muted" };
}

/** The marks of what may explain a change of accuracy, within a span of seconds. */
export function marksOf(rows, first, last) {
  return rows
    .filter(({ kind }) => ON_AXIS.has(kind))
    .map(({ at, kind, title }) => ({
      at: seconds(at),
      name: kindOf(kind).title,
      colour: kindOf(kind).colour,
      label: title,
    }))
    .filter(({ at }) => at >= first && at <= last)
    .sort((a, b) => (stampOf(a.at) < stampOf(b.at) ? -1 : 1));
}
