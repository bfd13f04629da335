"""What is odd about rows that are right by the contract: outliers, and items whose static covariates change."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data import outliers, statics
from mlops_assets.spec import ForecastSpec


@dataclass(frozen=True)
class Remarks:
    """What is odd about some observations.

    Attributes:
        spec: the forecast.
        outliers: as `outliers.outliers` returns them.
        changes: as `statics.changes` returns them.
    """

    spec: ForecastSpec
    outliers: pd.DataFrame
    changes: pd.DataFrame

    @classmethod
    def of(cls, spec: ForecastSpec, observations: pd.DataFrame) -> "Remarks":
        """Look at a canonical frame."""
        return cls(spec, outliers.outliers(observations), statics.changes(observations, spec.covariates.static))

    def within(self, start: pd.Timestamp, end: pd.Timestamp) -> "Remarks":
        """Return those of a span of time, the end excluded: what is news to whoever has seen all before."""
        parts = (
            rows[rows["timestamp"].between(start, end, inclusive="left")] for rows in (self.outliers, self.changes)
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
        return said

    def facts(self) -> dict[str, Any]:
        """Return what the metadata says."""
        found: dict[str, Any] = {"outliers": len(self.outliers), "static_changes": len(self.changes)}
        if len(self.outliers):
            found["outlier_values"] = outliers.sentence(self.outliers, 20)
        if len(self.changes):
            found["changed_items"] = statics.sentence(self.changes, 20)
        return found


def outlier_sentence(spec: ForecastSpec, found: pd.DataFrame) -> str:
    """Say which values are hardly true, what they count as, and what to do; empty where there are none."""
    if found.empty:
        return ""
    many = "values are" if len(found) > 1 else "value is"
    means, todo = ("counted as missing", "; if right, set outliers: keep")
    if spec.outliers == "keep":
        means, todo = ("kept (outliers: keep)", "")
    told = f"{len(found)} {many} hardly true and {means}: {outliers.sentence(found)}"
    return f"{told}. If wrong, mend the source and ingest again{todo}"
