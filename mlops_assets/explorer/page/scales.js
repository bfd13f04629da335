// Where the numbers and times of an axis are written.

const DAY = 86400;
const STEPS = [60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];

/** Lowest and highest of several lists of numbers, null where there is none. */
export function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (typeof value !== "number") continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low > high ? null : [low, high];
}

/** Round values over a range, about as many as asked for. */
export function ticks(low, high, count = 5) {
  const span = high - low || 1;
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** Times over a range of seconds at which people would draw a line: midnights, Mondays, first days of months. */
export function timeTicks(low, high, count = 6) {
  const rough = (high - low || 1) / count;
  const step = STEPS.find((candidate) => candidate >= rough);
  if (step) {
    const from = step % (7 * DAY) === 0 ? 4 * DAY : 0; // 5 January 1970 was a Monday
    const first = Math.ceil((low - from) / step) * step + from;
    return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, at) => first + at * step);
  }
  const months = MONTHS.find((candidate) => candidate * 30 * DAY >= rough) ?? 240;
  const found = [];
  const start = new Date(low * 1000);
  let month = Math.floor((start.getUTCFullYear() * 12 + start.getUTCMonth()) / months) * months;
  for (; found.length < 40; month += months) {
    const at = Date.UTC(Math.floor(month / 12), month % 12, 1) / 1000;
    if (at > high) break;
    if (at >= low) found.push(at);
  }
  return found;
}

/** The text of a time on an axis whose lines are so far apart. */
export function timeLabel(at, step) {
  const date = new Date(at * 1000);
  const text = (options) => date.toLocaleDateString("en-GB", { timeZone: "UTC", ...options });
  if (step < DAY && at % DAY !== 0) return date.toISOString().slice(11, 16);
  if (step < 27 * DAY) return text({ day: "numeric", month: "short" });
  if (step < 360 * DAY)
    return text({ month: "short", year: date.getUTCMonth() < step / (30 * DAY) ? "numeric" : undefined });
  return text({ year: "numeric" });
}
