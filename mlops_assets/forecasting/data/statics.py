"""Static covariates that do not stand still: which items have changed them, and when."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.forecasting.formatting import few, stamp


def changes(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return where items have got another value of a static covariate; what is missing changes nothing.

    Args:
        frame: item_id, timestamp and the covariates; rows in any order.
        names: of the covariates.

    Returns:
        Columns item_id, timestamp (the first of the new value), name, before, after; by time.
    """
    parts = []
    ordered = frame.sort_values(["item_id", "timestamp"], kind="stable") if names else frame
    for name in names:
        known = ordered.loc[ordered[name].notna(), ["item_id", "timestamp", name]]
        before = known.groupby("item_id")[name].shift()
        changed = before.notna() & (before != known[name])
        rows = known[changed].rename(columns={name: "after"}).assign(name=name, before=before[changed])
        parts.append(rows[["item_id", "timestamp", "name", "before", "after"]])
    empty = pd.DataFrame(columns=["item_id", "timestamp", "name", "before", "after"])
    full = [part for part in parts if len(part)]
    return pd.concat(full).sort_values(["timestamp", "item_id"], ignore_index=True) if full else empty


def sentence(changed: pd.DataFrame, most: int = 3) -> str:
    """Name who has changed, and from what to what, as `changes` returns it."""
    told = [
        f"{row['name']} of {row['item_id']} was {row['before']} and is {row['after']} from {stamp(row['timestamp'])} on"
        for row in changed.to_dict("records")
    ]
    return few(told, most)
