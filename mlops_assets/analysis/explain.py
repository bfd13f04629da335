"""Explain a forecast: what its model leans on, and the past days that one row of it is made like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.analysis.members import MembersExplanation, MembersOfRow, of_model, of_row
from mlops_assets.analysis.opened import OpenForecast, open_forecast, read_timestamp
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.kinds import Combined
from mlops_assets.reading.questions import QuestionError
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


@dataclass(frozen=True, eq=False)
class ModelExplanation:
    """What a model leans on.

    Attributes:
        forecast: name of the forecast.
        model: which model it is, in words.
        groups: group (of features), importance; largest first, summing to one.
        features: feature, group, importance; largest first.
        metric: the spec's `gate.metric`.
        permutation: group, the metric of the backtest with that group shuffled, worse (the difference), share (of the
            differences above zero); the first row, of group `none`, is the metric with all features.
    """

    forecast: str
    model: str
    groups: pd.DataFrame
    features: pd.DataFrame
    metric: str
    permutation: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the importance of each feature."""
        return self.features

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "model": self.model,
            "groups": plain_rows(self.groups),
            "features": plain_rows(self.features),
            "metric": self.metric,
            "permutation": plain_rows(self.permutation),
        }


@dataclass(frozen=True, eq=False)
class RowExplanation:
    """What one row of a forecast rests on.

    Attributes:
        forecast: name of the forecast.
        model: which model made it, in words.
        item_id: the item.
        origin: last timestamp known when it was made.
        timestamp: what is forecast.
        lead: steps from the origin.
        values: the mean and each quantile by its column.
        groups: group (of features), importance.
        features: what the model sees, by the feature's name.
        rows: how many training rows share a leaf with it.
        like: the heaviest of them: item_id, origin, timestamp, lead, target, weight (of all it is one), outcome (the
            target moved and scaled to the level of this row).
    """

    forecast: str
    model: str
    item_id: str
    origin: pd.Timestamp
    timestamp: pd.Timestamp
    lead: int
    values: Mapping[str, float]
    groups: pd.DataFrame
    features: Mapping[str, Any]
    rows: int
    like: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the training rows that the forecast is made like, heaviest first."""
        return self.like

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "model": self.model,
            **{name: plain(getattr(self, name)) for name in ("item_id", "origin", "timestamp", "lead")},
            "values": {name: plain(value) for name, value in self.values.items()},
            "groups": plain_rows(self.groups),
            "features": {name: plain(value) for name, value in self.features.items()},
            "rows": self.rows,
            "like": plain_rows(self.like),
        }


def explain_model(spec: ForecastSpec, settings: Settings) -> ModelExplanation | MembersExplanation:
    """Say what the model leans on; of several models together, who they are.

    Raises:
        DataError, SourceError, TrackingError: as `open_forecast` does.
    """
    from mlops_assets.forecasting.evaluation.importance import by_group, permutation_importance

    opened = open_forecast(spec, settings)
    if isinstance(opened.forecaster, Combined):
        return of_model(opened, opened.forecaster)
    importances = _importances(opened)
    metric = spec.gate.metric
    permuted = permutation_importance(
        opened.history, spec.task, spec.backtest.windows, spec.backtest.step, metric=metric
    )
    return ModelExplanation(spec.name, opened.model, by_group(importances), importances, metric, permuted)


def explain_row(
    spec: ForecastSpec,
    settings: Settings,
    item: str,
    timestamp: str,
    origin: str | None = None,
    top: int = 10,
    as_of: str | None = None,
) -> RowExplanation | MembersOfRow:
    """Say what one row of the forecast rests on; of several models together, what each says.

    Args:
        spec: the forecast.
        settings: where the registry is.
        item: id of the item.
        timestamp: of the forecast, within the horizon after the origin.
        origin: None is the latest.
        top: how many training rows to name.
        as_of: see `open_forecast`.

    Raises:
        QuestionError: there is no such row, or it is a fallback.
        DataError, SourceError, TrackingError: as `open_forecast` does.
    """
    from mlops_assets.forecasting.evaluation.importance import by_group, forest_of, resemblance

    opened = open_forecast(spec, settings, origin, as_of)
    if isinstance(opened.forecaster, Combined):
        return of_row(opened, opened.forecaster, item, read_timestamp(timestamp, "timestamp"))
    importances = _importances(opened)
    key, rows, row = _row(opened, item, timestamp)
    table = opened.predict(items=[item])
    values = table[table["lead"] == key["lead"]].iloc[0]
    learnt = opened.history[opened.history["timestamp"] <= opened.learnt_until]
    forest = forest_of(opened.forecaster)
    like = resemblance(forest, kinds.rows(learnt, forest.task), rows, row)
    return RowExplanation(
        forecast=spec.name,
        model=opened.model,
        **key,
        values={name: float(values[name]) for name in ("mean", *spec.task.quantile_columns)},
        groups=by_group(importances),
        features={name: column[row] for name, column in rows.features.items()},
        rows=len(like),
        like=like.head(top),
    )


def _importances(opened: OpenForecast) -> pd.DataFrame:
    """Return the importance of each feature; QuestionError of a model that has none."""
    from mlops_assets.forecasting.evaluation.importance import without_features

    found = kinds.importances(opened.forecaster)
    if found is None or not hasattr(opened.forecaster, "feature_rows"):
        raise QuestionError(without_features(opened.forecaster.task.model.kind))
    return found


def _row(opened: OpenForecast, item: str, timestamp: str) -> tuple[dict[str, Any], Any, int]:
    """Give a row's item_id, origin, timestamp and lead, all rows of its item as the model sees them, and its number."""
    moment = read_timestamp(timestamp, "timestamp")
    opened.must_know(item)
    forecaster: Any = opened.forecaster
    keys, rows = forecaster.feature_rows(opened.history, opened.origin, future=opened.future, items=[item])
    if keys.empty:
        raise QuestionError(
            f"{item!r} has hardly any history until {opened.origin}: it gets seasonal naive, which rests on its own "
            "last season alone"
        )
    found = keys.index[keys["timestamp"] == moment]
    if not len(found):
        raise QuestionError(
            f"{timestamp} is not forecast from the origin {opened.origin}; that reaches from "
            f"{keys['timestamp'].min()} to {keys['timestamp'].max()}. Name another origin to explain a "
            "forecast of the past"
        )
    row = int(found[0])
    return {str(k): v for k, v in keys.loc[row].to_dict().items()}, rows, row
