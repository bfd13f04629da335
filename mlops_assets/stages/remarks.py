"""What is odd about rows that are right by the contract: outliers, values beyond bounds, changed statics, no costs.

And about forecasts of such rows: a default point that says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data import outliers, statics
from mlops_assets.forecasting.delivery import bounds, costs
from mlops_assets.forecasting.formatting import counted, few, stamp
from mlops_assets.forecasting.model.task import quantile_column
from mlops_assets.spec import ForecastSpec

NEARLY_ALL = 0.9
"""Share of forecasts from which on a median of zero says nothing of an item."""


@dataclass(frozen=True)
class Remarks:
    """What is odd about some observations.

    Attributes:
        spec: the forecast.
        outliers: as `outliers.outliers` returns them.
        changes: as `statics.changes` returns them.
        misfits: as `bounds.misfits` returns them.
        uncosted: as `costs.unknown` returns them.
    """

    spec: ForecastSpec
    outliers: pd.DataFrame
    changes: pd.DataFrame
    misfits: pd.DataFrame
    uncosted: pd.DataFrame

    @classmethod
    def of(cls, spec: ForecastSpec, observations: pd.DataFrame) -> "Remarks":
        """Look at a canonical frame."""
        return cls(
            spec,
            outliers.outliers(observations),
            statics.changes(observations, spec.covariates.static),
            bounds.misfits(observations, spec.task),
            costs.unknown(observations, spec.task),
        )

    @classmethod
    def together(cls, spec: ForecastSpec, parts: "Sequence[Remarks]") -> "Remarks":
        """Put together what is odd about the parts of the items, by time and item."""
        return cls(spec, *map(_together, zip(*(one._tables for one in parts), strict=True)))

    def within(self, start: pd.Timestamp, end: pd.Timestamp) -> "Remarks":
        """Return those of a span of time, the end excluded: what is news to whoever has seen all before."""
        parts = (
            rows[rows["timestamp"].between(start, end, inclusive="left")] if len(rows) else rows
            for rows in self._tables
        )
        return Remarks(self.spec, *parts)

    def sentences(self) -> list[str]:
        """Return a sentence for each kind, with what to do; none where nothing is odd."""
        said = [sentence] if (sentence := outlier_sentence(self.spec, self.outliers)) else []
        if len(self.changes):
            said.append(
                f"static covariates have changed, the latest values count: {statics.sentence(self.changes)}. If one is "
                "wrong, mend the source and ingest again"
            )
        if len(self.misfits):
            said.append(
                f"{counted(len(self.misfits), 'observation')} beyond what the spec allows: {_misfits(self.misfits)}. "
                "No forecast will be: mend the source, or minimum, maximum or whole"
            )
        if len(self.uncosted):
            items = self.uncosted["item_id"].unique()
            said.append(
                f"costs that are missing or not above zero, of {counted(len(items), 'item')}: {few(list(items), 3)}. "
                "The point of such an item is its median, and the metric cost leaves it out: mend the source"
            )
        return said

    @property
    def _tables(self) -> tuple[pd.DataFrame, ...]:
        return self.outliers, self.changes, self.misfits, self.uncosted

    def facts(self) -> dict[str, Any]:
        """Return what the metadata says."""
        found: dict[str, Any] = {"outliers": len(self.outliers), "static_changes": len(self.changes)}
        if len(self.outliers):
            found["outlier_values"] = outliers.sentence(self.outliers, 20)
        if len(self.changes):
            found["changed_items"] = statics.sentence(self.changes, 20)
        if len(self.misfits):
            found |= {"beyond_bounds": len(self.misfits), "values_beyond_bounds": _misfits(self.misfits, 20)}
        return found


def _together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    there = [frame for frame in frames if len(frame)]
    if not there:
        return frames[0]
    return pd.concat(there).sort_values(["timestamp", "item_id"], kind="stable", ignore_index=True)


def _misfits(rows: pd.DataFrame, most: int = 3) -> str:
    told = [
        f"{row['item_id']} on {stamp(row['timestamp'])}: {row['target']:g}, {row['why']}"
        for row in rows.to_dict("records")
    ]
    return few(told, most)


def outlier_sentence(spec: ForecastSpec, found: pd.DataFrame) -> str:
    """Say which values are hardly true, what they count as, and what to do; empty where there are none."""
    if found.empty:
        return ""
    many = "values are" if len(found) > 1 else "value is"
    means, todo = ("counted as missing", "; if right, set outliers: keep")
    if spec.outliers == "keep":
        means, todo = ("kept (outliers: keep), learnt from as no further from the usual than the others", "")
    told = f"{len(found)} {many} hardly true and {means}: {outliers.sentence(found)}"
    return f"{told}. If wrong, mend the source and ingest again{todo}"


def unasked_median(spec: ForecastSpec) -> bool:
    """Whether the median is the point forecast, and nobody has chosen it."""
    return spec.point == "median" and "point" not in spec.model_fields_set


def silent_point(spec: ForecastSpec, made: pd.DataFrame) -> str:
    """Say that the point forecast is zero nearly everywhere, where more is to be expected and nobody asked for it.

    Args:
        spec: the forecast; whoever has chosen its `point`, or declared `costs`, is told nothing.
        made: forecasts with `mean` and the spec's quantiles.
    """
    if not unasked_median(spec) or made.empty:
        return ""
    return silent(spec, int((made[quantile_column(0.5)] == 0).sum()), len(made), float(made["mean"].sum()))


def silent(spec: ForecastSpec, zeros: int, rows: int, mean: float) -> str:
    """Say the same of so many forecasts whose median is zero, among so many whose means have this sum."""
    if not unasked_median(spec) or not rows or zeros / rows < NEARLY_ALL or not mean > 0:
        return ""
    return (
        f"the median is 0 in {zeros / rows:.0%} of the forecasts: it is the likeliest number, not the expected one; "
        "point: mean says how much is to be expected, costs what to have in stock, point: median that it is meant"
    )
