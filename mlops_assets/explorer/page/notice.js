// Short words to the reader that go away by themselves.

import { h } from "./dom.js";

const box = h("div", { class: "notices", role: "status", "aria-live": "polite" });
document.body.append(box);

/** Say something for a few seconds. */
export function notice(text) {
  const line = h("p", {}, text);
  box.append(line);
  setTimeout(() => line.remove(), 6000);
}
