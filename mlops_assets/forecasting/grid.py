"""Regular grids of timestamps: which frequencies exist and what follows from each."""

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, Day, Tick

EXAMPLES = "h, 30min, D, B, W-SUN, MS, ME, QS, YS"
_SPANS = ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly")
_SPAN_OF_RULE = {"B": 1, "W": 2, "MS": 3, "ME": 3, "BMS": 3, "BME": 3, "QS": 4, "QE": 4, "YS": 5, "YE": 5}
_SEASONS = {"B": (5,), "W": (52,), "MS": (12,), "ME": (12,), "BMS": (12,), "BME": (12,), "QS": (4,), "QE": (4,)}
_DAY = pd.Timedelta(days=1)


def parse_frequency(alias: str) -> BaseOffset:
    """Return the pandas offset of an alias.

    Raises:
        ValueError: not an alias of pandas, or one that has no grid of its own (`2W`, `3D`, faster than a second).
    """
    try:
        offset = to_offset(alias)
    except (ValueError, TypeError):
        raise ValueError(f"{alias!r} is not a pandas offset alias such as {EXAMPLES}") from None
    if isinstance(offset, Tick) and not isinstance(offset, Day):
        step = pd.Timedelta(offset)
        if step < pd.Timedelta(seconds=1) or _DAY % step != pd.Timedelta(0):
            raise ValueError(f"{alias!r}: a step within the day must divide the day, such as 15min, h, 6h")
    elif offset.n != 1 or not (isinstance(offset, Day) or _rule(offset) in _SPAN_OF_RULE):
        raise ValueError(f"{alias!r} is not supported; use one of {EXAMPLES}, in single steps from a day upwards")
    return offset


def _rule(offset: BaseOffset) -> str:
    return offset.name.split("-")[0]


def _span(offset: BaseOffset) -> int:
    if isinstance(offset, Tick):
        return 1 if isinstance(offset, Day) or pd.Timedelta(offset) > pd.Timedelta(hours=1) else 0
    return _SPAN_OF_RULE[_rule(offset)]


def partition_kinds(alias: str) -> list[str]:
    """Return the kinds of partition that hold at least one step of the frequency, the default first.

    The default is the frequency's own span, but never shorter than a day.
    """
    span = _span(parse_frequency(alias))
    default = max(span, 1)
    return [_SPANS[default], *(kind for i, kind in enumerate(_SPANS) if i >= span and i != default)]


def default_season_lengths(alias: str) -> tuple[int, ...]:
    """Return the season lengths, in steps, that data of this frequency usually have, shortest first."""
    offset = parse_frequency(alias)
    if isinstance(offset, Day):
        return (7,)
    if isinstance(offset, Tick):
        per_day = int(_DAY / pd.Timedelta(offset))
        return (per_day, 7 * per_day) if per_day > 1 else (7,)
    return _SEASONS.get(_rule(offset), (1,))


def on_grid(timestamps: pd.Series, alias: str) -> np.ndarray:
    """Return a mask of the timestamps (naive, none missing) that lie on the frequency's grid, which starts at midnight."""
    offset = parse_frequency(alias)
    if isinstance(offset, Tick):
        since_midnight = timestamps - timestamps.dt.normalize()
        return ((since_midnight % pd.Timedelta(offset)) == pd.Timedelta(0)).to_numpy()
    unique = timestamps.unique()
    good = [t for t in map(pd.Timestamp, unique) if t == t.normalize() and offset.is_on_offset(t)]
    return timestamps.isin(good).to_numpy()


def last_before(end: pd.Timestamp, alias: str) -> pd.Timestamp:
    """Return the last timestamp of the grid that lies before `end` (naive)."""
    offset = parse_frequency(alias)
    just_before = end - pd.Timedelta(microseconds=1)
    if isinstance(offset, Tick):
        return just_before.floor(offset.freqstr)
    return pd.Timestamp(offset.rollback(just_before.normalize()))


def steps_after(origin: pd.Timestamp, count: int, alias: str) -> pd.DatetimeIndex:
    """Return the `count` timestamps of the grid that follow the origin."""
    return pd.date_range(origin, periods=count + 1, freq=parse_frequency(alias))[1:].as_unit("us")


def fill_with_zero(frame: pd.DataFrame, alias: str) -> pd.DataFrame:
    """Give every item a row at each timestamp from its first to the frame's last; the target of new rows is 0.

    Args:
        frame: canonical frame (`item_id`, `timestamp`, `target`, covariates).
        alias: the frequency.

    Returns:
        The frame with the new rows, sorted by item and timestamp. Static covariates are those of the item; other
        covariates of new rows are missing, and so is a target that was given as missing.
    """
    grid = pd.date_range(frame["timestamp"].min(), frame["timestamp"].max(), freq=parse_frequency(alias)).as_unit("us")
    first = frame.groupby("item_id", sort=True)["timestamp"].min()
    start = grid.searchsorted(pd.DatetimeIndex(first))
    counts = len(grid) - start
    position = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts) + np.repeat(start, counts)
    every = pd.DataFrame({"item_id": np.repeat(first.index.to_numpy(), counts), "timestamp": grid[position]})
    filled = every.merge(frame, on=["item_id", "timestamp"], how="left", indicator="_origin")
    filled.loc[filled["_origin"] == "left_only", "target"] = 0.0
    for name in filled.select_dtypes(exclude=["number", "datetime"]).columns.difference(["item_id", "_origin"]):
        filled[name] = filled.groupby("item_id")[name].transform(lambda s: s.ffill().bfill())
    return filled.drop(columns="_origin")[list(frame.columns)]
