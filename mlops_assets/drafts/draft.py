"""A spec drafted from a table: what was found, what is proposed, and the YAML that says both."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import before, holding, partitions_of, periods, starts, window_of
from mlops_assets.drafts.grid import Grid, find_grid, first_day, floored, usual_horizon
from mlops_assets.drafts.rewriting import made_long
from mlops_assets.drafts.roles import Roles, find_roles
from mlops_assets.drafts.table import EVERYTHING, Table, open_table
from mlops_assets.drafts.yaml_text import SCHEMA, to_yaml
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.data.contract import Checked, check
from mlops_assets.forecasting.data.grid import default_season_lengths, steps_between
from mlops_assets.forecasting.data.parsing import read_item_ids
from mlops_assets.forecasting.formatting import counted, few, stamp
from mlops_assets.spec import ForecastSpec, parse_spec
from mlops_assets.spec.schema import json_schema

_WINDOWS = 3
_OLD = 3
"""A table whose last time is so many partitions ago is one of the past: the partitions end with it."""
_LONG, _FORECAST_FROM = 300, 28
"""Of so many partitions the last ones can be forecast from, so many at least; those before are history in the first."""


@dataclass(frozen=True)
class Draft:
    """A spec that was drafted.

    Attributes:
        spec: as it reads.
        text: its YAML, with comments on what was found.
        table: what it was drafted from.
        roles: what its columns are.
        checked: its rows, held against the spec.
        first: first time that a target stands at.
        last: last such time.
    """

    spec: ForecastSpec
    text: str
    table: Table
    roles: Roles
    checked: Checked
    first: pd.Timestamp
    last: pd.Timestamp

    @property
    def items(self) -> int:
        """How many series there are."""
        return int(self.checked.accepted["item_id"].nunique())

    def lines(self) -> list[tuple[str, str, str]]:
        """Say what was found: what it is, in which columns, and what is to be said of it."""
        spec, roles = self.spec, self.roles
        known, past, static = spec.covariates.known, spec.covariates.past, spec.covariates.static
        times = f"{spec.frequency}, {stamp(self.first)} to {stamp(self.last)}"
        form = f", read as {roles.time.form}" if roles.time.form else ""
        rows = [
            ("item", ", ".join(roles.item) or "none", f"{self.items:,} series"),
            ("time", roles.time_column, f"{times}{form}"),
            ("target", roles.target, f"{self.checked.counts['rows_accepted']:,} rows"),
            (
                "known ahead",
                _listed(known),
                "also after the last target" if roles.ahead else "by name; rows after the last target must have them",
            ),
            ("past", _listed(past), "known up to the origin"),
            ("static", _listed(static), "what an item is"),
            ("not used", _listed(list(roles.left_out)), "; ".join(dict.fromkeys(roles.left_out.values()))),
            ("horizon", "", counted(spec.horizon, "step")),
        ]
        bad = self.checked.counts["rows_quarantined"]
        if bad:
            reasons = ", ".join(f"{count:,} × {reason}" for reason, count in self.checked.reasons.items())
            rows.append(("bad rows", "", f"{bad:,} would go to quarantine: {reasons}"))
        return [row for row in rows if row[1] or row[0] in ("horizon", "bad rows")]

    @property
    def wide(self) -> list[str]:
        """Columns that may be an item each, where none names items and none is called like a target; else none."""
        roles = self.roles
        several = not roles.item and len(roles.other_targets) > 1 and roles.other_targets == roles.past
        return [roles.target, *roles.past] if several and not roles.known else []

    @property
    def made_long(self) -> list[str]:
        """Commands that make a row for each of such items; none: there are none, or the table is no file."""
        return made_long(self.table.place, [self.roles.time_column], "item") if self.wide and self.table.is_file else []

    def facts(self) -> dict[str, Any]:
        """Return the same as plain JSON types."""
        return {
            "items": self.items,
            "rows": self.checked.counts["rows_accepted"],
            "quarantined": self.checked.reasons,
            "frequency": self.spec.frequency,
            "horizon": self.spec.horizon,
            "first": stamp(self.first),
            "last": stamp(self.last),
            "left_out": self.roles.left_out,
        }


def write(found: Draft, file: Path) -> None:
    """Write a draft, and beside it the JSON Schema by which editors complete and check it.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found.text, encoding="utf-8")
    (file.parent / SCHEMA).write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")


def _listed(names: list[str]) -> str:
    return few(names) if names else ""


