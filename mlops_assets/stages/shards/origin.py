"""The forecasts of one origin, put together of those of some items at a time.

Whatever the parts are, the sentences and numbers are those of all items at once: counts are added up before anything is
said of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mlops_assets.errors import DataError
from mlops_assets.forecasting.evaluation.backtest import NAIVE
from mlops_assets.forecasting.formatting import stamp
from mlops_assets.forecasting.model import guards
from mlops_assets.forecasting.model.guards import Unusual
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import ahead
from mlops_assets.stages.remarks import Remarks

if TYPE_CHECKING:
    from mlops_assets.stages.shards.frames import Frames


@dataclass(frozen=True)
class Part:
    """What is forecast of some of the items from an origin, and what must be known of them to speak of all.

    Attributes:
        rows: of the ledger, sorted by item and lead.
        latest: the latest timestamp of their history.
        left_out: ids of those that get no forecast, because nothing was observed of them lately.
        newest: as `ahead.newest_known` returns it.
        missing: as `ahead.missing_of` returns it; None without known covariates.
        unusual: what the models have counted.
        said: what else they have warned of.
        odd: what is odd about the observations of the origin's partition; None if nobody has looked.
        silent: why no item can be forecast; empty if they can.
    """

    rows: pd.DataFrame
    latest: pd.Timestamp
    left_out: list[str]
    newest: pd.DataFrame
    missing: pd.DataFrame | None = None
    unusual: list[Unusual] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    odd: Remarks | None = None
    silent: str = ""


@dataclass
class Tally:
    """What the metadata counts in the rows of an origin, as they pass.

    Attributes:
        point: column of the point forecast.
        rows: their number.
        items: number of items.
        fallback: rows that a model has left to its fallback.
        naive: rows of seasonal naive.
        because: reasons why somebody was delivered.
        version: the highest of a model.
        zeros: rows whose median is zero; 0 where no median is forecast.
        mean: sum of their means.
        by_step: timestamp -> sum of the point forecasts, row by row in the order of the items.
    """

    point: str
    rows: int = 0
    items: int = 0
    fallback: int = 0
    naive: int = 0
    because: set[str] = field(default_factory=set)
    version: int = 0
    zeros: int = 0
    mean: float = 0.0
    by_step: dict[pd.Timestamp, float] = field(default_factory=dict)

    def count(self, rows: pd.DataFrame) -> None:
        """Add the rows of some more items."""
        if rows.empty:
            return
        self.rows += len(rows)
        self.items += rows["item_id"].nunique()
        self.fallback += int((rows["source"] == "fallback").sum())
        self.naive += int((rows["source"] == NAIVE).sum())
        self.because |= {*rows["delivered_because"].unique()}
        self.version = max(self.version, int(rows["model_version"].max()))
        self.zeros += int((rows["q50"] == 0).sum()) if "q50" in rows else 0
        self.mean += float(rows["mean"].sum())
        step, times = pd.factorize(rows["timestamp"], sort=True)
        totals = np.array([self.by_step.get(time, 0.0) for time in times])
        # One row after the other, so that the sum does not know where one part ends and the next begins.
        np.add.at(totals, step, rows[self.point].fillna(0.0).to_numpy(float))
        self.by_step |= dict(zip(times, totals.tolist(), strict=True))


@dataclass(frozen=True)
class Predicted:
    """What a version forecasts from an origin.

    Attributes:
        batches: rows of the ledger, see `predict.ledger_rows`: by item and lead, frame by frame.
        tally: what is counted in them.
        warnings: what is unusual about it, in sentences.
        left_out: items that get no forecast, because nothing was observed of them lately.
        late: past covariates of which the newest values have not come yet, see `ahead.late_covariates`.
        missing_ahead: known covariates that are missing over the horizon, see `ahead.missing_ahead`; None without any.
        odd: what is odd about the observations of the origin's partition; None if nobody has looked.
    """

    batches: Iterable[pd.DataFrame]
    tally: Tally
    warnings: list[str]
    left_out: list[str]
    late: list[str] = field(default_factory=list)
    missing_ahead: pd.DataFrame | None = None
    odd: Remarks | None = None

    @property
    def rows(self) -> pd.DataFrame:
        """All rows of the ledger, at once."""
        frames = list(self.batches)
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


class Origin:
    """Takes the parts of the forecasts of one origin as they come, in the order of the items."""

    def __init__(self, spec: ForecastSpec, origin: pd.Timestamp, frames: "Frames | None" = None) -> None:
        """Begin without any.

        Args:
            spec: the forecast.
            origin: its last known timestamp.
            frames: where the rows are put down; None: they are few, and stay in memory.
        """
        self._spec, self._origin, self._frames = spec, origin, frames
        self._tally = Tally(spec.task.point_column)
        self._parts: list[Part] = []
        self._rows: list[pd.DataFrame] = []
        self._error: Exception | None = None

    def add(self, part: "Part | Exception | None") -> None:
        """Take what comes of one more part: nothing if none of it was observed up to the origin."""
        if isinstance(part, Exception):
            self._error = self._error or part
        elif part is not None and self._error is None:
            if not part.silent:
                self._tally.count(part.rows)
                if self._frames is None:
                    self._rows.append(part.rows)
                else:
                    self._frames.add(part.rows)
            self._parts.append(replace(part, rows=pd.DataFrame()))  # a view would hold them all

    def known(self) -> bool:
        """Whether anything was observed up to the origin."""
        return bool(self._parts) or self._error is not None

    def predicted(self) -> Predicted:
        """Put the parts together.

        Raises:
            DataError: nothing was observed of any item lately, or known covariates are missing over the horizon and the
                spec calls that an error.
            MlopsAssetsError, ValueError: what somebody who forecast a part has raised.
        """
        if self._error is not None:
            raise self._error
        latest = max(self._parts, key=lambda part: part.latest)
        if all(part.silent for part in self._parts):
            raise DataError(latest.silent)
        late = ahead.late_covariates(self._spec, [part.newest for part in self._parts])
        counted = [part.missing for part in self._parts if part.missing is not None]
        missing = ahead.missing_of_all(self._spec, counted) if counted else None
        said = [f"origin {stamp(self._origin)}: {words}" for words in self._sentences(late, missing)]
        if latest.latest < self._origin:
            said.append(f"origin {stamp(self._origin)}: the latest observation is of {stamp(latest.latest)}")
        odd = [part.odd for part in self._parts if part.odd is not None]
        return Predicted(
            self._rows if self._frames is None else self._frames,
            self._tally,
            said,
            [item for part in self._parts for item in part.left_out],
            late,
            missing,
            Remarks.together(self._spec, odd) if odd else None,
        )

    def _sentences(self, late: list[str], missing: pd.DataFrame | None) -> Iterator[str]:
        todo = f"Mend the source, or train again: mlops-assets run {self._spec.name} --retrain"
        found = guards.added_up([one for part in self._parts for one in part.unusual])
        unlike = [*filter(None, (one.sentence() for one in found))]
        unlike = list(dict.fromkeys([*unlike, *(words for part in self._parts for words in part.said)]))
        told = None
        if missing is not None and len(missing):
            ahead.refuse(self._spec, missing)
            told = missing if self._spec.covariates.missing_future == "warn" else ahead.ended(missing, self._spec)
        if told is not None and len(told):
            yield ahead.warning(told, self._spec)
            late = [*late, *self._spec.task.known]
        for words in guards.without_missing(unlike, late):
            yield f"{words}. {todo}"
