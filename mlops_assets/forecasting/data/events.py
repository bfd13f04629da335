"""Events as features of time: what goes on, for how long, and how far the next and the last one are."""

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import a_day_at_most, periods_of
from mlops_assets.forecasting.model.features.calendar import FAR

_DAY = np.timedelta64(1, "D")


def feature_names(name: str, frequency: str) -> list[str]:
    """Return the names of what `features` makes of a calendar.

    Args:
        name: of the calendar.
        frequency: pandas offset alias of the grid. In steps longer than a day only the sum of their days tells.
    """
    return [name, f"{name}_day", f"{name}_days_to", f"{name}_days_since"] if a_day_at_most(frequency) else [name]


def features(name: str, times: pd.Series, spans: pd.DataFrame, frequency: str, at_end: bool = False) -> pd.DataFrame:
    """Describe timestamps by the events around them.

    Args:
        name: of the calendar.
        times: timestamps of the grid, naive; may repeat.
        spans: the events, in any order, overlapping or not: start, end (naive, the end excluded), value.
        frequency: pandas offset alias of the grid.
        at_end: whether a timestamp names its period by its end, see `grid.known_from`.

    Returns:
        float64 columns `feature_names`, in the rows of `times`. Of a period of a day or less: the largest value of an
        event within it (0 without one); which day of the event it is, from 1; the days to the next and since the last
        one, at most `FAR` (0 within one). Of a longer period: its days within events, each times the event's value.
    """
    unique = pd.DatetimeIndex(np.sort(times.unique()))
    begins, ends = (edges.to_numpy("datetime64[us]") for edges in periods_of(unique, frequency, at_end))
    fine, days = a_day_at_most(frequency), _day(begins)
    value, day = np.zeros(len(unique)), np.zeros(len(unique))
    first, last = (spans[edge].to_numpy("datetime64[us]") for edge in ("start", "end"))
    for start, end, size in zip(first, last, spans["value"].to_numpy(dtype=float), strict=True):
        within = slice(np.searchsorted(ends, start, "right"), np.searchsorted(begins, end, "left"))
        if fine:
            value[within] = np.where(np.abs(size) > np.abs(value[within]), size, value[within])
            day[within] = np.maximum(day[within], (days[within] - _day(start)).astype(float) + 1)
        else:
            shared = np.minimum(ends[within], end) - np.maximum(begins[within], start)
            value[within] += size * (shared / _DAY)
    columns = [value]
    if fine:
        far = np.datetime64("9000-01-01"), np.datetime64("1000-01-01")
        starts, finished = np.append(np.sort(first), far[0]), np.append(far[1], np.sort(last))
        to = (_day(starts[np.searchsorted(starts, ends, "left")]) - days).astype(float)
        over = finished[np.searchsorted(finished, begins, "right") - 1] - np.timedelta64(1, "us")
        since = (days - _day(over)).astype(float)
        columns += [day, *(np.where(day > 0, 0, np.clip(one, 0, FAR)) for one in (to, since))]
    made = pd.DataFrame(dict(zip(feature_names(name, frequency), columns, strict=True)), index=unique)
    return made.reindex(pd.DatetimeIndex(times)).set_index(times.index)


def _day(moments: np.ndarray) -> np.ndarray:
    return moments.astype("datetime64[D]")
