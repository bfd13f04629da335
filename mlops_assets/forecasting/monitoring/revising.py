"""How often values are revised, how long after they were first known, and by how much."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.data.vintages import KNOWN_AT, SUPERSEDED_AT

DAYS = (0, 1, 7, 30)
"""Days after a value was first known that it is asked about."""
LATE = 7
"""Days after which a revision is told apart: by then most forecasts of a short horizon have been scored."""


@dataclass(frozen=True)
class Revising:
    """How a source revises.

    Attributes:
        values: rows that there are, or were.
        after: days -> share of them that were revised, or went away, more than so long after they were known.
        change: median change from the first target to the last one of rows that were revised, as a share of the first;
            NaN where none was.
        gone: rows that went away.
    """

    values: int
    after: Mapping[int, float]
    change: float
    gone: int

    def __str__(self) -> str:
        """As a sentence; empty where nothing was revised."""
        said = sentence(self.after, self.values)
        change = f", by {self.change:.1%} in the median" if self.change == self.change else ""
        gone = f"; {self.gone:,} went away" if self.gone else ""
        return f"{said}{change}{gone}" if said else ""


def revising(versions: pd.DataFrame) -> Revising:
    """Say how a source revises.

    Args:
        versions: see `vintages.all_versions`; with `target`.
    """
    groups = versions.groupby(KEY, sort=False)
    ends = groups["target"].agg(["first", "last"]).dropna()
    ends = ends[(ends["first"] != ends["last"]) & (ends["first"] != 0)]
    old = versions[SUPERSEDED_AT].notna()
    gone = old & ~versions.duplicated(KEY, keep="last")
    change = float(((ends["last"] - ends["first"]) / ends["first"]).abs().median())
    return Revising(groups.ngroups, shares(versions[old], groups.ngroups), change, int(gone.sum()))


def shares(superseded: pd.DataFrame, values: int) -> dict[int, float]:
    """Return which share of values was revised, or went away, more than so many `DAYS` after they were first known.

    Args:
        superseded: item_id, timestamp, `known_at` and `superseded_at` of versions that were.
        values: how many there are.
    """
    groups = superseded.groupby(KEY, sort=False)
    longest = groups[SUPERSEDED_AT].max() - groups[KNOWN_AT].min()
    return {days: float((longest > pd.Timedelta(days=days)).sum() / max(values, 1)) for days in DAYS}


def sentence(after: Mapping[int, float], values: int) -> str:
    """Say which share was revised; empty where nothing was."""
    late = f", {after[LATE]:.1%} after more than {LATE} days" if after[LATE] else ""
    return f"{after[0]:.1%} of {values:,} values were revised after they were first stored{late}" if after[0] else ""
