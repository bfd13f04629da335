// All forecasts, each as a card.

import { addressOf } from "./address.js";
import { h } from "./dom.js";
import { counted, metric, metricText, percent, when } from "./format.js";
import { stateBadge } from "./shell.js";

/** The list of forecasts. */
export function home(forecasts) {
  if (forecasts.length === 0) return h("p", {}, "No forecast is declared in this folder yet.");
  const broken = forecasts.filter(({ state }) => state !== "ok").length;
  const words = broken ? `${counted(broken, "forecast")} of ${forecasts.length} to look at.` : "All is in order.";
  return [
    h("h1", {}, "Forecasts"),
    h("p", { class: "words" }, words),
    h("div", { class: "cards" }, forecasts.map(card)),
  ];
}

function card(forecast) {
  const { name, description, state, problems = [], skill } = forecast;
  const facts = [
    forecast.items && counted(forecast.items, "item"),
    forecast.horizon && `${forecast.horizon} steps ahead (${forecast.frequency})`,
    forecast.latest_origin && `latest from ${when(forecast.latest_origin)}`,
  ];
  return h(
    "a",
    { class: "panel card", href: addressOf({ forecast: name }) },
    h("h2", {}, name, " ", stateBadge(state)),
    h("p", { class: "muted" }, description),
    typeof skill === "number" &&
      h(
        "p",
        { class: "big" },
        percent(Math.abs(skill)),
        h("small", {}, skill >= 0 ? " better than seasonal naive lately" : " worse than seasonal naive lately"),
      ),
    h("p", {}, facts.filter(Boolean).join(" · ")),
    typeof forecast.value === "number" &&
      h("p", { class: "muted" }, `${metric(forecast.metric).title} ${metricText(forecast.metric, forecast.value)}`),
    problems.length > 0 &&
      h("p", { class: "warn" }, String(problems[0]), problems.length > 1 && ` and ${problems.length - 1} more`),
  );
}
