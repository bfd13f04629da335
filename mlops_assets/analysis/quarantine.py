"""What was rejected of a forecast's source, why, and what would mend it: `mlops-assets quarantine`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS, QUARANTINE
from mlops_assets.environments import open_stores
from mlops_assets.errors import UnknownNameError
from mlops_assets.forecasting.data.contract import REASONS, Checked
from mlops_assets.forecasting.formatting import plain_rows
from mlops_assets.io_managers.base import Tables
from mlops_assets.reading.questions import QuestionError
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import findings


@dataclass(frozen=True, eq=False)
class QuarantineFindings:
    """Rejected rows.

    Attributes:
        forecast: name of the forecast.
        reasons: reason -> rows rejected for it, the most frequent first.
        partitions: keys of the partitions that have such rows, oldest first.
        hints: which fields would mend them, as questions.
        rows: the first of them, oldest partition first: the columns of the table `quarantine`.
    """

    forecast: str
    reasons: Mapping[str, int]
    partitions: tuple[str, ...]
    hints: tuple[str, ...]
    rows: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {
            "forecast": self.forecast,
            "reasons": dict(self.reasons),
            "partitions": list(self.partitions),
            "hints": list(self.hints),
            "rows": plain_rows(self.rows),
        }


def quarantine(
    spec: ForecastSpec, settings: Settings, partition: str | None = None, reason: str | None = None, limit: int = 20
) -> QuarantineFindings:
    """Read what was rejected.

    Args:
        spec: the forecast.
        settings: where its tables are.
        partition: only what the run of this one rejected.
        reason: only what was rejected for this.
        limit: so many rows are returned; all are counted.

    Raises:
        UnknownNameError: there is no such reason.
        QuestionError: the partition has not been ingested.
    """
    if reason is not None and reason not in REASONS:
        raise UnknownNameError.of("reason", reason, REASONS, advice=[f"mlops-assets quarantine {spec.name}"])
    with open_stores(settings) as stores:
        stored = sorted(stores.tables.partitions([spec.name, QUARANTINE]))
        if partition is not None and partition not in stored:
            raise QuestionError(
                f"{spec.name}: the partition {partition} has not been ingested; "
                + (f"there are {stored[0]} to {stored[-1]}" if stored else "none has been yet")
            )
        keys = stored if partition is None else [partition]
        rows = (
            stores.tables.read([spec.name, QUARANTINE], partitions=keys)
            if keys
            else Graph(spec).without_rows(QUARANTINE)
        )
        rows = rows if reason is None else rows[rows["reason"] == reason]
        partitions = sorted(set(rows["partition"]))
        checked = Checked(_accepted(stores.tables, spec, partitions), rows.reset_index(drop=True), {})
    return QuarantineFindings(
        forecast=spec.name,
        reasons=checked.reasons,
        partitions=tuple(partitions),
        hints=tuple(findings.guesses(spec, checked)),
        rows=rows.sort_values(["partition", "source", "source_row"], kind="stable", ignore_index=True).head(limit),
    )


def _accepted(tables: Tables, spec: ForecastSpec, partitions: list[str]) -> pd.DataFrame:
    """Observations of some partitions: the good rows beside the rejected ones."""
    key = [spec.name, OBSERVATIONS]
    kept = set(tables.partitions(key)) & set(partitions)
    columns = ["item_id", "timestamp", "target"]
    if not kept:
        return Graph(spec).without_rows(OBSERVATIONS)[columns]
    return tables.read(key, partitions=sorted(kept), columns=columns)
