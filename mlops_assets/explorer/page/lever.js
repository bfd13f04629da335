// A lever: how, and by how much, a covariate would be different.

import { h } from "./dom.js";

const WAYS = { "*": "times", "+": "plus", "=": "set to" };

/**
 * A lever of one covariate: its element, and change() as the command line writes it, null while it rests.
 *
 * past: what the covariate has been, for the range; given: a change to begin with, such as price=*0.9.
 */
export function lever(name, past, given, told) {
  const options = Object.entries(WAYS).map(([way, title]) => h("option", { value: way }, title));
  const how = h("select", { "aria-label": `How ${name} changes` }, options);
  const slider = h("input", { type: "range", "aria-label": `Change of ${name}` });
  const field = h("input", { type: "number", step: "any", "aria-label": `Change of ${name} as a number` });
  const known = past.filter((value) => typeof value === "number");
  const state = { moved: false };
  function rest() {
    const { low, high, step, start } = rangeOf(how.value, known);
    Object.assign(slider, { min: low, max: high, step, value: start });
    field.value = start;
    state.moved = false;
  }
  function move(from, to) {
    to.value = from.value;
    state.moved = from.value !== "";
    told();
  }
  how.addEventListener("change", () => {
    rest();
    told();
  });
  slider.addEventListener("input", () => move(slider, field));
  field.addEventListener("input", () => move(field, slider));
  const [way, number] = given ? parts(given, name) : [isSwitch(known) ? "=" : "*", null];
  how.value = way;
  rest();
  if (number !== null) {
    slider.value = field.value = number;
    state.moved = true;
  }
  const change = () =>
    state.moved && Number.isFinite(Number(field.value)) ? written(name, how.value, Number(field.value)) : null;
  return { element: h("div", { class: "lever" }, h("b", {}, name), how, slider, field), change };
}

/** A change in words: price × 0.9, promotion = 1. */
export function inWords(change) {
  const at = change.search(/=[=+*-]?-?[\d.]+$/);
  const [way, number] = parts(change, change.slice(0, at));
  const sign = { "*": "×", "+": number < 0 ? "−" : "+", "=": "=" }[way];
  return `${change.slice(0, at)} ${sign} ${way === "+" ? Math.abs(number) : number}`;
}

/** Whether a covariate is on or off. */
function isSwitch(known) {
  return known.length > 0 && known.every((value) => value === 0 || value === 1);
}

function rangeOf(way, known) {
  const low = known.length ? Math.min(...known) : 0;
  const high = known.length ? Math.max(...known) : 1;
  const span = high - low || Math.abs(high) || 1;
  if (way === "*") return { low: 0, high: 2, step: 0.05, start: 1 };
  if (way === "+") return { low: -rounded(span), high: rounded(span), step: rounded(span) / 50, start: 0 };
  if (isSwitch(known)) return { low: 0, high: 1, step: 1, start: known.at(-1) };
  return {
    low: rounded(low - span / 4),
    high: rounded(high + span / 4),
    step: rounded(span) / 50,
    start: rounded(known.at(-1) ?? 0),
  };
}

function rounded(value) {
  return Number(value.toPrecision(2));
}

/** As the command line writes it: price=*0.9, temperature=+5, temperature=-5, promotion=1, temperature==-5. */
function written(name, way, value) {
  if (way === "*") return `${name}=*${value}`;
  if (way === "+") return value < 0 ? `${name}=-${-value}` : `${name}=+${value}`;
  return value < 0 ? `${name}==${value}` : `${name}=${value}`;
}

/** The way and the number of a change that was written. */
function parts(change, name) {
  const [, way, number] = /^([=+*-]?)(-?[\d.]+)$/.exec(change.slice(name.length + 1)) ?? [null, "*", 1];
  if (way === "-") return ["+", -Number(number)];
  return [way || "=", Number(number)];
}
