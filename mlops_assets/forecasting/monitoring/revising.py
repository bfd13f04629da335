"""How often values are revised, how long after they were first known, and by how much."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.data.vintages import KNOWN_AT, SUPERSEDED_AT

DAYS = (0, 1, 7, 30)
"""Days after a value was first known that it is asked about."""


@dataclass(frozen=True)
class Revising:
    """How a source revises.

    Attributes:
        values: rows that were ever known.
        after: days -> share of the values that were revised, or went away, more than so long after they were known.
        change: median change from the first value to the last known one of those that were revised, as a share of the
            first; NaN where none was.
        left_out: rows that went away.
    """

    values: int
    after: dict[int, float]
    change: float
    left_out: int

    def __str__(self) -> str:
        """As a sentence; empty where nothing was revised."""
        if not self.after.get(0):
            return ""
        late = [f"{share:.1%} after more than {days} days" for days, share in self.after.items() if days == 7 and share]
        more = [f"by {self.change:.1%} in the median", *([f"{self.left_out:,} went away"] if self.left_out else [])]
        said = ", ".join([*late, *(more if not np.isnan(self.change) else more[1:])])
        return f"{self.after[0]:.1%} of {self.values:,} values were revised after they were first stored, {said}"


def revising(versions: pd.DataFrame) -> Revising:
    """Say how a source revises.

    Args:
        versions: see `vintages.all_versions`; with `target`.
    """
    groups = versions.groupby(KEY, sort=False)
    first, before = groups[KNOWN_AT].transform("min"), groups["target"].shift()
    again = groups.cumcount() > 0
    other = again & (versions["target"] != before) & ~(versions["target"].isna() & before.isna())
    gone = versions[SUPERSEDED_AT].notna() & ~versions.duplicated(KEY, keep="last")
    aged = pd.concat(
        [
            (versions[KNOWN_AT] - first)[other],
            (versions[SUPERSEDED_AT] - first)[gone],
        ]
    )
    longest = aged.groupby(aged.index).max()
    ids = groups.ngroup()
    by_row = longest.groupby(ids.loc[longest.index]).max()
    values = int(groups.ngroups)
    ends = groups["target"].agg(["first", "last"]).loc[lambda ends: ends["first"] != ends["last"]].dropna()
    change = ((ends["last"] - ends["first"]).abs() / ends["first"].abs())[ends["first"] != 0]
    return Revising(
        values,
        {days: float((by_row > pd.Timedelta(days=days)).sum() / values) if values else 0.0 for days in DAYS},
        float(change.median()) if len(change) else float("nan"),
        int(gone.sum()),
    )
