"""Several rows of an item and timestamp made one: sales that come one by one."""

from collections.abc import Sequence
from typing import Any, Literal, cast

import pandas as pd

from mlops_assets.forecasting.data.grid import KEY

Aggregate = Literal["sum", "mean", "last", "max"]


def aggregate(rows: pd.DataFrame, moments: pd.Series, how: Aggregate, numbers: Sequence[str]) -> pd.DataFrame:
    """Make one row of all that share item and timestamp.

    Args:
        rows: canonical rows.
        moments: when each really was, which says which is the last; at one moment the source's order does.
        how: the rule of the target. Missing targets do not count; of nothing but missing ones comes a missing one.
        numbers: numeric covariates: their last or greatest value by that rule, else their mean, since a price or a
            promotion does not add up. Texts: the last one known.

    Returns:
        The rows, sorted by item and timestamp, with the columns of before.
    """
    groups = rows.loc[moments.loc[rows.index].sort_values(kind="stable").index].groupby(KEY, sort=True)
    rules = {name: "last" for name in rows.columns if name not in KEY}
    rules |= dict.fromkeys(numbers, how if how in ("last", "max") else "mean")
    made = groups.agg(rules | {"target": "last" if how == "sum" else how})
    if how == "sum":
        made["target"] = groups["target"].sum(min_count=1)
    made = made.reset_index()[list(rows.columns)]
    texts = [name for name in rows.columns if name not in (*KEY, "target", *numbers)]
    made[texts] = made[texts].astype(object).where(made[texts].notna(), cast(Any, None))
    return cast(pd.DataFrame, made.astype({"timestamp": "datetime64[us]", "target": "float64"}))
