"""Rows of the same item and timestamp: which of them count, and what the others say."""

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.data.parsing import Mask

LATEST_WINS = ": with source.latest_wins: name (or modified) the last file counts"
"""How exports that overlap are read."""


def is_superseded(good: pd.DataFrame, files: pd.Series) -> Mask:
    """Say which rows stand, for the same item and time, in a later file too.

    Args:
        good: canonical rows.
        files: of all rows read, in the order of reading, by the numbers that are the index of `good`.
    """
    order = pd.Series(pd.factorize(files)[0], files.index).reindex(good.index)
    return (order < order.groupby([good[name] for name in KEY], sort=False).transform("max")).to_numpy()


def conflicts(clash: pd.DataFrame, files: pd.Series | None) -> tuple[list[str], list[str]]:
    """Say in what rows differ that share item and timestamp, and note what a field would settle.

    Args:
        clash: canonical rows, each of which contradicts another.
        files: of all rows read; None where the source has no files in an order.

    Returns:
        Words for each row, and notes.
    """
    others = [name for name in clash.columns if name not in KEY]
    groups = clash.groupby(KEY, sort=False)
    differs = [groups[name].transform("nunique", dropna=False).to_numpy() > 1 for name in others]
    across = np.zeros(len(clash), dtype=bool)
    if files is not None and len(clash):
        files = files.reindex(clash.index)
        across = files.groupby([clash[name] for name in KEY], sort=False).transform("nunique").to_numpy() > 1
    words = [
        f"item {item!r} at {moment}: its rows differ in {', '.join(np.array(others)[list(row)])}"
        + (f", and stand in several files{LATEST_WINS}" if several else "")
        for item, moment, several, *row in zip(clash["item_id"], clash["timestamp"], across, *differs, strict=True)
    ]
    if files is None or not across.any():
        return words, []
    first, second, *more = files[across].unique()
    names = f"{first}, {second}{', ...' if more else ''}"
    return words, [f"{int(across.sum())} rows contradict another file ({names}){LATEST_WINS}"]


def added_twice(rows: pd.DataFrame, moments: pd.Series, files: pd.Series) -> list[str]:
    """Note that files overlap, so that their rows would be summed more than once.

    Args:
        rows: canonical rows before they are summed.
        moments: when each really was.
        files: of all rows read.
    """
    every = rows.assign(timestamp=moments.reindex(rows.index), file=files.reindex(rows.index))
    shared = every[(every.groupby(KEY, sort=False)["file"].transform("nunique") > 1).to_numpy()]
    columns = [name for name in every.columns if name != "file"]
    alike = (shared.groupby(columns, sort=False, dropna=False)["file"].transform("nunique") > 1).to_numpy()
    if not len(shared) or alike.mean() < 0.5:
        return []
    first, second, *more = shared["file"][alike].unique()
    names = f"{first}, {second}{', ...' if more else ''}"
    return [f"{int(alike.sum())} rows stand word for word in another file too ({names}) and were added up{LATEST_WINS}"]
