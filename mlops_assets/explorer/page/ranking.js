// Items side by side: the largest, the least accurate, those whose forecast changed most.

import { addressOf, go } from "./address.js";
import { ask, isOneFile, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { number, percent, signed } from "./format.js";
import { bars, nothing, panel, select } from "./panel.js";
import { downloads, table } from "./table.js";

const FIRST = 12;
const LISTED = 1000;

/** The view that ranks items. */
export async function rankingView({ name, path, params }) {
  const ranked = (sort, limit) => ask(`${path}/items`, { sort, limit });
  const [volume, error, change, all] = await Promise.all([
    ranked("volume", FIRST),
    ranked("error", FIRST),
    ranked("change", FIRST),
    ranked(params.sort ?? "volume", LISTED),
  ]);
  const listed = sorted(rowsOf(all), params.sort ?? "volume");
  if (listed.length === 0) return nothing("No item is stored yet.");
  const levels = [...new Set(listed.map(({ level }) => level).filter(Boolean))];
  const rows = listed.filter(({ level }) => !params.level || level === params.level);
  const address = (item, view = "item") => addressOf({ forecast: name, view, params: { item, as_of: params.as_of } });
  const ranks = (answer, column, text, colour, view, both) => {
    const found = sorted(rowsOf(answer), column).filter(
      (row) => typeof row[column] === "number" && (!params.level || row.level === params.level),
    );
    const shown = found.slice(0, FIRST);
    return shown.length
      ? bars(
          shown.map((row) => ({
            name: row.item_id,
            value: row[column],
            text: text(row),
            href: address(row.item_id, view),
            colour,
          })),
          column,
          both,
        )
      : nothing("None yet.");
  };
  const sort = select(
    "Order",
    [
      ["volume", "Largest first"],
      ["error", "Least accurate first"],
      ["change", "Changed most first"],
      ["name", "By name"],
    ],
    params.sort ?? "volume",
    (value) => go({ params: { sort: value } }),
  );
  const level =
    levels.length > 1 &&
    select("Level", [["", "All levels"], ...levels.map((each) => [each, each])], params.level ?? "", (value) =>
      go({ params: { level: value } }),
    );
  return [
    h(
      "div",
      { class: "trio" },
      panel(
        { title: "Largest", note: "Mean of what came lately." },
        ranks(volume, "volume", (row) => number(row.volume), "blue"),
      ),
      panel(
        { title: "Least accurate", note: "MASE: seasonal naive scores about 1." },
        ranks(error, "error", (row) => number(row.error), "orange", "accuracy"),
      ),
      panel(
        { title: "Changed most", note: "Sum over the times that the last two forecasts reach." },
        ranks(change, "change", (row) => signed(row.change), "green", "change", true),
      ),
    ),
    panel(
      {
        title: "Items",
        tools: [level, sort, downloads(`${name} items`, () => rows, `${path}/items`)],
        note: limited(all, listed),
      },
      table(columns(address), rows, "Items"),
    ),
  ];
}

function columns(address) {
  return [
    { name: "item_id", title: "item", left: true, text: (item) => h("a", { href: address(item) }, item) },
    { name: "level", title: "level", left: true },
    { name: "volume", title: "volume", text: (value) => number(value) },
    { name: "last_value", title: "last value", text: (value) => number(value) },
    { name: "error", title: "MASE", text: (value) => number(value) },
    { name: "skill", title: "skill", text: (value) => percent(value, true) },
    { name: "change", title: "change", text: (value) => signed(value) },
  ];
}

function sorted(rows, by) {
  if (!isOneFile) return rows;
  const key = (row) => Math.abs(row[by] ?? 0);
  return [...rows].sort((a, b) => (by === "name" ? 0 : key(b) - key(a)) || (a.item_id < b.item_id ? -1 : 1));
}

function limited({ total }, rows) {
  return total > rows.length
    ? `The first ${rows.length.toLocaleString("en")} of ${total.toLocaleString("en")}; search finds the others.`
    : null;
}
