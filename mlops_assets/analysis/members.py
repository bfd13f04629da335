"""Explain a forecast that several models make together: who they are, their weights, and what each says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.analysis.opened import OpenForecast
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.forecasting.model.kinds import Combined
from mlops_assets.reading.questions import QuestionError


@dataclass(frozen=True, eq=False)
class MembersExplanation:
    """Which models an ensemble averages, or `auto` has chosen, and why.

    Attributes:
        forecast: name of the forecast.
        model: which model it is, in words.
        reasons: who forecasts each segment, and how much better that was, a sentence each.
        members: segment, items, member, weight, loss (on the windows that they were tried on), chosen.
    """

    forecast: str
    model: str
    reasons: tuple[str, ...]
    members: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each segment and member, and one for their average."""
        return self.members

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "model": self.model,
            "reasons": list(self.reasons),
            "members": plain_rows(self.members),
        }


@dataclass(frozen=True, eq=False)
class MembersOfRow:
    """What each model says of one row of a forecast.

    Attributes:
        forecast: name of the forecast.
        model: which model made it, in words.
        item_id: the item.
        timestamp: what is forecast.
        values: the mean and each quantile by its column.
        members: member, weight on this item, mean, quantiles; the heaviest first.
    """

    forecast: str
    model: str
    item_id: str
    timestamp: pd.Timestamp
    values: Mapping[str, float]
    members: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each member, the heaviest first."""
        return self.members

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, numbers rounded to six decimals."""
        return {
            "forecast": self.forecast,
            "model": self.model,
            "item_id": self.item_id,
            "timestamp": plain(self.timestamp),
            "values": {name: plain(value) for name, value in self.values.items()},
            "members": plain_rows(self.members),
        }


def of_model(opened: OpenForecast, model: Combined) -> MembersExplanation:
    """Say who forecasts what, and why."""
    columns = ["segment", "items", "member", "weight", "loss", "chosen"]
    return MembersExplanation(opened.spec.name, opened.model, tuple(model.reasons()), model.record[columns])


def of_row(opened: OpenForecast, model: Combined, item: str, moment: pd.Timestamp) -> MembersOfRow:
    """Say what each member forecasts for an item at a moment.

    Raises:
        QuestionError: there is no such item, or the moment is not forecast.
    """
    opened.must_know(item)
    numbers = ["mean", *opened.spec.task.quantile_columns]
    rows = []
    for (kind, member), weight in zip(model.members.items(), model.weights_of([item])[0], strict=True):
        table = member.predict(opened.history, opened.origin, future=opened.future, items=[item])
        rows.append({"member": kind, "weight": weight, **_at(table, moment, opened)[numbers].to_dict()})
    made = _at(opened.predict(items=[item]), moment, opened)
    return MembersOfRow(
        forecast=opened.spec.name,
        model=opened.model,
        item_id=item,
        timestamp=moment,
        values={name: float(made[name]) for name in numbers},
        members=pd.DataFrame(rows).sort_values("weight", ascending=False, ignore_index=True),
    )


def _at(table: pd.DataFrame, moment: pd.Timestamp, opened: OpenForecast) -> pd.Series:
    found = table[table["timestamp"] == moment]
    if found.empty:
        raise QuestionError(
            f"{moment} is not forecast from the origin {opened.origin}; that reaches from "
            f"{table['timestamp'].min()} to {table['timestamp'].max()}"
        )
    return found.iloc[0]
