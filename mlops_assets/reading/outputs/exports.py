"""What is stored as files for other tools: as our own tables, or in the columns of the hubverse.

The hubverse is the convention of collaborative forecasting hubs (https://docs.hubverse.io): a file of quantiles for
each round in `model-output`, what came in `target-data`, with the day since when it was known (`as_of`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import outer_pair
from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.item_ids import require
from mlops_assets.reading.kept import require_forecasts, require_observations, require_scores
from mlops_assets.reading.matched import Matched
from mlops_assets.reading.observations import observations, versions
from mlops_assets.reading.origins import Origins
from mlops_assets.reading.reader import Reader

Files = Iterator[tuple[str, pd.DataFrame]]
"""Path without its ending, and the rows."""
TEAM = "mlops"
"""The first half of a model's id in a hub."""


def tables(reader: Reader, asked: Asked) -> Files:
    """Yield forecasts (a file for each origin), observations and accuracy by item, in our own columns.

    Args:
        reader: of the forecast.
        asked: which rows.
    """
    _require_kept(reader, asked)
    yield from ((f"forecasts/{key}", rows) for key, rows in _by_origin(reader, asked))
    yield "observations", observations(reader.tables, reader.spec, asked)
    yield "accuracy", reader.accuracy("item", asked.items, asked.since, asked.until, asked.as_of)


def hubverse(reader: Reader, asked: Asked) -> Files:
    """Yield forecasts, what came and scores in the columns of the hubverse.

    Args:
        reader: of the forecast.
        asked: which rows.

    Returns:
        `model-output/<model>/<round>-<model>`: reference_date (the origin), target, horizon (the lead), location (the
        item), target_end_date (the timestamp), output_type (mean, median, quantile), output_type_id, value.
        `target-data/time-series`: as_of (the day since when the value was known, in UTC), target_end_date, target,
        location, observation: each version that was known. `target-data/oracle-output`: target_end_date, target,
        location, oracle_value. `scores`: model_id, reference_date, horizon, rows, wis, the coverage of the outermost
        interval, and the other metrics.
    """
    _require_kept(reader, asked)
    spec = reader.spec
    target, model = spec.columns.target, f"{TEAM}-{spec.name}"
    for _, rows in _by_origin(reader, asked):
        made = _model_output(rows, spec.quantiles, target)
        yield f"model-output/{model}/{made['reference_date'].iloc[0]}-{model}", made
    known = versions(reader.tables, spec, asked)
    known = known[known[TARGET].notna()]
    series = pd.DataFrame(
        {
            "as_of": known["known_at"].dt.strftime("%Y-%m-%d"),
            "target_end_date": _dates(known["timestamp"]),
            "target": target,
            "location": known["item_id"],
            "observation": known[TARGET],
        }
    )
    # Of one day's versions the last is what that day ended with.
    yield (
        "target-data/time-series",
        series.drop_duplicates(["as_of", "target_end_date", "location"], keep="last", ignore_index=True),
    )
    current = observations(reader.tables, spec, asked)
    current = current[current[TARGET].notna()]
    dates = _dates(current["timestamp"])
    oracle = pd.DataFrame({"target_end_date": dates, "target": target, "location": current["item_id"]})
    yield "target-data/oracle-output", oracle.assign(oracle_value=current[TARGET])
    yield "scores", _scores(reader, asked, model)


def _require_kept(reader: Reader, asked: Asked) -> None:
    """Refuse an export of which something was removed, before anything is written; see `reading.kept`."""
    require_forecasts(reader.tables, reader.spec, asked, reader.spec.horizon)
    require_observations(reader.tables, reader.spec, asked)
    require_scores(reader.tables, reader.spec, asked)


def _by_origin(reader: Reader, asked: Asked) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the forecasts of each origin, one after another."""
    origins = Origins(reader.tables, reader.spec)
    found: set[str] = set()
    for one in origins.heads(origins.reaching(asked)):
        if asked.as_of is None or one.created_at <= asked.as_of:
            rows = reader.forecasts(None, asked.since, asked.until, one.origin, asked.as_of)
            rows = rows if asked.items is None else rows[rows["item_id"].isin(asked.items)]
            found |= {*rows["item_id"].unique()}
            if len(rows):
                yield one.partition, rows
    require(reader.tables, reader.spec, asked, found)


def _model_output(rows: pd.DataFrame, levels: tuple[float, ...] | list[float], target: str) -> pd.DataFrame:
    held = pd.DataFrame(
        {
            "reference_date": _dates(rows["origin"]),
            "target": target,
            "horizon": rows["lead"],
            "location": rows["item_id"],
            "target_end_date": _dates(rows["timestamp"]),
        }
    )
    parts = [held.assign(output_type="mean", output_type_id=np.nan, value=rows["mean"])]
    if 0.5 in levels:
        middle = rows[quantile_column(0.5)]
        parts.append(held.assign(output_type="median", output_type_id=np.nan, value=middle))
    parts += [
        held.assign(output_type="quantile", output_type_id=level, value=rows[quantile_column(level)])
        for level in levels
    ]
    found = pd.concat(parts)
    return found[found["value"].notna()].sort_values(["location", "horizon"], kind="stable", ignore_index=True)


def _scores(reader: Reader, asked: Asked, model: str) -> pd.DataFrame:
    spec = reader.spec
    compared = ledger.Compared(spec.task, ["origin", "lead"])
    for rows in Matched.of(reader.tables, spec, asked).parts():
        compared.add(ledger.delivered(rows))
    found = compared.table()
    pair = outer_pair(spec.quantiles)
    covered = "coverage" if pair is None else f"interval_coverage_{round(100 * (pair[1] - pair[0]))}"
    found = found.rename(columns={"lead": "horizon", "coverage": covered})
    found.insert(0, "model_id", model)
    found.insert(1, "reference_date", _dates(found.pop("origin")))
    first = ["model_id", "reference_date", "horizon", "rows", "wis", covered]
    return found[[*first, *(name for name in found if name not in first)]]


def _dates(moments: pd.Series) -> pd.Series:
    """Days in ISO 8601, or with the time where any of them has one."""
    whole = len(moments) == 0 or bool((moments == moments.dt.normalize()).all())
    return moments.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S")
