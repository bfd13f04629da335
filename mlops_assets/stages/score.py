"""Scores: what the forecasts of a partition turned out to be worth, and what was said of it before."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.catalog.column import typed, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.names import ACCURACY_SCORES, FORECAST_ACCURACY
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

SPAN = 400
"""Partitions that scores are looked back over: what they cost does not grow with the years."""


def keep_scores(
    tables: Tables,
    spec: ForecastSpec,
    scored: pd.DataFrame,
    place: pd.Series,
    keys: Sequence[str],
    static: pd.DataFrame | None,
    now: pd.Timestamp,
) -> pd.DataFrame:
    """Write the scores of each partition to `<name>/accuracy_scores`, keeping what they were before.

    Returns:
        The latest scores as a whole of every partition that has any: `partition`, `rows` and the numbers.
    """
    old = dict(list(read_scores(tables, spec.name, latest=False, also=keys).groupby("partition")))
    revised = {}
    for partition in keys:
        rows = ledger.honest(scored[place == partition])
        if rows.empty and partition not in old:
            continue
        new = ledger.scores(rows, spec.task, ledger.segments(rows, static))
        if (history := ledger.revised(old.get(partition), new, now)) is not None:
            old[partition] = revised[partition] = history.assign(partition=partition)
    tables.write_all(
        [spec.name, ACCURACY_SCORES], {key: typed(rows, TABLES[ACCURACY_SCORES]) for key, rows in revised.items()}
    )
    if not old:
        return without_rows(TABLES[ACCURACY_SCORES])
    whole = _latest(pd.concat(old.values())).query("scope == 'all'")
    return whole.sort_values("partition", ignore_index=True)


def read_scores(tables: Tables, name: str, latest: bool = True, also: Sequence[str] = ()) -> pd.DataFrame:
    """Return the scores of the last `SPAN` partitions: partition, scope, value, rows, numbers, revision, scored_at.

    Args:
        tables: where they are.
        name: of the forecast.
        latest: only the last revision of each partition.
        also: partitions before those.
    """
    key = [name, ACCURACY_SCORES]
    stored = tables.partitions(key)
    if not stored:
        return without_rows(TABLES[ACCURACY_SCORES])
    wanted = sorted({*stored[-SPAN:], *set(stored).intersection(also)})
    rows = tables.read(key, partitions=wanted).sort_values(["partition", "revision"], kind="stable", ignore_index=True)
    return _latest(rows) if latest else rows


def _latest(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["revision"] == rows.groupby("partition")["revision"].transform("max")]


def earlier(tables: Tables, name: str, first: str, reach: int) -> pd.DataFrame:
    """Return what is stored of `forecast_accuracy` in the partitions before one, so many of them."""
    key = [name, FORECAST_ACCURACY]
    stored = [partition for partition in tables.partitions(key) if partition < first][-reach:]
    return tables.read(key, partitions=stored) if stored else pd.DataFrame()
