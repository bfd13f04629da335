"""Values that are hardly true, such as one entered a thousand times too high: found, told, and left out of learning."""

import numpy as np
import pandas as pd

from mlops_assets.forecasting.formatting import few, stamp

LEAST, FEW = 4, 12
"""Observed values of an item below which nothing is said of one of them, and below which its usual is hardly known."""
MOST, SHARE = 3, 0.005
"""So many of an item's values may be outliers, or this share if that is more: of many, the level has changed. Of few
values, one in `LEAST` may."""
FAR = 20.0
"""An outlier is so many times as far from its item's median as any other value. Of 600,000 real values in nine public
sets, promotions a hundred times the usual and intermittent series among them, one is."""
STEADY = 0.1
"""Distance from the median, as a share of it, that is never remarkable: of items that hardly move."""
FAR_OF_FEW, STEADY_OF_FEW = 200.0, 1.0
"""The same of an item with less than `FEW` values: a promotion may be its first, and a value times 1,000 lies further
away. Of 1,600,000 real values of the same sets, cut into histories of 4 to 11, 11 are."""


def outliers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the outliers of a canonical frame.

    A value counts if it, or it and a few more of its item, lie `FAR` times as far from the median as all the rest
    (`FAR_OF_FEW` times of an item with a short history).
    However high the peaks of an item are, they are therefore none if it has had such before.

    Args:
        frame: item_id, timestamp, target; rows in any order.

    Returns:
        Columns item_id, timestamp, target, `usual` (the item's median) and `away` (how far from it the item's other
        values are), indexed by the place of the row.
    """
    target = frame["target"].to_numpy(dtype=np.float64, na_value=np.nan)
    rows = np.flatnonzero(~np.isnan(target))
    item, _ = pd.factorize(frame["item_id"].to_numpy(dtype=object)[rows])
    value = target[rows]
    count = np.bincount(item)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    order = np.lexsort((value, item))
    middle = value[order[np.minimum(start + count // 2, len(rows) - 1)]] if len(rows) else np.zeros(0)
    away = np.abs(value - middle[item])
    order = np.lexsort((away, item))
    sizes = np.split(away[order], start[1:])
    found, others = [], np.zeros(len(sizes))
    for number, size in enumerate(sizes):
        if len(size) >= LEAST and (last := _outliers_of(size, abs(middle[number]))):
            found.extend(order[start[number] + len(size) - last : start[number] + len(size)])
            others[number] = max(size[-last - 1], STEADY * abs(middle[number]))
    place = np.sort(np.array(found, dtype=np.int64))
    picked = frame.iloc[rows[place]][["item_id", "timestamp", "target"]]
    return picked.assign(usual=middle[item[place]], away=others[item[place]]).set_axis(rows[place], axis=0)


def without_outliers(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a canonical frame in which outliers are missing values."""
    found = outliers(frame)
    return frame if found.empty else _with(frame, found.index, np.nan)


def bounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a canonical frame in which outliers lie as far from their item's median as the farthest of its others.

    Winsorised, as it is called (Dixon 1960, "Simplified estimation from censored normal samples", Annals of
    Mathematical Statistics 31): twice as far could move the mean of an intermittent item tenfold. Whole numbers stay
    whole.
    """
    found = outliers(frame)
    if found.empty:
        return frame
    target, usual = found["target"].to_numpy(dtype=np.float64), found["usual"].to_numpy()
    limit = usual + np.sign(target - usual) * found["away"].to_numpy()
    return _with(frame, found.index, np.where(target == np.rint(target), np.rint(limit), limit))


def sentence(found: pd.DataFrame, most: int = 3) -> str:
    """Name item, time and value of some outliers, as `outliers` returns them."""
    told = [
        f"{row['item_id']} on {stamp(row['timestamp'])}: {row['target']:g} (usually about {row['usual']:.4g})"
        for row in found.to_dict("records")
    ]
    return few(told, most)


def _with(frame: pd.DataFrame, place: pd.Index, values: np.ndarray | float) -> pd.DataFrame:
    target = frame["target"].to_numpy(dtype=np.float64, na_value=np.nan).copy()
    target[place] = values
    return frame.assign(target=target)


def _outliers_of(away: np.ndarray, middle: float) -> int:
    """How many of the last of ascending distances from a median of that size are outliers."""
    count = len(away)
    far, steady = (FAR, STEADY) if count >= FEW else (FAR_OF_FEW, STEADY_OF_FEW)
    most = min(max(MOST, int(SHARE * count)), count // LEAST)
    distance = np.maximum(away[-most - 1 :], steady * middle)
    apart = np.flatnonzero((distance[1:] > far * distance[:-1]) & (distance[:-1] > 0))
    return most - int(apart[0]) if len(apart) else 0
