// The list of items: searched, sorted, and drawn only where one looks, so that ten thousand are as quick as ten.

import { addressOf, go, here } from "./address.js";
import { ask, askIfThere, isOneFile, rowsOf } from "./data.js";
import { fill, h } from "./dom.js";
import { counted, number, percent, signed, titleOf } from "./format.js";
import { sparkline } from "./svg.js";

const ROW = 46; // pixels, as in style.css
const BATCH = 200;
const RECENT = 30; // values in a small line
const LONG = 200; // characters: the ids of all items in sight have to fit into one address
const SORTS = { volume: "Largest", error: "Least accurate", change: "Changed most", name: "By name" };

/** The list of a forecast's items: its element, first(), mark(item) and step(by). */
export function itemList({ name, asOf }) {
  const path = `/v1/forecasts/${encodeURIComponent(name)}`;
  const list = { rows: [], total: 0, search: "", sort: "volume", chosen: undefined, turn: 0, lines: new Map() };
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search items ( / )",
    "aria-label": "Search items",
    autocomplete: "off",
  });
  const sort = h(
    "select",
    { "aria-label": "Order of items" },
    Object.entries(SORTS).map(([value, title]) => h("option", { value }, title)),
  );
  const count = h("p", { class: "muted count", role: "status" });
  const rows = h("ul", { class: "rows" });
  const scroll = h("div", { class: "list", tabindex: 0, role: "region", "aria-label": "List of items" }, rows);
  const element = h("div", { class: "items" }, search, sort, count, scroll);

  async function load() {
    const turn = ++list.turn;
    const answer = await batch(0);
    if (turn !== list.turn) return;
    list.rows = rowsOf(answer);
    list.total = answer.total ?? list.rows.length;
    count.textContent = list.search ? `${counted(list.total, "item")} found` : counted(list.total, "item");
    scroll.scrollTop = 0;
    draw();
  }

  /** What the API sorts and searches, a file lets us sort and search. */
  async function batch(offset) {
    if (!isOneFile) return ask(`${path}/items`, { search: list.search, sort: list.sort, limit: BATCH, offset });
    const found = rowsOf(await ask(`${path}/items`)).filter(({ item_id: id }) =>
      id.toLowerCase().includes(list.search.toLowerCase()),
    );
    const key = (row) => (list.sort === "name" ? null : -Math.abs(row[list.sort] ?? 0));
    found.sort((a, b) => key(a) - key(b) || (a.item_id < b.item_id ? -1 : 1));
    return { rows: found, total: found.length };
  }

  /** Load what is looked at: rows are placed by their number, so that one may jump to the end. */
  async function reach(first, last) {
    for (let offset = Math.floor(first / BATCH) * BATCH; offset <= last; offset += BATCH) {
      if (list.rows[offset] !== undefined || offset >= list.total) continue;
      const turn = list.turn;
      list.rows[offset] = null;
      const answer = await batch(offset);
      if (turn !== list.turn) return;
      rowsOf(answer).forEach((row, at) => (list.rows[offset + at] = row));
      draw();
    }
  }

  function draw() {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - 5);
    const last = Math.min(list.total - 1, Math.ceil((scroll.scrollTop + (scroll.clientHeight || 800)) / ROW) + 5);
    rows.style.height = `${list.total * ROW}px`;
    const shown = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) =>
      line(list.rows[first + at], first + at),
    );
    fill(rows, shown);
    reach(first, last).catch(() => {});
    lines(first, last);
  }

  function line(row, at) {
    if (!row) return h("li", { class: "row", "aria-hidden": "true" });
    const current = row.item_id === list.chosen;
    const group = row.level && row.level !== "item";
    const values = list.lines.get(row.item_id);
    const made = h(
      "li",
      { class: "row", "aria-posinset": at + 1, "aria-setsize": list.total },
      h(
        "a",
        {
          href: addressOf({ ...target(), params: { ...kept(), item: row.item_id } }),
          "aria-current": current ? "true" : null,
          title: row.item_id,
        },
        h("span", { class: "name" }, titleOf(row.item_id, group)),
        group && h("span", { class: "badge" }, row.level),
        h("span", { class: "figure" }, figure(row)),
        values ? sparkline(values) : h("span", { class: "spark" }),
      ),
    );
    made.style.top = `${at * ROW}px`;
    return made;
  }

  function figure({ volume, error, change, skill }) {
    if (list.sort === "error") return typeof skill === "number" ? `${percent(skill, true)} skill` : number(error);
    if (list.sort === "change") return signed(change);
    return number(volume);
  }

  /** Small lines of what is in sight, asked for at once when scrolling has stopped. */
  let waiting;
  function lines(first, last) {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const ids = list.rows
        .slice(first, last + 1)
        .flatMap((row) => (row && !list.lines.has(row.item_id) && row.item_id.length < LONG ? [row.item_id] : []));
      if (ids.length === 0) return;
      for (const id of ids) list.lines.set(id, null);
      const answer = await askIfThere(`${path}/observations`, { item: ids, start: await recent(), as_of: asOf });
      for (const { item_id: id, target: value } of rowsOf(answer)) {
        if (!list.lines.get(id)) list.lines.set(id, []);
        list.lines.get(id).push(value);
      }
      for (const id of ids) list.lines.set(id, list.lines.get(id)?.slice(-RECENT) ?? null);
      draw();
    }, 120);
  }

  let since;
  async function recent() {
    since ??= (async () => {
      const origins = rowsOf(await askIfThere(`${path}/origins`, { as_of: asOf }));
      const last = origins
        .map(({ origin }) => origin)
        .sort()
        .at(-1);
      return last && new Date(Date.parse(`${last}Z`) - RECENT * (await step()) * 1000).toISOString().slice(0, 19);
    })();
    return since;
  }

  async function step() {
    const { frequency = "D" } = await ask(`${path}/state`);
    const number = Number.parseInt(frequency, 10) || 1;
    const unit = frequency.replace(/^\d+/, "").split("-")[0];
    const lengths = {
      min: 60,
      T: 60,
      h: 3600,
      H: 3600,
      D: 86400,
      B: 86400 * 1.4,
      W: 7 * 86400,
      MS: 30 * 86400,
      M: 30 * 86400,
      ME: 30 * 86400,
    };
    return number * (lengths[unit] ?? 91 * 86400);
  }

  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      list.search = search.value.trim();
      load();
    }, 150);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    rows.querySelector("a")?.[event.key === "Enter" ? "click" : "focus"]();
  });
  sort.addEventListener("change", () => {
    list.sort = sort.value;
    load();
  });
  scroll.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(draw).observe(scroll);
  const ready = load();
  ready.catch((problem) => (count.textContent = problem.message));

  return {
    element,
    async first() {
      await ready.catch(() => {});
      return list.rows[0]?.item_id;
    },
    mark(item) {
      list.chosen = item;
      draw();
    },
    async step(by) {
      const at = list.rows.findIndex((row) => row?.item_id === list.chosen);
      const next = list.rows[Math.min(list.total - 1, Math.max(0, at + by))];
      if (!next) return;
      const top = list.rows.indexOf(next) * ROW;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      if (top + ROW > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + ROW - scroll.clientHeight;
      go({ ...target(), params: { ...kept(), item: next.item_id } });
    },
  };
}

/** Views that look at one item stay; from others one goes to the item's forecast. */
function target() {
  const { forecast, view } = here();
  return { forecast, view: ["accuracy", "change", "whatif", "adjust"].includes(view) ? view : "item" };
}

/** What stays of an address when another item is chosen. */
function kept() {
  const { params } = here();
  return Object.fromEntries(["origin", "as_of", "version", "window", "metric"].map((name) => [name, params[name]]));
}
