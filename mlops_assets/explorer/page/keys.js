// What the keyboard does.

import { h } from "./dom.js";

const HELP = [
  ["/", "search items"],
  ["↑ ↓", "the item before, the next one"],
  ["← →", "the origin before, the next one"],
  ["1 … 9", "the views"],
  ["drag", "over a chart: look closer; a double click goes back"],
  ["Esc", "leave the search, close this"],
  ["?", "this help"],
];
let dialog = null;

/** Listen: item(step) goes to another item, view(number) to another view; steps through origins are told as an event. */
export function listenToKeys({ item, view }) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return leave(event);
    if (event.target.closest("input, select, textarea, dialog, [contenteditable]")) return;
    const done = pressed(event.key, { item, view });
    if (done) event.preventDefault();
  });
}

/** A button that shows what the keyboard does. */
export function helpButton() {
  return h(
    "button",
    { type: "button", class: "icon", title: "Keys (?)", "aria-label": "Keys", onclick: showHelp },
    "?",
  );
}

/** Tell of steps through origins, as long as an element is on the page. */
export function onStep(element, step) {
  const listener = ({ detail }) => {
    if (element.isConnected) step(detail);
    else removeEventListener("origin-step", listener);
  };
  addEventListener("origin-step", listener);
}

function pressed(key, { item, view }) {
  if (key === "/") document.querySelector("#search")?.focus();
  else if (key === "?") showHelp();
  else if (key === "ArrowDown") item(1);
  else if (key === "ArrowUp") item(-1);
  else if (key === "ArrowLeft") dispatchEvent(new CustomEvent("origin-step", { detail: -1 }));
  else if (key === "ArrowRight") dispatchEvent(new CustomEvent("origin-step", { detail: 1 }));
  else if (/^[1-9]$/.test(key)) view(Number(key) - 1);
  else return false;
  return true;
}

function leave({ target }) {
  if (target.id === "search") {
    target.value = "";
    target.dispatchEvent(new Event("input"));
  }
  document.querySelector('.burger[aria-expanded="true"]')?.click();
  document.querySelector(".as-of[open]")?.removeAttribute("open");
  if (target instanceof HTMLElement) target.blur();
}

function showHelp() {
  if (!dialog) {
    const lines = HELP.flatMap(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)]);
    const close = h("button", { type: "button", onclick: () => dialog.close() }, "Close");
    dialog = h("dialog", { "aria-label": "Keys" }, h("h2", {}, "Keys"), h("dl", {}, lines), close);
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}
