// The one place where data come from: the read API, or the documents that a file holds.

import { unpacked } from "./packing.js";

const HELD = readDocuments();
const FRESH = 30_000; // milliseconds for which an answer is not asked for again
const KEPT = 300; // answers
const MOST_PAGES = 20; // of one table
const NARROWING = ["start", "end", "limit", "offset", "sort", "search", "format"]; // a file holds all rows: no part of its keys
const NO_TABLE = /\/(state|overview|quality)$/;
const answers = new Map();

/** Whether this page is one file, which asks nobody. */
export const isOneFile = HELD !== null;

/** What cannot be shown, in words for a person. */
class Refusal extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** The key of a question, the same as key_of in questions.py. */
function keyOf(path, params = {}) {
  const query = queryOf(params);
  return query ? `${path}?${query}` : path;
}

/** The answer to a question: { columns: { item_id: [...], ... }, total, ... }, or an object where it is no table. */
export async function ask(path, params = {}) {
  if (isOneFile) return held(path, params);
  const key = keyOf(path, NO_TABLE.test(path) ? params : { ...params, format: "columns" });
  const known = answers.get(key);
  if (known && Date.now() - known.at < FRESH) return known.answer;
  const answer = request(key).then((response) => response.json());
  answers.delete(key);
  answers.set(key, { at: Date.now(), answer });
  if (answers.size > KEPT) answers.delete(answers.keys().next().value);
  answer.catch(() => answers.delete(key));
  return answer;
}

/** As ask, with the pages that follow, so far as a picture can show them. */
export async function askAll(path, params = {}) {
  const first = await ask(path, params);
  const parts = [first];
  for (let next = first.next; typeof next === "number" && parts.length < MOST_PAGES; next = parts.at(-1).next) {
    parts.push(await ask(path, { ...params, offset: next }));
  }
  if (parts.length === 1 || !first.columns) return first;
  const columns = Object.keys(first.columns).map((name) => [name, parts.flatMap((part) => part.columns[name])]);
  return { ...first, columns: Object.fromEntries(columns), next: parts.at(-1).next };
}

/** As ask, but null where the answer is not to be had: for what a view can do without. */
export async function askIfThere(path, params = {}) {
  try {
    return await ask(path, params);
  } catch (problem) {
    if (problem instanceof Refusal && problem.status !== 401) return null;
    throw problem;
  }
}

/** Send something and return what comes back. */
export async function send(path, body, params = { format: "columns" }) {
  if (isOneFile) throw new Refusal("A file can only be read. Open the explorer of mlops-assets serve to ask this.");
  const headers = { "Content-Type": "application/json" };
  const response = await request(keyOf(path, params), { method: "POST", headers, body: JSON.stringify(body) });
  return response.json();
}

/** The server's own file of an answer (format xlsx, csv, parquet, arrow). */
export async function fileOf(path, params, format) {
  return (await request(keyOf(path, { ...params, format }))).blob();
}

/** Forget the answers, so that the next question is asked again. */
export function forget() {
  answers.clear();
}

/** The rows of an answer, as objects. */
export function rowsOf(answer) {
  if (!answer) return [];
  if (answer.rows) return answer.rows;
  const names = Object.keys(answer.columns ?? {});
  const length = names.length ? answer.columns[names[0]].length : 0;
  return Array.from({ length }, (_, at) => Object.fromEntries(names.map((name) => [name, answer.columns[name][at]])));
}

/** Say the token to the server, which keeps a session by a cookie that no script can read. */
export async function logIn(token) {
  const headers = { "Content-Type": "application/json" };
  await request("/v1/session", { method: "POST", headers, body: JSON.stringify({ token }) });
  forget();
}

function queryOf(params) {
  const pairs = [];
  for (const [name, given] of Object.entries(params)) {
    for (const value of Array.isArray(given) ? given : [given]) {
      if (value === null || value === undefined || value === "") continue;
      pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
    }
  }
  return pairs.sort().join("&");
}

async function request(address, options = {}) {
  let response;
  try {
    response = await fetch(address.replace(/^\//, ""), options);
  } catch {
    throw new Refusal("The server does not answer. It is asked again as soon as you choose something.");
  }
  if (response.ok) return response;
  throw new Refusal(await reason(response), response.status);
}

async function reason(response) {
  try {
    const said = await response.json();
    const detail = said.error ?? said.detail;
    if (typeof detail === "string") return detail;
    if (detail) return JSON.stringify(detail);
  } catch {
    // not JSON: the status says it
  }
  return `The server says ${response.status} ${response.statusText}`.trim();
}

function readDocuments() {
  const element = document.getElementById("documents");
  return element ? unpacked(JSON.parse(element.textContent)) : null;
}

function held(path, params) {
  const wanted = Object.fromEntries(Object.entries(params).filter(([name]) => !NARROWING.includes(name)));
  const { item, ...wider } = wanted;
  const exact = HELD[keyOf(path, wanted)];
  if (exact) return exact;
  const all = item === undefined ? undefined : HELD[keyOf(path, wider)];
  if (all?.columns?.item_id) return only(all, [item].flat());
  const single = [item]
    .flat()
    .map((each) => HELD[keyOf(path, { ...wider, item: each })])
    .filter(Boolean);
  if (single.length > 0) return joined(single);
  throw new Refusal("This is not in this file: open the explorer of mlops-assets serve to see it.");
}

/** Held tables of single items as one. */
function joined(tables) {
  const columns = Object.keys(tables[0].columns).map((name) => [name, tables.flatMap((each) => each.columns[name])]);
  return {
    ...tables[0],
    columns: Object.fromEntries(columns),
    total: tables.reduce((sum, each) => sum + each.total, 0),
  };
}

/** The part of a held table that is of some items. */
function only(table, items) {
  const at = [];
  table.columns.item_id.forEach((id, row) => items.includes(id) && at.push(row));
  const columns = Object.entries(table.columns).map(([name, values]) => [name, at.map((row) => values[row])]);
  return { ...table, columns: Object.fromEntries(columns), total: at.length };
}
