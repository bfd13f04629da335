"""Forecast value added: whether people help.

The error of what was published beside that of the system's forecast, and of seasonal naive, of the same item, origin
and timestamp: the stairs of M. Gilliland (2010), "The Business Forecasting Deal", chapter 4. What counts is what was
published of a forecast when its period began, by somebody who had done it before then; a forecast whose model had seen
the actual counts in no score, and in none of these.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd

from mlops_assets.adjustments.log import LOCK, Adjustments
from mlops_assets.adjustments.rules import KEYS
from mlops_assets.catalog.names import FORECAST_ACCURACY, PUBLISHED_FORECASTS
from mlops_assets.forecasting.data.grid import periods_of
from mlops_assets.forecasting.data.wall_clock import instants_of
from mlops_assets.forecasting.evaluation.ledger import delivered, honest
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec

By = Literal["all", "person", "reason", "lead", "kind", "item"]
BY = get_args(By)
_COLUMN: Mapping[By, str] = {"all": "", "person": "made_by", "reason": "reason", "item": "item_id"}
"""Where a name is not the column's own."""
NUMBERS = ["naive_error", "system_error", "published_error", "value_added", "share", "better"]


def value_added(tables: Tables, spec: ForecastSpec, by: By = "all") -> pd.DataFrame:
    """Return what people have added to the value of a forecast.

    Args:
        tables: have the log, what was published, and the scored forecasts.
        spec: the forecast.
        by: what to tell apart: the `person`, the `reason`, the `lead`, the `kind` (value, factor, delta or lock), the
            `item`; `all`: nothing.

    Returns:
        A row for each, the one that added most first, leads in their order; see `summed`.
    """
    return summed(compared(tables, spec), by)


def compared(tables: Tables, spec: ForecastSpec) -> pd.DataFrame:
    """Return the forecasts that people had changed before their period began, with what came.

    Returns:
        `KEYS`, lead, adjustment, made_by, reason, kind, target, and the point forecasts `naive`, `system` and
        `published`.
    """
    point, log = spec.task.point_column, Adjustments(tables, spec.name).all()
    name = [spec.name, PUBLISHED_FORECASTS]
    columns = [*KEYS, "lead", point, "adjustment", "published_at", "superseded_at"]
    if log.empty or not tables.exists(name) or not tables.exists([spec.name, FORECAST_ACCURACY]):
        return _joined(
            pd.DataFrame(columns=columns), pd.DataFrame(columns=[*KEYS, "target", "naive", point]), log, point
        )
    published = tables.read(name, columns=columns)
    published = counting(published, log, begins(published["timestamp"], spec))
    only = Only(sorted(published["item_id"].unique()), published["timestamp"].min(), published["timestamp"].max())
    wanted = [*KEYS, "target", "naive", point, "in_sample", "role"]
    scored = tables.read(
        [spec.name, FORECAST_ACCURACY], columns=wanted, only=only if len(published) else Only(items=[])
    )
    return _joined(published, honest(delivered(scored)), log, point)


def begins(timestamps: pd.Series, spec: ForecastSpec) -> pd.Series:
    """Return when the periods of timestamps begin, naive in UTC."""
    starts, _ = periods_of(pd.DatetimeIndex(timestamps), spec.frequency, spec.columns.stamp == "end")
    return pd.Series(instants_of(starts, spec.zone).tz_convert("UTC").tz_localize(None), index=timestamps.index)


def counting(published: pd.DataFrame, log: pd.DataFrame, begin: pd.Series) -> pd.DataFrame:
    """Return of each forecast the row that was published when its period began, if it was made before then.

    Args:
        published: rows of `published_forecasts`.
        log: of adjustments.
        begin: of each row's period, in UTC.
    """
    made = published["adjustment"].map(log.set_index("number")["made_at"])
    held = published["superseded_at"].isna() | (published["superseded_at"] > begin)
    rows = published[(made < begin) & held].sort_values("published_at", kind="stable")
    return rows.drop_duplicates(KEYS)


def _joined(published: pd.DataFrame, scored: pd.DataFrame, log: pd.DataFrame, point: str) -> pd.DataFrame:
    people = log[["number", "made_by", "reason", "kind", "action"]]
    people = people.assign(kind=people["kind"].mask(people["action"] == LOCK, LOCK)).drop(columns="action")
    people = people.assign(reason=people["reason"].mask(people["reason"] == "", people["kind"]))
    rows = published[[*KEYS, "lead", point, "adjustment"]].rename(columns={point: "published"})
    rows = rows.merge(scored[[*KEYS, "target", "naive", point]].rename(columns={point: "system"}), on=KEYS)
    rows = rows.merge(people, left_on="adjustment", right_on="number").drop(columns="number")
    return rows.sort_values(["timestamp", "item_id", "origin"], ignore_index=True)


def summed(rows: pd.DataFrame, by: By = "all") -> pd.DataFrame:
    """Return what people have added, from compared forecasts.

    Args:
        rows: as `compared` returns them.
        by: what to tell apart.

    Returns:
        `by` (but of `all`), rows, adjustments (how many of them), the mean absolute errors naive_error, system_error
        and published_error, value_added (system_error less published_error: above zero, people help), share (of
        system_error that it is), and better (share of the rows in which the published forecast is nearer).
    """
    name = _COLUMN.get(by, by)
    error = {
        one: (rows[one].astype(float) - rows["target"].astype(float)).abs() for one in ("naive", "system", "published")
    }
    nearer = (error["published"] < error["system"]).astype(float).where(error["published"] != error["system"], 0.5)
    found = pd.DataFrame({**{f"{one}_error": values for one, values in error.items()}, "better": nearer})
    group = rows[name] if name else pd.Series("", index=rows.index)
    means = found.groupby(group).mean()
    means.insert(0, "rows", group.groupby(group).size())
    means.insert(1, "adjustments", rows["adjustment"].groupby(group).nunique())
    means["value_added"] = means["system_error"] - means["published_error"]
    means["share"] = means["value_added"] / means["system_error"].replace(0.0, np.nan)
    table = means[["rows", "adjustments", *NUMBERS]].rename_axis(by).reset_index()
    table = (
        table.sort_values(by, ignore_index=True)
        if by == "lead"
        else table.sort_values("value_added", ascending=False, kind="stable", ignore_index=True)
    )
    return table.drop(columns=by) if by == "all" else table
