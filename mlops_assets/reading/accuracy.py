"""How good the forecasts were: scores of what was delivered, beside seasonal naive's, by what is asked."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from mlops_assets.catalog.names import OBSERVATIONS
from mlops_assets.catalog.partitions import partition_of, partitions_of
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import by_static, thirds, volumes
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.item_ids import LATELY
from mlops_assets.reading.matched import Matched
from mlops_assets.reading.observations import within
from mlops_assets.reading.questions import QuestionError
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import read_scores

By = Literal["all", "item", "lead", "origin", "period", "segment", "version"]
_GROUPS = {
    "all": [], "item": ["item_id"], "lead": ["lead"], "origin": ["origin"], "period": ["period"],
    "segment": ["segment"], "version": ["model_version"],
}  # fmt: skip
_ALSO = {"period": ["timestamp"], "version": ["model_version", "job_key"]}
"""Columns that are looked at beside those of scores."""


def accuracy(tables: Tables, spec: ForecastSpec, asked: Asked, by: By = "all") -> pd.DataFrame:
    """Score forecasts.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: which rows; without a time, the latest (`matched.RECENT`, `matched.MOST`); by period, of all partitions.
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
    return scores(Matched.of(tables, spec, asked), by)


def scores(matched: Matched, by: By) -> pd.DataFrame:
    """Score forecasts beside what came, as `accuracy` does.

    A version is judged by all that we made, delivered or not.
    """
    spec = matched.spec
    compared = ledger.Compared(spec.task, _GROUPS[by])
    segments = _segments(matched) if by == "segment" else None
    for rows in matched.parts(_ALSO.get(by, ())):
        used = ledger.own(rows) if by == "version" else ledger.delivered(rows)
        if by == "period":
            names = partition_of(used["timestamp"], partitions_of(spec), matched.partitions)
            used = used.assign(period=names)
        compared.add(used if segments is None else used.merge(segments, on="item_id"))
    return compared.table()


def _segments(matched: Matched) -> pd.DataFrame:
    """Return item_id and segment: thirds by volume, and the values of static covariates that were observed last."""
    tables, spec = matched.tables, matched.spec
    found = [thirds(pd.concat([volumes(ledger.delivered(rows)) for rows in matched.parts()]))]
    key, static = [spec.name, OBSERVATIONS], spec.covariates.static
    keys = within(spec, tables.partitions(key), Asked(as_of=matched.asked.as_of))[-LATELY:]
    if static and keys:
        known = tables.read(key, keys, ["item_id", "timestamp", *static], Only(items=matched.asked.items))
        found += [part for part in [by_static(known, static)] if part is not None]
    return pd.concat(found, ignore_index=True)[["item_id", "segment"]]


def _by_period(tables: Tables, spec: ForecastSpec, as_of: pd.Timestamp | None) -> pd.DataFrame:
    """Return the stored scores of all partitions, as they were known."""
    found = read_scores(tables, spec, as_of=as_of)
    found = found[(found["scope"] == ledger.ALL) & (found["rows"] > 0)]
    found = found.rename(columns={"partition": "period"}).sort_values("period", ignore_index=True)
    return found[["period", "rows", *ledger.numbers_of(spec.task)]]
