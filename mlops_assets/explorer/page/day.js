// How the forecast for one time changed from origin to origin.

import { here, slide } from "./address.js";
import { chart } from "./charts.js";
import { fill, h } from "./dom.js";
import { counted, number, seconds, signed, when } from "./format.js";
import { fan, futureOf } from "./ledger.js";
import { nothing, panel } from "./panel.js";
import { downloads } from "./table.js";

/** How the forecast for one time changed from origin to origin, until it came. */
export function dayPanel(view, index) {
  const { name, item, rows, origins, point, actuals } = view;
  const { delivered } = futureOf(rows, origins[index]);
  const times = delivered.map((row) => row.timestamp);
  const held = h("div");
  const middle = times[Math.floor((times.length - 1) / 2)];
  let slices = [];
  const show = (time) => {
    slices = rows.filter((row) => row.timestamp === time && !row.beside).sort((a, b) => (a.origin < b.origin ? -1 : 1));
    fill(
      held,
      slices.length > 1 ? dayChart(slices, time, point, actuals) : nothing("Only one forecast reaches this time."),
    );
  };
  const { at } = here().params; // stepping through origins keeps it
  const chosen = times.includes(at) ? at : middle;
  const slider = h("input", {
    type: "range",
    min: 0,
    max: times.length - 1,
    value: times.indexOf(chosen),
    "aria-label": "Time that is forecast",
  });
  const label = h("b", {}, when(chosen));
  slider.setAttribute("aria-valuetext", when(chosen));
  slider.addEventListener("input", () => {
    const time = times[Number(slider.value)];
    label.textContent = when(time);
    slider.setAttribute("aria-valuetext", when(time));
    slide({ at: time });
    show(time);
  });
  show(chosen);
  return panel(
    {
      title: "How did the forecast for one time change?",
      tools: downloads(`${name} ${item} by origin`, () => slices.map(({ beside: _, ...row }) => row)),
    },
    h("div", { class: "stepper" }, h("span", {}, "For ", label), slider),
    held,
  );
}

function dayChart(slices, time, point, actuals) {
  const x = slices.map((row) => seconds(row.origin));
  const came = actuals.find(({ at }) => at === seconds(time))?.value;
  const first = slices[0][point];
  const last = slices.at(-1)[point];
  const [early, late] = [slices[0], slices.at(-1)].map(({ lead }) => counted(lead, "step"));
  const moved = `From ${number(first)} (${early} ahead) to ${number(last)} (${late} ahead): ${last === first ? "unchanged" : signed(last - first)}.`;
  return chart({
    title: `Forecasts for ${when(time)}`,
    note: typeof came === "number" ? `${moved} ${number(came)} came.` : `${moved} It has not come yet.`,
    height: 220,
    x: { values: x, kind: "time", name: "made from" },
    bands: fan(slices).map(({ name, low, high, opacity }) => ({
      name,
      low: column(slices, low),
      high: column(slices, high),
      colour: "blue",
      opacity,
    })),
    lines: [
      typeof came === "number" && {
        name: "what came",
        values: x.map(() => came),
        colour: "orange",
        width: 1.5,
        dash: [5, 3],
      },
      { name: "forecast", values: column(slices, point), colour: "blue", dots: true },
    ].filter(Boolean),
  });
}

function column(rows, name) {
  return rows.map((row) => row[name] ?? null);
}
