// Where the server wants to know who asks.

import { logIn } from "./data.js";
import { h } from "./dom.js";
import { notice } from "./notice.js";

/** A form for a token; done() is called when the server has taken it. */
export function loginForm(words, done) {
  const field = h("input", { type: "password", id: "token", autocomplete: "off", required: true });
  const enter = async (event) => {
    event.preventDefault();
    try {
      await logIn(field.value);
      done();
    } catch (problem) {
      notice(problem.message);
    }
  };
  const label = h("label", { for: "token" }, words, " The server remembers you for some hours.");
  return h("form", { class: "login", onsubmit: enter }, label, field, h("button", { type: "submit" }, "Enter"));
}
