// The page of a simulated year: steps through its days, and shows each.

import { ask } from "./data.js";
import { fill, h } from "./dom.js";
import { counted, when } from "./format.js";
import { withLibrary } from "./charts.js";
import { themeButton } from "./theme.js";
import { costs } from "./costs.js";
import { fanChart } from "./fan.js";
import { lanes } from "./lanes.js";
import { noteworthy, summary } from "./happened.js";
import { select } from "./panel.js";
import { today } from "./today.js";

const app = document.getElementById("app");
const PACE = 350; // milliseconds a day, when it plays

ask("/journal").then(show);

function show(journal) {
  const { days } = journal;
  const at = noteworthy(days);
  const items = [...new Set(days.flatMap(({ observed }) => observed.map(({ item }) => item)))].sort();
  const now = { day: startOf(days), item: items[0], timer: null };

  const lane = lanes(journal, go);
  const slider = h("input", {
    type: "range",
    min: 0,
    max: days.length - 1,
    "aria-label": "Day",
    oninput: (event) => go(Number(event.target.value)),
  });
  const date = h("b", { class: "date" });
  const play = button("▶", "Play (space)", () => toggle());
  const steps = [
    button("«", "The event before (p)", () => go(at.findLast((day) => day < now.day) ?? now.day)),
    button("‹", "The day before (←)", () => go(now.day - 1)),
    play,
    button("›", "The next day (→)", () => go(now.day + 1)),
    button("»", "The next event (n)", () => go(at.find((day) => day > now.day) ?? now.day)),
  ];
  const chart = h("div");
  const told = h("div", { class: "today", "aria-live": "polite" });

  function go(day) {
    now.day = Math.max(0, Math.min(days.length - 1, day));
    slider.value = now.day;
    date.textContent = when(days[now.day].date);
    slider.setAttribute("aria-valuetext", date.textContent);
    lane.mark(now.day);
    fill(chart, fanChart(journal, now.item, now.day, go));
    fill(told, today(journal, now.day));
    history.replaceState(null, "", `#${days[now.day].date}`);
  }

  function toggle() {
    const playing = now.timer !== null;
    if (playing) clearInterval(now.timer);
    now.timer = playing
      ? null
      : setInterval(() => (now.day < days.length - 1 ? go(now.day + 1) : toggle()), PACE);
    play.textContent = playing ? "▶" : "❚❚";
    play.setAttribute("aria-pressed", String(!playing));
  }

  fill(
    app,
    h(
      "header",
      { class: "top" },
      h("span", { class: "brand" }, h("span", { class: "sign-mark", "aria-hidden": "true" }), h("span", {}, "The simulated year")),
      h("span", { class: "space" }),
      themeButton(),
    ),
    h(
      "main",
      { id: "main", class: "home year" },
      about(journal),
      h(
        "section",
        { class: "panel", "aria-label": "Timeline" },
        lane.element,
        h("div", { class: "steps" }, h("span", { class: "choices" }, steps), date, slider),
        h("p", { class: "muted keys" }, "← → a day, n p an event, space plays, Home and End"),
      ),
      h(
        "div",
        { class: "sides" },
        h(
          "section",
          { class: "panel" },
          h(
            "header",
            {},
            h("h2", {}, "What was forecast from this day"),
            items.length > 1 &&
              select(
                "Item",
                items.map((item) => [item, item]),
                now.item,
                (item) => {
                  now.item = item;
                  go(now.day);
                },
              ),
          ),
          chart,
        ),
        h("section", { class: "panel told-today" }, told),
        costs(journal, go),
      ),
      foot(),
    ),
  );

  const keys = {
    ArrowLeft: () => go(now.day - 1),
    ArrowRight: () => go(now.day + 1),
    p: () => steps[0].click(),
    n: () => steps[4].click(),
    " ": toggle,
    Home: () => go(0),
    End: () => go(days.length - 1),
  };
  addEventListener("keydown", (event) => {
    const inside = event.target.closest("select, input, [contenteditable]") && event.target !== slider;
    if (event.ctrlKey || event.metaKey || event.altKey || inside || !keys[event.key]) return;
    if (event.key === " " && event.target.closest("button, summary, a")) return;
    event.preventDefault();
    keys[event.key]();
  });
  addEventListener("hashchange", () => go(startOf(days)));
  go(now.day);
}

/** The day of the address, else the first with a forecast. */
function startOf(days) {
  const named = days.findIndex(({ date }) => `#${date}` === location.hash);
  return named >= 0 ? named : Math.max(0, days.findIndex(({ forecasts }) => forecasts.length > 0));
}

function about(journal) {
  const { forecast, seed, commit, release, mode, planned, days, left_out: leftOut } = journal;
  const faults = days.flatMap(({ date, faults: found }) => found.map((fault) => `${date}: ${fault}`));
  const facts = [
    seed === null ? "its own history" : `seed ${seed}`,
    days.length < planned ? `${days.length} of ${planned} days` : counted(days.length, "day"),
    `${mode} mode`,
    `release ${release}`,
    commit && `commit ${commit.slice(0, 10)}`,
    leftOut.length > 0 && `without ${leftOut.join(", ")}`,
  ];
  const span = days.length === 365 ? "A year" : counted(days.length, "day");
  return h(
    "section",
    {},
    h("h1", {}, `${span} of ${seed === null ? forecast : "a made-up forecast"}, day by day`),
    h("p", { class: "muted" }, facts.filter(Boolean).join(" · ")),
    h("p", { class: "words" }, summary(journal)),
    faults.length > 0 && h("ul", { class: "warn" }, faults.slice(0, 20).map((fault) => h("li", {}, fault))),
  );
}

function button(sign, title, onclick) {
  return h("button", { type: "button", class: "icon", title, "aria-label": title, onclick }, sign);
}

function foot() {
  return h(
    "footer",
    { class: "muted" },
    "This file holds its data and asks nobody. ",
    !withLibrary() && "Charts are plain SVG here: the charting library was not fetched (make vendor).",
  );
}
