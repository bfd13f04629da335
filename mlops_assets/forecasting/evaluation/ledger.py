"""Forecasts beside what came: matched, and scored by everything that tells one forecast from another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import METRICS, Lost, Scoring, metrics_of, shown_metrics
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.task import POINT, Task

ALL, VERSION, VINTAGE, LEAD, SEGMENT = "all", "version", "vintage", "lead", "segment"
SCOPES = (ALL, VERSION, VINTAGE, LEAD, SEGMENT)
BASELINE = "mase"
"""The metric that seasonal naive is scored by on the same rows."""
NUMBERS = [*METRICS, "naive_mase", "skill"]
"""Columns of scored forecasts: every metric of ours, and the comparison with seasonal naive."""
DELIVERED, SHADOW = "delivered", "shadow"
"""Values of the ledger's `role`: what is used, and what is scored beside it."""
OWN = ""
"""The ledger's `job_key` of our own forecasts."""
MOST_LEADS = 28
"""More leads than this are shown in as many bands."""


def numbers_of(task: Task) -> list[str]:
    """Return the columns of a task's scored forecasts: `NUMBERS`, and the metrics of its own."""
    return [*NUMBERS, *(name for name in metrics_of(task) if name not in METRICS)]


def shown_numbers(task: Task | None = None) -> list[str]:
    """Names of the numbers that the report and Dagster's tables show, seasonal naive's beside its metric.

    Args:
        task: whose own metrics are shown after ours.
    """
    names = [*shown_metrics("report"), *(numbers_of(task)[len(NUMBERS) :] if task is not None else ())]
    return [part for name in names for part in ((name, "naive_mase", "skill") if name == BASELINE else (name,))]


def known_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of scores without the numbers that no row has: costs that are not declared, say."""
    return table.drop(columns=[name for name in NUMBERS if name in table and table[name].isna().all()])


def match(
    forecasts: pd.DataFrame,
    observations: pd.DataFrame,
    task: Task,
    zero: bool,
    observed: Collection[pd.Timestamp] | None = None,
) -> pd.DataFrame:
    """Join forecasts with actuals.

    Args:
        forecasts: rows of the ledger; may be without columns when nothing was forecast.
        observations: canonical frame.
        task: names the quantiles.
        zero: an absent row means an actual of 0 at every timestamp that has observations.
        observed: those timestamps, where the observations are of some items only; None: as they say.

    Returns:
        A row for each forecast whose actual is known, by item, time and lead: the ledger's columns that matter,
        `target`, `error` (forecast minus actual) and `in_sample` (the model had seen the actual when it was trained).
    """
    kept = [ITEM, TIME, "origin", "lead", TARGET, "mean", *task.quantile_columns, *task.cost_columns, "naive"]
    kept += ["error", "mase_scale", "rmsse_scale", "source", "model_version", "in_sample", "role", "job_key"]
    if forecasts.empty or (observations.empty and not observed):
        return _nothing(kept)
    forecasts = _with_columns(forecasts, task)
    actuals = observations[[ITEM, TIME, TARGET]]
    if zero:
        forecasts = forecasts[forecasts[TIME].isin(actuals[TIME].unique() if observed is None else list(observed))]
        rows = forecasts.merge(actuals, on=[ITEM, TIME], how="left", indicator=True)
        rows.loc[rows["_merge"] == "left_only", TARGET] = 0.0
    else:
        rows = forecasts.merge(actuals, on=[ITEM, TIME], how="inner")
    rows = rows[rows[TARGET].notna()]
    rows = rows.assign(
        error=rows[task.point_column] - rows[TARGET],
        in_sample=(rows[TIME] <= rows["trained_until"]).fillna(False).astype(bool),
    )
    return rows[kept].sort_values([ITEM, TIME, "lead"], ignore_index=True)


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


class Compared:
    """Scores matched forecasts beside seasonal naive's, part by part; see `compared`."""

    def __init__(self, task: Task, by: Sequence[str] = ()) -> None:
        """Begin with nothing; arguments as of `compared`."""
        self._by, self._numbers = list(by), numbers_of(task)
        self._scoring = Scoring(task, by, {"naive_mase": (BASELINE, "naive")})

    def lost(self, rows: pd.DataFrame) -> Lost:
        """Return what rows have lost; see `Scoring.lost`."""
        return self._scoring.lost(rows)

    def add(self, rows: pd.DataFrame, lost: Lost | None = None) -> None:
        """Take the rows of some more items, and what they have lost, where that is known."""
        self._scoring.add(rows, lost)

    def table(self) -> pd.DataFrame:
        """Return the scores of all that has come."""
        found = self._scoring.table()
        naive = found["naive_mase"].to_numpy()
        skill = 1 - found[BASELINE].to_numpy() / np.where(naive > 0, naive, np.nan)
        return found.assign(skill=skill)[[*self._by, "rows", *self._numbers]]


