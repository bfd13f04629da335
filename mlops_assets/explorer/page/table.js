// Tables of rows, and their download.

import { fileOf, isOneFile } from "./data.js";
import { fill, h } from "./dom.js";
import { number, when } from "./format.js";
import { notice } from "./notice.js";

const PAGE = 100;
const TIMES = /^(timestamp|origin|previous_origin|period|since|until|trained_until|deadline|next_look_at|at|\w+_at)$/;

/**
 * A table of rows, of which more are shown when asked for.
 *
 * columns: [{ name, title, text: (value, row) => string or element, left: true for words, words: true for sentences }]
 */
export function table(columns, rows, label) {
  const body = h("tbody");
  const more = h("button", { type: "button", class: "quiet", onclick: () => show(shown + PAGE * 5) });
  let shown = 0;
  function show(count) {
    body.append(
      ...rows.slice(shown, count).map((row) =>
        h(
          "tr",
          {},
          columns.map((column) => cell(column, row)),
        ),
      ),
    );
    shown = Math.min(count, rows.length);
    more.textContent = `Show more: ${(rows.length - shown).toLocaleString("en")} rows are left`;
    more.hidden = shown >= rows.length;
  }
  show(PAGE);
  const heads = columns.map(({ title, name, left }) => h("th", { scope: "col", class: left && "left" }, title ?? name));
  // A box that scrolls has to be reachable by keyboard.
  const scroll = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label ?? "Table" });
  return fill(h("div"), fill(scroll, h("table", {}, h("thead", {}, h("tr", {}, heads)), body)), more);
}

/** Columns of rows as they come, for tables beside charts. */
export function plainColumns(rows, names = Object.keys(rows[0] ?? {})) {
  return names.map((name) => ({
    name,
    text: (value) => plain(name, value),
    left: typeof rows[0]?.[name] === "string",
  }));
}

/** Buttons that download what is shown: CSV made here, Excel by the server (not in a file). */
export function downloads(name, rows, path, params = {}) {
  const csv = () => save(new Blob([csvOf(rows())], { type: "text/csv;charset=utf-8" }), `${name}.csv`);
  const xlsx = async () => {
    try {
      save(await fileOf(path, typeof params === "function" ? params() : params, "xlsx"), `${name}.xlsx`);
    } catch (problem) {
      notice(problem.message);
    }
  };
  return h(
    "span",
    { class: "downloads" },
    h("button", { type: "button", class: "quiet", onclick: csv, title: "Download what is shown as CSV" }, "↓ CSV"),
    !isOneFile &&
      path &&
      h("button", { type: "button", class: "quiet", onclick: xlsx, title: "Download as Excel" }, "↓ Excel"),
  );
}

/** Rows as CSV (RFC 4180). */
function csvOf(rows) {
  const names = Object.keys(rows[0] ?? {});
  return [names, ...rows.map((row) => names.map((name) => row[name]))]
    .map((line) => line.map(quoted).join(",") + "\r\n")
    .join("");
}

function quoted(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A spreadsheet would run text that begins so as a formula.
  const text = String(value).replace(/^(?=[=+\-@\t\r])/, "'");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function cell({ name, text, left, words }, row) {
  const value = row[name];
  return h("td", { class: words ? "left sentence" : left && "left" }, text ? text(value, row) : plain(name, value));
}

function plain(name, value) {
  if (value === null || value === undefined) return "–";
  if (TIMES.test(name)) return when(value);
  return typeof value === "number" ? number(value, 4) : String(value);
}
