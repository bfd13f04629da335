"""Forecasts beside what came: matched, and scored by everything that tells one forecast from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import METRICS, score, shown_metrics
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import POINT, Task

ALL, VERSION, VINTAGE, LEAD, SEGMENT = "all", "version", "vintage", "lead", "segment"
SCOPES = (ALL, VERSION, VINTAGE, LEAD, SEGMENT)
BASELINE = "mase"
"""The metric that seasonal naive is scored by on the same rows."""
NUMBERS = [*METRICS, "naive_mase", "skill"]
"""Columns of scored forecasts: every metric, and the comparison with seasonal naive."""
DELIVERED, SHADOW = "delivered", "shadow"
"""Values of the ledger's `role`: what is used, and what is scored beside it."""
OWN = ""
"""The ledger's `job_key` of our own forecasts."""
MOST_LEADS = 28
"""More leads than this are shown in as many bands."""


def shown_numbers() -> list[str]:
    """Names of the numbers that the report and Dagster's tables show, seasonal naive's beside its metric."""
    names = shown_metrics("report")
    return [part for name in names for part in ((name, "naive_mase", "skill") if name == BASELINE else (name,))]


def known_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of scores without the numbers that no row has: costs that are not declared, say."""
    return table.drop(columns=[name for name in NUMBERS if name in table and table[name].isna().all()])


def match(forecasts: pd.DataFrame, observations: pd.DataFrame, task: Task, zero: bool) -> pd.DataFrame:
    """Join forecasts with actuals.

    Args:
        forecasts: rows of the ledger; may be without columns when nothing was forecast.
        observations: canonical frame.
        task: names the quantiles.
        zero: an absent row means an actual of 0 at every timestamp that has observations.

    Returns:
        A row for each forecast whose actual is known: the ledger's columns that matter, `target`, `error`
        (forecast minus actual) and `in_sample` (the model had seen the actual when it was trained).
    """
    kept = [ITEM, TIME, "origin", "lead", TARGET, "mean", *task.quantile_columns, *task.cost_columns, "naive"]
    kept += ["error", "mase_scale", "rmsse_scale", "source", "model_version", "in_sample", "role", "job_key"]
    if forecasts.empty or observations.empty:
        return _nothing(kept)
    forecasts = _with_columns(forecasts, task)
    actuals = observations[[ITEM, TIME, TARGET]]
    if zero:
        forecasts = forecasts[forecasts[TIME].isin(actuals[TIME].unique())]
        rows = forecasts.merge(actuals, on=[ITEM, TIME], how="left", indicator=True)
        rows.loc[rows["_merge"] == "left_only", TARGET] = 0.0
    else:
        rows = forecasts.merge(actuals, on=[ITEM, TIME], how="inner")
    rows = rows[rows[TARGET].notna()]
    rows = rows.assign(
        error=rows[task.point_column] - rows[TARGET],
        in_sample=(rows[TIME] <= rows["trained_until"]).fillna(False).astype(bool),
    )
    return rows[kept].sort_values([TIME, ITEM, "lead"], ignore_index=True)


def _with_columns(forecasts: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Return forecasts with the columns of the task's quantiles and costs, missing where they were made without them.

    The point of forecasts that were made before there were costs is their mean. Without a role, forecasts are our own,
    and delivered.
    """
    unset = dict.fromkeys([*task.quantile_columns, *task.cost_columns], np.nan) | {"role": DELIVERED, "job_key": OWN}
    forecasts = forecasts.assign(**{name: value for name, value in unset.items() if name not in forecasts})
    return forecasts.fillna({POINT: forecasts["mean"]}) if POINT in task.cost_columns else forecasts


def _nothing(columns: list[str]) -> pd.DataFrame:
    kinds = {ITEM: "object", "source": "object", "lead": "int32", "model_version": "int64", "in_sample": "bool"}
    kinds |= {"role": "object", "job_key": "object"}
    kinds |= {TIME: "datetime64[us]", "origin": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, "float64")) for name in columns})


