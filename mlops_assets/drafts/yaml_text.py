"""The YAML of a drafted spec: its fields, and beside them what was found and what else may be said."""

from typing import Any

import yaml

from mlops_assets.drafts.grid import Grid
from mlops_assets.drafts.roles import Roles
from mlops_assets.drafts.table import Table
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.forecasting.formatting import counted, few

SCHEMA = "forecast.schema.json"
"""Name of the JSON Schema beside a spec, by which editors complete and check it."""
_SHORT = 60
"""A part that is not longer stands in one line."""
_FURTHER = """\
# Further fields are in docs/spec.md; some that are often wanted:
# holidays: DE                  # country of public holidays, which the model then knows
# schedule: "0 6 * * *"         # the daily round, in time_zone; or arrivals: true, when data have come
# quantiles: [0.05, 0.5, 0.95]
# retraining: {metric: wql, threshold: 0.3, breaches: 3, window: 5}
# approval: manual              # a new model waits for a person
"""


def to_yaml(fields: dict[str, Any], table: Table, roles: Roles, grid: Grid, checked: Checked | None) -> str:
    """Return a spec's text.

    Args:
        fields: of the spec, in the order in which they are written.
        table: that it was drafted from.
        roles: what its columns are.
        grid: that its times lie on.
        checked: its rows, held against the spec; None: not yet.
    """
    remarks = _remarks(roles, grid, fields)
    parts = [f"# yaml-language-server: $schema={SCHEMA}", *_head(table, checked)]
    for name, value in fields.items():
        parts += [f"# {line}" for line in remarks.get(name, ())]
        parts.append(_field(name, value))
    left_out = [f"#   {name}: {why}" for name, why in roles.left_out.items()]
    if left_out:
        parts += ["", "# Columns that are not used:", *left_out]
    return "\n".join([*parts, "", _FURTHER])


def _head(table: Table, checked: Checked | None) -> list[str]:
    rows = counted(len(table.rows), "row") if table.whole else f"the first {len(table.rows):,} rows"
    lines = [f"# Drafted from {table.place.replace(chr(10), ' ')}: {rows}."]
    if checked is not None and checked.counts["rows_quarantined"]:
        reasons = ", ".join(f"{count:,} × {reason}" for reason, count in checked.reasons.items())
        lines.append(f"# Rows that would go to quarantine: {reasons}. See docs/inputs.md.")
    lines += [f"# Set {name} to {what}." for name, what in table.variables.items()]
    return lines


def _remarks(roles: Roles, grid: Grid, fields: dict[str, Any]) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {name: [] for name in fields}
    if not roles.item:
        said["columns"].append("No column names an item: the table is one series, called by its target.")
    if roles.overlapping:
        said["source"].append(
            "Its files overlap: of rows with one item and time that of the last file, by name, counts."
        )
    if roles.other_targets:
        said["columns"].append(f"The target could also be {few(roles.other_targets)}.")
    if roles.time.others:
        said["columns"].append(
            f"Times are read with {roles.time.form}; {', '.join(roles.time.others)} would read them, too: look at one."
        )
    if roles.several or grid.single:
        said["columns"].append("Several rows share their item and time: they are added up.")
    if "fill" in fields:
        said["fill"].append("A day without a row is one without a sale; say missing if it is unknown.")
    if grid.floor and not grid.single:
        said["frequency"].append("Some times lie between the steps, and count to the one that they lie in.")
    if "end" in fields["partitions"]:
        said["partitions"].append("The table ends in the past: take `end` away when new rows come.")
    if "history_from" in fields["partitions"]:
        said["partitions"].append(
            "The first partition holds all rows before it, to learn from. An earlier start forecasts more days."
        )
    known = [name for name in roles.known if name not in roles.ahead]
    if roles.ahead:
        said["covariates"].append(f"Known ahead, for they stand in rows after the last target: {few(roles.ahead)}.")
    if known:
        said["covariates"].append(
            f"Taken for known ahead by name: {few(known)}. No row after the last target has them: until such rows come "
            "they count as unknown there. What nobody knows ahead belongs to past."
        )
    if "point" in fields:
        said["point"].append(
            "More than half of the values are zero, and so is their median; costs says what to have in stock."
        )
    if "backtest" in fields:
        said["backtest"].append("The history is short: fewer windows than the usual three.")
    return said


def _field(name: str, value: Any) -> str:
    if not isinstance(value, dict):
        return f"{name}: {_flow(value)}"
    short = f"{name}: {_flow(value)}"
    if len(short) <= _SHORT:
        return short
    return "\n".join([f"{name}:", *(f"  {key}: {_flow(part)}" for key, part in value.items())])


def _flow(value: Any) -> str:
    """Write a value in one line."""
    text = yaml.safe_dump([value], sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=True)
    return text.strip().removeprefix("[").removesuffix("]")
