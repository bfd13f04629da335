// Who forecasts: the versions of the model, why each may or may not, what it looks at, and the jobs of services.

import { askIfThere, rowsOf } from "./data.js";
import { h } from "./dom.js";
import { percent } from "./format.js";
import { outside } from "./links.js";
import { bars, events, nothing, panel } from "./panel.js";
import { downloads, plainColumns, table } from "./table.js";

const FEATURES = 20;
const JOBS = ["partition", "service", "step", "state", "since", "deadline", "next_look_at", "error", "job_key"];
const OUTCOMES = { promoted: "green", refused: "orange", rejected: "orange", "rolled back": "pink", gone: "orange" };

/** The view of models, decisions and jobs. */
export async function modelsView({ name, path }) {
  const tables = ["models", "decisions", "importances", "jobs"];
  const [models, decisions, importances, jobs] = await Promise.all(tables.map((each) => askIfThere(`${path}/${each}`)));
  const files = (what, answer) => downloads(`${name} ${what}`, () => rowsOf(answer), `${path}/${what}`);
  const any = (answer) => rowsOf(answer).length > 0;
  return [
    any(importances) &&
      panel(
        {
          title: "Why the model says so",
          note: "What its forecasts depend on, most first.",
          tools: files("importances", importances),
        },
        features(rowsOf(importances)),
      ),
    panel(
      { title: "Decisions", note: "Who forecasts, since when, and why.", tools: files("decisions", decisions) },
      any(decisions) ? events(story(rowsOf(decisions))) : nothing("Nothing has been decided yet."),
    ),
    any(models) &&
      panel(
        { title: "Versions", tools: files("models", models) },
        table(versionColumns(rowsOf(models)), rowsOf(models), "Versions"),
      ),
    any(jobs) &&
      panel(
        { title: "Jobs of services", tools: files("jobs", jobs) },
        table(titled(plainColumns(rowsOf(jobs), JOBS)), rowsOf(jobs), "Jobs"),
      ),
  ];
}

/** How much the champion leans on groups of features, and on each. */
function features(rows) {
  const total = rows.reduce((sum, row) => sum + Math.max(0, row.importance), 0) || 1;
  const groups = new Map();
  for (const { group, importance } of rows) groups.set(group, (groups.get(group) ?? 0) + importance);
  const shown = (entries, label) => {
    const sorted = entries.sort((a, b) => b[1] - a[1]).slice(0, FEATURES);
    return bars(
      sorted.map(([name, value]) => ({ name: name.replaceAll("_", " "), value, text: percent(value / total) })),
      label,
    );
  };
  const each = rows.map(({ feature, importance }) => [feature, importance]);
  const both = groups.size > 1;
  return h("div", { class: "pair" }, both && shown([...groups], "Groups of features"), shown(each, "Features"));
}

function story(rows) {
  const latest = [...rows].sort((a, b) => b.number - a.number);
  return latest.map(({ decided_at: at, outcome, version, reason, decided_by: who, trigger, link }) => ({
    at,
    colour: OUTCOMES[outcome] ?? "muted",
    title: [version ? `Version ${version}` : trigger, outcome].filter(Boolean).join(" "),
    kind: who,
    detail: reason,
    link,
  }));
}

function versionColumns(rows) {
  const linked = {
    name: "version",
    title: "version",
    left: true,
    text: (value, { link }) => outside(link, `Version ${value}`) ?? `Version ${value}`,
  };
  const others = plainColumns(
    rows,
    Object.keys(rows[0]).filter((key) => !["version", "link"].includes(key)),
  );
  return [linked, ...titled(others)];
}

function titled(columns) {
  return columns.map((column) => ({ ...column, title: column.name.replaceAll("_", " ") }));
}
