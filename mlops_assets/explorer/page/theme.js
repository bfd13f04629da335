// Dark and light: as the system has it, or as the reader has chosen.

import { h } from "./dom.js";

const NEXT = { auto: "dark", dark: "light", light: "auto" };
const SIGNS = { auto: "◐", dark: "●", light: "○" };
const watchers = new Set();
let chosen = kept();

/** A button that goes from the system's theme to dark, light, and back. */
export function themeButton() {
  const button = h("button", { type: "button", class: "icon", onclick: () => choose(NEXT[chosen]) });
  const show = () => {
    button.textContent = SIGNS[chosen];
    button.title = `Theme: ${chosen === "auto" ? "as the system" : chosen}`;
    button.setAttribute("aria-label", button.title);
  };
  watchers.add(show);
  show();
  return button;
}

/** Call when colours have changed; returns how to stop that. */
export function onTheme(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** A colour of style.css as canvas understands it: colour("blue") is rgb(0, 114, 178) in the light. */
export function colour(name) {
  const probe = h("i", { class: `ink-${name}` });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function choose(theme) {
  chosen = theme;
  try {
    localStorage.setItem("mlops-theme", theme);
  } catch {
    // a browser that keeps nothing: the choice holds for this page
  }
  apply();
}

function kept() {
  try {
    const theme = localStorage.getItem("mlops-theme");
    return theme in NEXT ? theme : "auto";
  } catch {
    return "auto";
  }
}

function apply() {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  for (const watcher of watchers) watcher();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
// Paper is white, and what is drawn on a canvas does not change its colours by itself.
addEventListener("beforeprint", () => {
  document.documentElement.dataset.theme = "light";
  for (const watcher of watchers) watcher();
});
addEventListener("afterprint", apply);
apply();