def compared(rows: pd.DataFrame, task: Task, by: Sequence[str] = ()) -> pd.DataFrame:
    """Score matched forecasts beside seasonal naive's.

    Returns:
        The columns of `by`, `rows`, every metric, `naive_mase` (of seasonal naive on the same rows) and `skill`:
        1 - mase / naive_mase, above zero where the forecast is better.
    """
    found = Compared(task, by)
    found.add(rows)
    return found.table()


def summary(rows: pd.DataFrame, task: Task) -> dict[str, float]:
    """Return the scores of matched forecasts as one dictionary; `rows` is 0, and nothing else is there, if none."""
    if rows.empty:
        return {"rows": 0}
    found = compared(rows, task).iloc[0]
    return {"rows": int(found["rows"]), **{name: float(found[name]) for name in numbers_of(task)}}


class Scores:
    """Scores what was delivered as a whole and by vintage (origin), lead and segment, and our own by version.

    The rows come part by part. Segments are known when all have come: then the rows come once more.
    """

    _BY: ClassVar[Mapping[str, Sequence[str]]] = {
        ALL: (),
        VERSION: ("model_version",),
        VINTAGE: ("origin",),
        LEAD: ("lead",),
        SEGMENT: (SEGMENT,),
    }

    def __init__(self, task: Task) -> None:
        """Begin with nothing; the task names the columns."""
        self._parts = {scope: Compared(task, by) for scope, by in self._BY.items()}
        self._numbers = numbers_of(task)
        self._seen: set[str] = set()

    def add(self, rows: pd.DataFrame) -> None:
        """Take some more matched forecasts that count, whatever their role."""
        used, ours = delivered(rows), own(rows)
        lost = self._parts[ALL].lost(used)
        for scope in (ALL, VINTAGE, LEAD):
            self._take(scope, used, lost)
        self._take(VERSION, ours, lost if ours.index.equals(used.index) else None)

    def add_segments(self, rows: pd.DataFrame, parts: pd.DataFrame) -> None:
        """Take the same rows again, with item_id and segment of the items, see `segments.segments`."""
        self._take(SEGMENT, delivered(rows).merge(parts[[ITEM, SEGMENT]], on=ITEM))

    def table(self) -> pd.DataFrame:
        """Return what `scores` does."""
        if ALL not in self._seen:
            return pd.DataFrame({"scope": [ALL], "value": [""], "rows": [0], **dict.fromkeys(self._numbers, np.nan)})
        found = []
        for scope in (scope for scope in SCOPES if scope in self._seen):
            part, by = self._parts[scope].table(), self._BY[scope]
            found.append(part.assign(scope=scope, value=part[by[0]].map(_text) if by else ""))
        return pd.concat(found, ignore_index=True)[["scope", "value", "rows", *self._numbers]]

    def _take(self, scope: str, rows: pd.DataFrame, lost: Lost | None = None) -> None:
        if len(rows):
            self._seen.add(scope)
            self._parts[scope].add(rows, lost)


def scores(rows: pd.DataFrame, task: Task, parts: pd.DataFrame) -> pd.DataFrame:
    """Score matched forecasts, see `Scores`.

    Args:
        rows: matched forecasts that count, whatever their role.
        task: names the columns.
        parts: item_id and segment, see `segments.segments`.

    Returns:
        Columns scope (one of `SCOPES`), value (text: which one), rows and `numbers_of(task)`.
    """
    found = Scores(task)
    found.add(rows)
    found.add_segments(rows, parts)
    return found.table()


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
    numbers = [name for name in new if name not in columns]
    return np.allclose(last[numbers].to_numpy(float), new[numbers].to_numpy(float), rtol=1e-9, atol=0, equal_nan=True)


