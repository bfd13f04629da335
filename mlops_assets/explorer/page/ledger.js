// What the rows of a ledger say: which are delivered and which beside, of which origins, and the bands of their fan.

import { level, percent, quantilesOf } from "./format.js";

const OURS = new Set(["champion", "fallback", "seasonal_naive", "aggregate", "model", ""]);

/** The column of the point forecast. */
export function pointOf(state, row) {
  const named = state.point_column;
  return named && row && named in row ? named : "mean";
}

/** The origins of rows that are delivered, first to last; rows beside them are marked on the way. */
export function originsOf(rows) {
  for (const row of rows) row.beside = row.role ? row.role === "shadow" : !OURS.has(row.source ?? "");
  const found = new Set(rows.filter(({ beside }) => !beside).map(({ origin }) => origin));
  return [...found].sort();
}

/** The rows of an origin: those delivered, and those of each service beside. */
export function futureOf(rows, origin) {
  const delivered = [];
  const beside = {};
  for (const row of rows) {
    if (row.origin !== origin) continue;
    if (row.beside) (beside[row.source] ??= []).push(row);
    else delivered.push(row);
  }
  delivered.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
  return { delivered, beside };
}

/** The bands between pairs of quantiles, widest first: [{ name, low, high, opacity }], low and high are columns. */
export function fan(rows) {
  const columns = quantilesOf(rows[0]);
  const pairs = Math.floor(columns.length / 2);
  return Array.from({ length: pairs }, (_, at) => {
    const low = columns[at];
    const high = columns[columns.length - 1 - at];
    return {
      name: `${percent(level(high) - level(low))} band`,
      low,
      high,
      opacity: 0.16 + (0.2 * at) / Math.max(1, pairs),
    };
  });
}