def draft(
    place: str, file: Path, name: str, now: datetime, horizon: int | None = None, table: str | None = None
) -> Draft:
    """Look at a table, and propose a spec for it.

    Args:
        place: a file, a folder, a glob, an address in object storage or of a database.
        file: where the spec is going to stand; it need not be there.
        name: of the forecast.
        now: the present moment, aware.
        horizon: steps to forecast. Default: by the frequency and the length of the history.
        table: of a database with several: which.

    Raises:
        SourceError: the table cannot be read.
        UsageError: it is empty, has no column of times or none of numbers, or is too short.
    """
    found = open_table(place, file.parent, table)
    if found.rows.empty:
        raise UsageError(f"{found.place}: it has the columns {', '.join(found.columns)}, and no row")
    roles = find_roles(found.place, found.rows, found.columns)
    labels = read_item_ids([found.rows[column] for column in roles.item]) if roles.item else None
    moments = roles.time.moments
    grid = find_grid(moments.dropna(), None if labels is None else labels[moments.notna()])
    stepped = floored(moments.dropna(), grid)
    first, last = stepped.min(), stepped.max()
    steps = steps_between(first, last, grid.frequency) + 1
    ahead = horizon or usual_horizon(grid.frequency, steps)
    fields = _fields(name, found, roles, grid, ahead, _windows(steps, ahead, grid.frequency), first)
    spec = _read(fields, file, found, grid, roles)
    checked = _checked(spec, found, now)
    if checked.accepted.empty:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in checked.reasons.items())
        raise UsageError(f"{found.place}: no row of it could be used ({reasons or 'no target in any of them'})")
    given = checked.accepted.dropna(subset=["target"])["timestamp"]
    first, last = given.min(), given.max()
    if _mostly_zero(checked, steps if "fill" in fields else None):
        fields["point"] = "mean"
    more = _bounds(spec, last, now)
    fields["partitions"] |= more
    if more or "point" in fields:
        spec = _read(fields, file, found, grid, roles)
    return Draft(spec, to_yaml(fields, found, roles, grid, checked), found, roles, checked, first, last)


def _fields(
    name: str, found: Table, roles: Roles, grid: Grid, horizon: int, windows: int, first: pd.Timestamp
) -> dict[str, Any]:
    source = dict(found.source)
    if roles.numbers.decimal == ",":
        source["decimal"] = ","
    if roles.numbers.thousands:
        source["thousands"] = roles.numbers.thousands
    if roles.overlapping:
        source["latest_wins"] = "name"
    columns: dict[str, Any] = {"timestamp": roles.time_column, "target": roles.target}
    if roles.item:
        columns = {"item_id": roles.item if len(roles.item) > 1 else roles.item[0], **columns}
    if roles.time.form is not None:
        columns["timestamp_format"] = roles.time.form
    if grid.floor:
        columns["timestamp_floor"] = True
    if roles.several or grid.single:
        columns["aggregate"] = "sum"
    fields: dict[str, Any] = {"name": name, "source": source, "columns": columns, "frequency": grid.frequency}
    if roles.time.zone != "UTC":
        fields["time_zone"] = roles.time.zone
    fields["partitions"] = {"start": f"{first_day(first, grid.frequency):%Y-%m-%d}"}
    fields["horizon"] = horizon
    covariates = {kind: getattr(roles, kind) for kind in ("known", "past", "static") if getattr(roles, kind)}
    if covariates:
        fields["covariates"] = covariates
    if roles.several or grid.single:
        fields["fill"] = "zero"
    if windows != _WINDOWS:
        fields["backtest"] = {"windows": windows}
    return fields


def _windows(steps: int, horizon: int, frequency: str) -> int:
    """Return how many backtest windows a history is long enough for: two seasons stay to learn from, if it has them."""
    from mlops_assets.forecasting.evaluation.backtest import most_windows

    season = default_season_lengths(frequency)[0]
    learnt = (steps - 2 * min(season, steps // 4)) // horizon - 1
    return max(1, min(_WINDOWS, learnt, most_windows(steps, horizon)))


def _read(fields: dict[str, Any], file: Path, found: Table, grid: Grid, roles: Roles) -> ForecastSpec:
    return parse_spec(to_yaml(fields, found, roles, grid, None), file, dict.fromkeys(found.variables, "sqlite://"))


def _checked(spec: ForecastSpec, found: Table, now: datetime) -> Checked:
    return check(found.rows, Graph(spec).contract, EVERYTHING, now)


def _mostly_zero(checked: Checked, steps: int | None) -> bool:
    """Whether more than half of the values are zero, and none is below.

    Args:
        checked: the rows.
        steps: of the grid, where a row that is missing is a zero; None: it is not.
    """
    targets = checked.accepted["target"].dropna()
    values = len(targets) if steps is None else checked.accepted["item_id"].nunique() * steps
    return bool((targets >= 0).all()) and int((targets > 0).sum()) < values / 2


def _bounds(spec: ForecastSpec, last: pd.Timestamp, now: datetime) -> dict[str, str]:
    """Return where the partitions end, if they do, and where they begin if a long history lies before them."""
    end = _end(spec, last, now)
    found = {} if end is None else {"end": end}
    earlier = before(spec, holding(spec, last), _LONG)
    if len(earlier) < _LONG:
        return found
    forecast_from = earlier[-max(_FORECAST_FROM, periods(spec, 2 * spec.horizon))]
    start = starts(spec, pd.Series([forecast_from]))[0]
    return {"start": f"{start:%Y-%m-%d}", **found, "history_from": spec.partitions.start}


def _end(spec: ForecastSpec, last: pd.Timestamp, now: datetime) -> str | None:
    """Return the first day after the last partition, where the table is one of the past; None where it goes on."""
    partitions = partitions_of(spec)
    window = window_of(partitions, holding(spec, last))
    length = window.end - window.start
    here = pd.Timestamp(now).tz_convert(spec.zone).tz_localize(None)
    if here < window.end + _OLD * max(length, pd.Timedelta(days=1)):
        return None
    return f"{window.end:%Y-%m-%d}"
