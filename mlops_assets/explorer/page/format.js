// How numbers, times and metrics are written.

const MINUS = "−";
const METRICS = {
  wql: { title: "wQL", words: "weighted quantile loss", lower: true },
  mase: { title: "MASE", words: "mean absolute scaled error: seasonal naive scores about 1", lower: true },
  rmsse: { title: "RMSSE", words: "root mean squared scaled error", lower: true },
  smape: { title: "sMAPE", words: "symmetric percentage error", share: true, lower: true },
  wape: { title: "WAPE", words: "sum of errors by sum of actuals", share: true, lower: true },
  sql: { title: "SQL", words: "scaled quantile loss", lower: true },
  wis: { title: "WIS", words: "weighted interval score, in the unit of the target", lower: true },
  coverage: { title: "coverage", words: "share of actuals between the outermost quantiles", share: true },
  bias: { title: "bias", words: "sum of errors by sum of actuals: above zero, the forecast is too high", share: true },
  cost: { title: "cost", words: "mean cost of an error", lower: true },
  naive_mase: { title: "naive's MASE", words: "MASE of seasonal naive on the same rows", lower: true },
  skill: { title: "skill", words: "1 − MASE / naive's MASE: above zero, better than seasonal naive", share: true },
};

/** The metrics that rows have, in the order in which they are shown. */
export function metricsOf(rows) {
  return Object.keys(METRICS).filter((name) => rows.some((row) => typeof row[name] === "number"));
}

/** What is known of a metric: title, words, whether it is a share, whether lower is better. */
export function metric(name) {
  return METRICS[name] ?? { title: name, words: "" };
}

/** A metric's value as text. */
export function metricText(name, value) {
  if (typeof value !== "number") return "–";
  return metric(name).share ? percent(value) : number(value, 3);
}

/** A number with three significant digits or all before the point: 0.0852, 1,234. */
export function number(value, digits = 3) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const whole = Math.abs(value) >= 10 ** (digits - 1);
  const options = whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits };
  return value.toLocaleString("en", options).replace("-", MINUS);
}

/** The same with its sign. */
export function signed(value, digits = 3) {
  return value > 0 ? `+${number(value, digits)}` : number(value, digits);
}

/** A share as a percentage: 0.875 is 87.5 %. */
export function percent(value, sign = false) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const hundredths = value * 100;
  const text = hundredths.toLocaleString("en", { maximumFractionDigits: Math.abs(hundredths) < 10 ? 1 : 0 });
  return `${sign && value > 0 ? "+" : ""}${text.replace("-", MINUS)} %`;
}

/** Seconds since 1970 of a naive time or a partition's key, shown as it is in whatever zone the reader sits. */
export function seconds(time) {
  const [, date = "", clock = "00:00"] = /^(\d{4}-\d\d(?:-\d\d)?)(?:[T -](\d\d:\d\d.*))?/.exec(time) ?? [];
  return Date.parse(`${date.length === 7 ? `${date}-01` : date}T${clock.replace(/Z$/, "")}Z`) / 1000;
}

/** The naive time of such seconds. */
export function stampOf(at) {
  return new Date(at * 1000).toISOString().slice(0, 19);
}

/** A time in words: Tue 17 Dec 2013, and the clock where it is not midnight. */
export function when(time, { weekday = true, year = true } = {}) {
  if (time === null || time === undefined || time === "") return "–";
  const at = seconds(time);
  if (!Number.isFinite(at)) return String(time);
  const date = new Date(at * 1000);
  const parts = { day: "numeric", month: "short", timeZone: "UTC" };
  if (weekday) parts.weekday = "short";
  if (year) parts.year = "numeric";
  const day = date.toLocaleDateString("en-GB", parts).replace(",", "");
  return at % 86400 === 0 ? day : `${day} ${date.toISOString().slice(11, 16)}`;
}

/** An item's id as people read it: sums of a hierarchy by the name of their group. */
export function titleOf(item, isSum) {
  if (!isSum) return item;
  return item === "sum:*" ? "All items" : item.replace(/^sum:/, "");
}

/** Whether an item is a sum, in a forecast with such a hierarchy. */
export function isSum(item, { hierarchy }) {
  return Boolean(hierarchy?.length) && item.startsWith("sum:");
}

/** A word with its number: 1 day, 3 days. */
export function counted(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

/** The columns of quantiles that a row has, lowest first: q10, q50, q97_5. */
export function quantilesOf(row) {
  return Object.keys(row ?? {})
    .filter((name) => /^q\d+(_\d+)?$/.test(name))
    .sort((a, b) => level(a) - level(b));
}

/** The level of a quantile's column: q97_5 is 0.975. */
export function level(column) {
  return Number(column.slice(1).replace("_", ".")) / 100;
}