def honest(matched: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts whose model had not seen the actual: the only ones that count."""
    return matched[~matched["in_sample"].astype(bool)]


def delivered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the ledger that are the forecast: what a service or our model made beside it is left out."""
    return rows[rows["role"] == DELIVERED] if len(rows) else rows


def own(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the ledger that we made, delivered or not: what our models are judged by."""
    return rows[rows["job_key"] == OWN] if len(rows) else rows


def compared(rows: pd.DataFrame, task: Task, by: Sequence[str] = ()) -> pd.DataFrame:
    """Score matched forecasts beside seasonal naive's.

    Returns:
        The columns of `by`, `rows`, every metric, `naive_mase` (of seasonal naive on the same rows) and `skill`:
        1 - mase / naive_mase, above zero where the forecast is better.
    """
    own = score(rows, task, by=by)
    naive = score(rows.assign(**{task.point_column: rows["naive"]}), task, by=by)[[*by, BASELINE]]
    naive = naive.rename(columns={BASELINE: "naive_mase"})
    both = own.merge(naive, on=list(by), how="left") if by else pd.concat([own, naive], axis=1)
    both["skill"] = 1 - both[BASELINE] / both["naive_mase"].where(both["naive_mase"] > 0)
    return both[[*by, "rows", *NUMBERS]]


def summary(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """Return the scores of matched forecasts as one dictionary; `rows` is 0, and nothing else is there, if none."""
    if rows.empty:
        return {"rows": 0}
    found = compared(rows, task).iloc[0]
    return {"rows": int(found["rows"]), **{name: float(found[name]) for name in NUMBERS}}


def scores(rows: pd.DataFrame, task: Task, parts: pd.DataFrame) -> pd.DataFrame:
    """Score what was delivered as a whole and by vintage (origin), lead and segment, and our own by version.

    Args:
        rows: matched forecasts that count, whatever their role.
        task: names the columns.
        parts: item_id and segment, see `segments.segments`.

    Returns:
        Columns scope (one of `SCOPES`), value (text: which one), rows and `NUMBERS`.
    """
    used = delivered(rows)
    if used.empty:
        return pd.DataFrame({"scope": [ALL], "value": [""], "rows": [0], **dict.fromkeys(NUMBERS, np.nan)})
    found = [compared(used, task).assign(scope=ALL, value="")]
    for scope, column, of in ((VERSION, "model_version", own(rows)), (VINTAGE, "origin", used), (LEAD, "lead", used)):
        if len(of):
            part = compared(of, task, [column])
            found.append(part.assign(scope=scope, value=part[column].map(_text)))
    if len(inside := used.merge(parts[[ITEM, SEGMENT]], on=ITEM)):
        by_part = compared(inside, task, ["segment"])
        found.append(by_part.assign(scope=SEGMENT, value=by_part["segment"]))
    return pd.concat(found, ignore_index=True)[["scope", "value", "rows", *NUMBERS]]


def _text(value: Any) -> str:
    return value.isoformat(sep=" ") if isinstance(value, pd.Timestamp) else str(value)


def revised(old: pd.DataFrame | None, new: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame | None:
    """Add new scores of a partition to the history of its scores.

    Args:
        old: what was kept: `scores`, `revision` (from 1) and `scored_at`; None at first.
        new: scores of today.
        now: the present moment.

    Returns:
        The whole history; None where nothing has changed since the last revision, to nine digits.
    """
    number = 1 if old is None else int(old["revision"].max()) + 1
    added = new.assign(revision=number, scored_at=pd.Series(now, index=new.index).astype("datetime64[us]"))
    if old is None:
        return added
    if _same(old[old["revision"] == number - 1], new):
        return None
    return pd.concat([old[added.columns], added], ignore_index=True)


def _same(last: pd.DataFrame, new: pd.DataFrame) -> bool:
    columns = ["scope", "value", "rows"]
    if not np.array_equal(last[columns].to_numpy(), new[columns].to_numpy()):
        return False
    return np.allclose(last[NUMBERS].to_numpy(float), new[NUMBERS].to_numpy(float), rtol=1e-9, atol=0, equal_nan=True)


def vintages(forecasts: pd.DataFrame, matched: pd.DataFrame, task: Task, end: pd.Timestamp) -> pd.DataFrame:
    """Tell of each origin how much of its horizon has actuals, and how good it has been so far.

    Args:
        forecasts: rows of the ledger: item_id, origin, timestamp.
        matched: what could be scored of them.
        task: names the columns.
        end: what lies before this should have its actuals; what lies after it is still awaited.

    Returns:
        A row for each origin, the latest first: origin, forecasts (rows of the ledger), scored, missing (due, without
        an actual), awaited, complete (nothing awaited), and the numbers of those that count, NaN where there are none.
    """
    return _so_far(forecasts, matched, task, end, "origin").sort_values("origin", ascending=False, ignore_index=True)


def leads(forecasts: pd.DataFrame, matched: pd.DataFrame, task: Task, end: pd.Timestamp) -> pd.DataFrame:
    """Tell the same of each lead, or band of leads where there are many: columns as of `vintages`, lead first."""
    names = bands(task.horizon)
    forecasts = forecasts.assign(band=forecasts["lead"].map(names))
    found = _so_far(forecasts, matched.assign(band=matched["lead"].map(names)), task, end, "band")
    order = list(dict.fromkeys(names.values()))
    return found.rename(columns={"band": "lead"}).sort_values(
        "lead", key=lambda column: column.map(order.index), ignore_index=True
    )


def bands(horizon: int) -> Mapping[int, str]:
    """Return lead -> the name of its band: every lead its own up to `MOST_LEADS`, else bands of equal length."""
    steps = np.arange(1, horizon + 1)
    if horizon <= MOST_LEADS:
        return {int(step): str(step) for step in steps}
    width = -(-horizon // MOST_LEADS)
    first = (steps - 1) // width * width + 1
    last = np.minimum(first + width - 1, horizon)
    return {int(step): f"{a}–{b}" for step, a, b in zip(steps, first, last, strict=True)}


def _so_far(forecasts: pd.DataFrame, matched: pd.DataFrame, task: Task, end: pd.Timestamp, by: str) -> pd.DataFrame:
    due = forecasts[TIME] < end
    counts = pd.DataFrame(
        {
            "forecasts": forecasts.groupby(by).size(),
            "scored": matched.groupby(by).size(),
            "due": due.groupby(forecasts[by]).sum(),
        }
    ).fillna(0)
    counts = counts.loc[counts["forecasts"] > 0].astype("int64")
    counts["missing"] = counts["due"] - counts["scored"]
    counts["awaited"] = counts["forecasts"] - counts["due"]
    counts["complete"] = counts["awaited"] == 0
    rows = honest(matched)
    numbers = compared(rows, task, [by]).set_index(by)[NUMBERS] if len(rows) else pd.DataFrame(columns=NUMBERS)
    found = counts.drop(columns="due").join(numbers.astype(float))
    return found.rename_axis(by).reset_index()


def worst_items(rows: pd.DataFrame, task: Task, count: int = 10) -> pd.DataFrame:
    """Return the items whose errors weigh most: item_id, rows, share of all absolute error, and the numbers.

    A large item with a common error comes before a small one with a wild error: it is what the whole suffers from.
    """
    absolute = rows["error"].abs().groupby(rows[ITEM]).sum(min_count=1).dropna()
    largest = absolute.nlargest(count)
    few = rows[rows[ITEM].isin(largest.index)]
    found = compared(few, task, [ITEM]).set_index(ITEM).reindex(largest.index)
    found.insert(1, "share_of_error", largest / (absolute.sum() or np.nan))
    return found.reset_index()