class SoFar:
    """How much of the horizon of each origin, or of each lead, has actuals, and how good it has been.

    Matched rows come part by part.
    """

    def __init__(self, task: Task, by: Literal["origin", "lead"]) -> None:
        """Begin with nothing.

        Args:
            task: names the columns.
            by: `origin`, or `lead`: bands of leads where there are many.
        """
        self._task, self._by, self._compared = task, by, Compared(task, [by])
        self._bands = bands(task.horizon)
        self._scored: pd.Series = pd.Series(dtype="int64")

    def add(self, matched: pd.DataFrame) -> None:
        """Take some more rows that could be scored."""
        matched = self._banded(matched)
        self._scored = self._scored.add(matched.groupby(self._by).size(), fill_value=0)
        if len(rows := honest(matched)):
            self._compared.add(rows)

    def table(self, forecasts: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
        """Return what `vintages`, or `leads`, does.

        Args:
            forecasts: origin, timestamp, lead and `forecasts`, the number of rows of the ledger, as `counted` returns.
            end: see `vintages`.
        """
        rows, by = self._banded(forecasts), self._by
        due = rows["forecasts"].where(rows[TIME] < end, 0)
        counts = pd.DataFrame(
            {
                "forecasts": rows.groupby(by)["forecasts"].sum(),
                "scored": self._scored,
                "due": due.groupby(rows[by]).sum(),
            }
        ).fillna(0)
        counts = counts.loc[counts["forecasts"] > 0].astype("int64")
        counts["missing"] = counts["due"] - counts["scored"]
        counts["awaited"] = counts["forecasts"] - counts["due"]
        counts["complete"] = counts["awaited"] == 0
        numbers = self._compared.table().set_index(by)[numbers_of(self._task)]
        found = counts.drop(columns="due").join(numbers.astype(float)).rename_axis(by).reset_index()
        if by == "origin":
            return found.sort_values(by, ascending=False, ignore_index=True)
        order = list(dict.fromkeys(self._bands.values()))
        return found.sort_values(by, key=lambda column: column.map(order.index), ignore_index=True)

    def _banded(self, rows: pd.DataFrame) -> pd.DataFrame:
        return rows if self._by == "origin" else rows.assign(lead=rows["lead"].map(self._bands))


def counted(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Count rows of the ledger: origin, timestamp, lead and `forecasts`."""
    return forecasts.groupby(["origin", TIME, "lead"]).size().rename("forecasts").reset_index()


def vintages(forecasts: pd.DataFrame, matched: pd.DataFrame, task: Task, end: pd.Timestamp) -> pd.DataFrame:
    """Tell of each origin how much of its horizon has actuals, and how good it has been so far.

    Args:
        forecasts: rows of the ledger: item_id, origin, timestamp, lead.
        matched: what could be scored of them.
        task: names the columns.
        end: what lies before this should have its actuals; what lies after it is still awaited.

    Returns:
        A row for each origin, the latest first: origin, forecasts (rows of the ledger), scored, missing (due, without
        an actual), awaited, complete (nothing awaited), and the numbers of those that count, NaN where there are none.
    """
    found = SoFar(task, "origin")
    found.add(matched)
    return found.table(counted(forecasts), end)


def leads(forecasts: pd.DataFrame, matched: pd.DataFrame, task: Task, end: pd.Timestamp) -> pd.DataFrame:
    """Tell the same of each lead, or band of leads where there are many: columns as of `vintages`, lead first."""
    found = SoFar(task, "lead")
    found.add(matched)
    return found.table(counted(forecasts), end)


def bands(horizon: int) -> Mapping[int, str]:
    """Return lead -> the name of its band: every lead its own up to `MOST_LEADS`, else bands of equal length."""
    steps = np.arange(1, horizon + 1)
    if horizon <= MOST_LEADS:
        return {int(step): str(step) for step in steps}
    width = -(-horizon // MOST_LEADS)
    first = (steps - 1) // width * width + 1
    last = np.minimum(first + width - 1, horizon)
    return {int(step): f"{a}–{b}" for step, a, b in zip(steps, first, last, strict=True)}


def worst_items(rows: pd.DataFrame, task: Task, count: int = 10, total: float | None = None) -> pd.DataFrame:
    """Return the items whose errors weigh most: item_id, rows, share of all absolute error, and the numbers.

    A large item with a common error comes before a small one with a wild error: it is what the whole suffers from.

    Args:
        rows: matched forecasts.
        task: names the columns.
        count: so many items at most.
        total: sum of the absolute errors of all, where the rows are of some items only; None: of the rows.
    """
    absolute = rows["error"].abs().groupby(rows[ITEM]).sum(min_count=1).dropna()
    largest = absolute.nlargest(count)
    few = rows[rows[ITEM].isin(largest.index)]
    found = compared(few, task, [ITEM]).set_index(ITEM).reindex(largest.index)
    found.insert(1, "share_of_error", largest / ((absolute.sum() if total is None else total) or np.nan))
    return found.reset_index()
