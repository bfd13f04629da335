// Links to other places.

import { h } from "./dom.js";

/** A link to another program, or null where there is none; only addresses of the web are followed. */
export function outside(href, text, title) {
  if (!/^https?:\/\//i.test(href ?? "")) return null;
  return h(
    "a",
    { class: "chip", href, title, rel: "noopener noreferrer", target: "_blank" },
    text,
    h("span", { "aria-hidden": "true" }, " ↗"),
  );
}
