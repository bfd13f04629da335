"""What models that look at each series by itself learn from."""

from __future__ import annotations

import pandas as pd
from pandas.tseries.frequencies import to_offset

from ..errors import DataError
from ..panel import ITEM, TARGET, TIME, require_columns
from ..task import Task


def observed(
    history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None, steps: int | None = None
) -> pd.DataFrame:
    """Return the observed targets: item_id, timestamp, target, sorted by item and time.

    Args:
        history: canonical long table, rows in any order.
        task: gives the frequency.
        until: rows after it are left out; None: none.
        steps: of the frequency up to the last observed target; None: all of them.

    Raises:
        DataError: there is none.
    """
    require_columns(history, task)
    known = history[TARGET].notna()
    if until is not None:
        known &= history[TIME] <= until
    found = history.loc[known, [ITEM, TIME, TARGET]]
    if found.empty:
        raise DataError(
            f"no target is observed{'' if until is None else f' until {until}'}: there is nothing to learn from"
        )
    if steps is not None:
        found = found[found[TIME] > found[TIME].max() - steps * to_offset(task.frequency)]
    return found.sort_values([ITEM, TIME], ignore_index=True)
