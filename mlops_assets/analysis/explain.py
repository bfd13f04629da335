"""Explain a forecast: what its model leans on, and the past days that one row of it is made like."""

from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import OpenForecast, QuestionError, open_forecast, read_timestamp
from mlops_assets.forecasting.formatting import plain_rows, stamp
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


def explain_model(spec: ForecastSpec, settings: Settings) -> dict[str, Any]:
    """Say what the model leans on.

    Returns:
        Plain JSON types: `forecast`, `model`, `groups` (importance by group of features), `features` (importance of
        each), `metric` and `permutation` (how much worse the backtest's metric gets with a group shuffled).

    Raises:
        ValueError, SourceError, TrackingError: as `open_forecast` does.
    """
    from mlops_assets.forecasting.evaluation.importance import by_group, permutation_importance

    opened = open_forecast(spec, settings)
    importances = opened.forecaster.importances()
    metric = spec.gate.metric
    permuted = permutation_importance(
        opened.history, spec.task, spec.backtest.windows, spec.backtest.step, metric=metric
    )
    return {
        "forecast": spec.name,
        "model": opened.model,
        "groups": plain_rows(by_group(importances)),
        "features": plain_rows(importances),
        "metric": metric,
        "permutation": plain_rows(permuted),
    }


def explain_row(
    spec: ForecastSpec, settings: Settings, item: str, timestamp: str, origin: str | None = None, top: int = 10
) -> dict[str, Any]:
    """Say what one row of the forecast rests on.

    Args:
        spec: the forecast.
        settings: where the registry is.
        item: id of the item.
        timestamp: of the forecast, within the horizon after the origin.
        origin: None is the latest.
        top: how many training rows to name.

    Returns:
        Plain JSON types: `forecast`, `model`, `item_id`, `origin`, `timestamp`, `lead`, `values` (mean and quantiles),
        `features` (what the model sees, by name), `like` (training rows by weight) and `rows` (how many have any).

    Raises:
        QuestionError: there is no such row, or it is a fallback.
        ValueError, SourceError, TrackingError: as `open_forecast` does.
    """
    from mlops_assets.forecasting.evaluation.importance import by_group, resemblance
    from mlops_assets.forecasting.model.features import training_rows

    opened = open_forecast(spec, settings, origin)
    place, rows, row = _row(opened, item, timestamp)
    table = opened.predict(items=[item])
    values = table[table["lead"] == place["lead"]].iloc[0]
    learnt = opened.history[opened.history["timestamp"] <= opened.learnt_until]
    like = resemblance(opened.forecaster, training_rows(learnt, opened.forecaster.task), rows, row)
    seen = {name: column[row] for name, column in rows.features.items()}
    return {
        "forecast": spec.name,
        "model": opened.model,
        **{name: stamp(value) if isinstance(value, pd.Timestamp) else value for name, value in place.items()},
        "values": plain_rows(values.to_frame().T[["mean", *spec.task.quantile_columns]])[0],
        "groups": plain_rows(by_group(opened.forecaster.importances())),
        "features": plain_rows(pd.DataFrame([seen]))[0],
        "rows": len(like),
        "like": plain_rows(like.head(top)),
    }


def _row(opened: OpenForecast, item: str, timestamp: str) -> tuple[dict[str, Any], Any, int]:
    moment = read_timestamp(timestamp, "timestamp")
    opened.must_know(item)
    place, rows = opened.forecaster.feature_rows(opened.history, opened.origin, future=opened.future, items=[item])
    if place.empty:
        raise QuestionError(
            f"{item!r} has hardly any history until {opened.origin}: it gets seasonal naive, which rests on its own "
            "last season alone"
        )
    found = place.index[place["timestamp"] == moment]
    if not len(found):
        raise QuestionError(
            f"{timestamp} is not forecast from the origin {opened.origin}; that reaches from "
            f"{place['timestamp'].min()} to {place['timestamp'].max()}. Name another origin to explain a "
            "forecast of the past"
        )
    row = int(found[0])
    return {str(k): v for k, v in place.loc[row].to_dict().items()}, rows, row
