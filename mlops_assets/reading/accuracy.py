"""How good the forecasts were: scores of what was delivered, beside seasonal naive's, by what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import pandas as pd

from mlops_assets.catalog.names import FORECAST_ACCURACY
from mlops_assets.catalog.partitions import holding, partition_of, partitions_of, periods, whole_window
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.forecasts import Forecasts, delivered_by
from mlops_assets.reading.item_ids import require
from mlops_assets.reading.observations import observations, within
from mlops_assets.reading.origins import Origins
from mlops_assets.reading.questions import QuestionError
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import believed, read_scores

By = Literal["all", "item", "lead", "origin", "period", "segment", "version"]
RECENT = 28
"""Partitions that are looked back over where no time is named, or so many that a horizon is over in them."""
_INSTANT = pd.Timedelta(microseconds=1)
_GROUPS = {
    "all": [], "item": ["item_id"], "lead": ["lead"], "origin": ["origin"], "period": ["period"],
    "segment": ["segment"], "version": ["model_version"],
}  # fmt: skip


def accuracy(tables: Tables, spec: ForecastSpec, asked: Asked, by: By = "all") -> pd.DataFrame:
    """Score forecasts.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: which rows; without a time, those of the latest `RECENT` partitions; by period, of all.
        by: one row for each item, lead, origin, partition, segment or version of the model, or one for all.

    Returns:
        What it is by (of `item` item_id, of `version` model_version), rows, every metric, naive_mase and skill.

    Raises:
        QuestionError: `by` is none of these.
        UnknownItemError: there is no such item.
    """
    if by not in _GROUPS:
        raise QuestionError.of("by", by, get_args(By))
    if by == "period" and not asked.bounded and asked.items is None:
        return _by_period(tables, spec, asked.as_of)
    rows = matched(tables, spec, asked, recent(tables, spec, asked))
    require(tables, spec, asked, rows["item_id"])
    return scores(rows, spec, by)


def scores(rows: pd.DataFrame, spec: ForecastSpec, by: By) -> pd.DataFrame:
    """Score matched forecasts of every role, as `accuracy` does.

    A version is judged by all that we made, delivered or not.
    """
    rows = ledger.honest(rows)
    rows = ledger.own(rows) if by == "version" else ledger.delivered(rows)
    if by == "segment":
        rows = rows.merge(segments(rows)[["item_id", "segment"]], on="item_id")
    if by == "period":
        keys = [holding(spec, day) for day in rows["timestamp"].dt.normalize().unique()]
        rows = rows.assign(period=partition_of(rows["timestamp"], partitions_of(spec), sorted(set(keys))))
    return ledger.compared(rows, spec.task, _GROUPS[by])


def matched(tables: Tables, spec: ForecastSpec, asked: Asked, keys: Sequence[str]) -> pd.DataFrame:
    """Return forecasts beside what came, of every role, as `ledger.match` does.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: which rows. As of a moment: the forecasts that were made by then beside the actuals as they were known
            then.
        keys: of the partitions of the actuals.
    """
    if not keys:
        return ledger.match(pd.DataFrame(), pd.DataFrame(), spec.task, False)
    if asked.as_of is None:
        return tables.read([spec.name, FORECAST_ACCURACY], keys, None, asked.only)
    return _as_of(tables, spec, asked, keys)


def _by_period(tables: Tables, spec: ForecastSpec, as_of: pd.Timestamp | None) -> pd.DataFrame:
    """Return the stored scores of all partitions, as they were known."""
    found = read_scores(tables, spec.name, as_of=as_of)
    found = found[(found["scope"] == ledger.ALL) & (found["rows"] > 0)]
    found = found.rename(columns={"partition": "period"}).sort_values("period", ignore_index=True)
    return found[["period", "rows", *ledger.NUMBERS]]


def recent(tables: Tables, spec: ForecastSpec, asked: Asked) -> list[str]:
    """Return the scored partitions that a question is about; without a time, the latest."""
    keys = within(spec, tables.partitions([spec.name, FORECAST_ACCURACY]), asked)
    return keys if asked.bounded else keys[-max(RECENT, periods(spec, spec.horizon)) :]


def _as_of(tables: Tables, spec: ForecastSpec, asked: Asked, keys: Sequence[str]) -> pd.DataFrame:
    window = whole_window(partitions_of(spec), keys)
    since = window.start if asked.since is None else max(asked.since, window.start)
    until = window.end - _INSTANT if asked.until is None else min(asked.until, window.end - _INSTANT)
    inside = asked.within(since, until)
    ledgers = Forecasts(Origins(tables, spec), "shadow")
    task = spec.task
    held = ["item_id", "timestamp", "origin", "lead", "mean", *task.quantile_columns, *task.cost_columns, "naive"]
    held += ["mase_scale", "rmsse_scale", "source", "model_version", "trained_until", "created_at", "role", "job_key"]
    made = ledgers.known(ledgers.origins.reaching(inside), inside, held)
    made = made.assign(role=made["role"].mask(delivered_by(made, asked.as_of), ledger.DELIVERED))
    made = Meanings(tables, spec.name).scorable(made, spec)
    known = observations(tables, spec, inside.about(None))
    actuals = believed(tables, spec, known, made, keys[0])
    observed = known["timestamp"].unique() if spec.fill == "zero" else None
    return ledger.match(made, actuals, task, spec.fill == "zero", observed)
