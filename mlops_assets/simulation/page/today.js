// A day in words: what came, what was decided and why, what it cost.

import { h } from "./dom.js";
import { counted, metricText, number, percent, when } from "./format.js";
import { asks, colourOf, spans, wentWrong } from "./happened.js";

/** The panel of a day. */
export function today(journal, at) {
  const { days } = journal;
  const day = days[at];
  return [
    h("h2", {}, when(day.date), " ", h("span", { class: "badge" }, `day ${at + 1} of ${journal.planned}`)),
    part("In the world", world(days, at)),
    part("What came", came(day)),
    part("How good it was", [scores(day)]),
    part("What was decided", [...day.decided.map(decision), ...day.asked.map(answer)]),
    part("What people were told", day.alerts.map(({ kind, message }) => said("orange", kind, message))),
    part("Jobs of the service", jobs(day)),
    part("What the auditor found", day.faults.map((fault) => said("orange", "fault", fault))),
    part("What it cost", [cost(day)]),
  ];
}

function part(title, lines) {
  const there = lines.filter(Boolean);
  return there.length > 0 && [h("h3", {}, title), h("ul", { class: "lines" }, there.map((line) => h("li", {}, line)))];
}

function world(days, at) {
  const going = spans(days).filter(({ from, to }) => from <= at && at <= to);
  return going.map(({ kind, item, from, to }) => {
    const name = item ? `${kind}: ${item}` : kind;
    if (from === at) return said("orange", name, to === from ? "" : "begins");
    return said("muted", name, at === to && to < days.length - 1 ? "last day" : `day ${at - from + 1}`);
  });
}

function came({ came: rows, quarantined, revised, champion }) {
  return [
    rows > 0 ? `${counted(rows, "row")} came.` : "Nothing came.",
    quarantined > 0 && `${counted(quarantined, "row")} set aside.`,
    revised > 0 && `${counted(revised, "row")} came anew with another value.`,
    champion > 0 ? `Version ${champion} is champion.` : "There is no champion yet.",
  ];
}

/** What befell each job, in the order in which it did. */
function jobs({ jobs: befell }) {
  const names = [...new Set(befell.map(({ job }) => job))];
  return names.map((name) => {
    const own = befell.filter(({ job }) => job === name);
    const words = own.map(({ state, message }) => (message ? `${state} (${message})` : state)).join(", ");
    return said(own.some(wentWrong) ? "yellow" : "muted", name, words);
  });
}

function scores({ wql, naive }) {
  if (wql === null) return null;
  const own = `wQL ${metricText("wql", wql)}`;
  if (!naive) return `${own}.`;
  const better = 1 - wql / naive;
  return `${own}, seasonal naive's ${metricText("wql", naive)}: ${percent(Math.abs(better))} ${better >= 0 ? "better" : "worse"}.`;
}

function decision(one) {
  const failed = one.failed.length ? ` (not passed: ${one.failed.join(", ")})` : "";
  return said(colourOf(one), `Version ${one.version} ${one.outcome}`, `${one.reason}${failed}`);
}

function answer(one) {
  const held = one.guard ? `, held by ${one.guard}` : "";
  return said(asks(one) ? "sky" : "muted", `${one.policy}: ${one.action}${held}`, one.reason);
}

function said(colour, title, text) {
  return [h("i", { class: `dot fill-${colour}`, "aria-hidden": "true" }), h("span", {}, h("b", {}, title), text && ` – ${text}`)];
}

function cost({ cpu_seconds: spent }) {
  const parts = Object.entries(spent).filter(([, seconds]) => seconds > 0);
  if (parts.length === 0) return null;
  const sum = parts.reduce((total, [, seconds]) => total + seconds, 0);
  return `${number(sum)} CPU seconds: ${parts.map(([stage, seconds]) => `${stage} ${number(seconds, 2)}`).join(", ")}.`;
}
