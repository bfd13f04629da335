"""Vintages: what was known of a row, and when, so that the past can be seen as it was seen then.

A row of a table has one version for each value that was known of it, by `known_at`: the moment, in UTC, from which on
it was. The latest version stands in the table itself, the superseded ones beside it. (Croushore and Stark 2001, "A
real-time data set for macroeconomists", Journal of Econometrics 105.)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import KEY

KNOWN_AT, SUPERSEDED_AT = "known_at", "superseded_at"
_INSTANT = np.timedelta64(1, "us")
_NEVER = np.datetime64("9999-12-31", "us")


@dataclass(frozen=True)
class Revised:
    """What becomes of stored rows when others come in their place.

    Attributes:
        rows: those that have come, in their order, each with `known_at`.
        superseded: stored rows that say something else now, or nothing any more, with `known_at` and `superseded_at`.
    """

    rows: pd.DataFrame
    superseded: pd.DataFrame


def known_from(rows: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Return rows that nothing was known of before."""
    return rows.assign(**{KNOWN_AT: _moments(now, len(rows))})


def revise(stored: pd.DataFrame, come: pd.DataFrame, now: pd.Timestamp, keys: Sequence[str] = KEY) -> Revised:
    """Hold rows that have come against those that are stored.

    A row that says what it said keeps its `known_at`, missing or not; any other one is known from now on, and after the
    one before it however the clock was set. A column that only one of the two has makes no difference: a covariate that
    was declared later was not revised.

    Args:
        stored: rows with `known_at`, none twice.
        come: rows without it, none twice.
        now: the present moment, naive, in UTC.
        keys: columns that name a row.
    """
    place = _index(stored, keys).get_indexer(_index(come, keys))
    there = np.flatnonzero(place >= 0)
    before, after = stored.iloc[place[there]], come.iloc[there]
    same = np.ones(len(there), dtype=bool)
    for name in after.columns.intersection(before.columns).difference([*keys]):
        same &= _equal(before[name], after[name])
    known = _moments(now, len(come))
    at = before[KNOWN_AT].to_numpy(dtype="datetime64[us]")
    known[there] = np.where(same, at, np.fmax(known[there], at + _INSTANT))
    ended, gone = _moments(now, len(stored)), np.ones(len(stored), dtype=bool)
    ended[place[there]], gone[place[there[same]]] = known[there], False
    superseded = stored.assign(**{SUPERSEDED_AT: ended})[gone].reset_index(drop=True)
    return Revised(come.assign(**{KNOWN_AT: known}), superseded)


def as_of(
    current: pd.DataFrame, superseded: pd.DataFrame, moment: pd.Timestamp, keys: Sequence[str] = KEY
) -> pd.DataFrame:
    """Return the rows that were known at a moment, in the order of their keys.

    Args:
        current: rows of the table, with `known_at`, never missing.
        superseded: those of before, with `known_at` and `superseded_at`; see `all_versions`.
        moment: naive, in UTC; what was known from then on counts.
        keys: columns that name a row.

    Returns:
        The columns of `current`.
    """
    versions = all_versions(current, superseded, keys)
    versions = versions[versions[KNOWN_AT] <= moment]
    latest = versions[~versions.duplicated([*keys], keep="last")]
    there = latest[~(latest[SUPERSEDED_AT] <= moment)]
    return there[list(current.columns)].reset_index(drop=True)


def all_versions(current: pd.DataFrame, superseded: pd.DataFrame, keys: Sequence[str] = KEY) -> pd.DataFrame:
    """Return each version of each row once, ordered by row and `known_at`; `superseded_at` is missing of the current.

    A run that was killed before it replaced the rows may have kept a version as superseded that is current still, or
    was superseded later.

    Args:
        current: rows of the table.
        superseded: those of before.
        keys: columns that name a row.
    """
    version = [*keys, KNOWN_AT]
    old = superseded.sort_values(SUPERSEDED_AT).drop_duplicates(version, keep="last")
    old = old[~_index(old, version).isin(_index(current, version))].reindex(columns=[*current.columns, SUPERSEDED_AT])
    now = current.assign(**{SUPERSEDED_AT: np.full(len(current), np.datetime64("NaT", "us"))})
    versions = pd.concat([now, old], ignore_index=True) if len(old) else now
    return versions.sort_values(version, kind="stable", ignore_index=True)


def in_place_of(
    current: pd.DataFrame, superseded: pd.DataFrame, other: pd.DataFrame, keys: Sequence[str] = KEY
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let the first version of each row be known since rows before it were that meant something else.

    Args:
        current: rows of the table, with `known_at`, never missing.
        superseded: those of before that meant the same.
        other: those of before that meant something else.
        keys: columns that name a row.

    Returns:
        The first two.
    """
    if other.empty:
        return current, superseded
    began = other.groupby([*keys])[KNOWN_AT].min()
    versions = pd.concat([part[[*keys, KNOWN_AT]] for part in (current, superseded)], ignore_index=True)
    since = pd.Series(began.reindex(_index(versions, keys)).to_numpy(), index=versions.index)
    first = versions[KNOWN_AT] == versions.groupby([*keys])[KNOWN_AT].transform("min")
    moved = versions[KNOWN_AT].where(~(first & (since < versions[KNOWN_AT])), since).to_numpy()
    return (
        current.assign(**{KNOWN_AT: moved[: len(current)]}),
        superseded.assign(**{KNOWN_AT: moved[len(current) :]}),
    )


def _index(rows: pd.DataFrame, keys: Sequence[str]) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[list(keys)])


def _equal(before: pd.Series, after: pd.Series) -> np.ndarray:
    """Which values are equal, or missing in both, whatever the types of the columns."""
    old, new = before.to_numpy(dtype=object), after.to_numpy(dtype=object)
    if before.dtype == after.dtype == np.float64:
        old, new = before.to_numpy(), after.to_numpy()
    return (pd.isna(old) & pd.isna(new)) | (pd.Series(old) == pd.Series(new)).to_numpy(dtype=bool, na_value=False)


def _moments(moment: pd.Timestamp, count: int) -> np.ndarray:
    return np.full(count, moment.to_datetime64(), dtype="datetime64[us]")


@dataclass(frozen=True)
class Vintages:
    """All that was ever known of the rows of some items, and since when.

    Attributes:
        versions: see `all_versions`.
        begins: when each stored partition begins, sorted, datetime64, shape (partitions,).
        moments: since when the first row of each was known, datetime64 in UTC, shape (partitions,): by then all was
            known that a forecast from an origin in it could rest on.
    """

    versions: pd.DataFrame
    begins: np.ndarray
    moments: np.ndarray

    def moment_of(self, origin: pd.Timestamp) -> pd.Timestamp:
        """Return by when a forecast from an origin knew what it could rest on."""
        place = max(int(np.searchsorted(self.begins, origin.to_datetime64(), side="right")) - 1, 0)
        return pd.Timestamp(self.moments[place])

    def until(self, origin: pd.Timestamp) -> "Vintages":
        """Return what was known at an origin, as if nothing had become known since."""
        moment, versions = self.moment_of(origin), self.versions
        versions = versions[(versions[KNOWN_AT] <= moment) & (versions["timestamp"] <= origin)]
        ended = versions[SUPERSEDED_AT].where(versions[SUPERSEDED_AT] <= moment)
        return replace(self, versions=versions.assign(**{SUPERSEDED_AT: ended}))

    def at(self, origin: pd.Timestamp, items: Sequence[str] | np.ndarray | None = None) -> pd.DataFrame:
        """Return the rows up to an origin as they were known at it.

        Args:
            origin: the last timestamp.
            items: only these; None: all.
        """
        part = self if items is None else replace(self, versions=self._of(items))
        versions = part.until(origin).versions
        latest = versions[~versions.duplicated(KEY, keep="last")]
        return latest[latest[SUPERSEDED_AT].isna()].drop(columns=[KNOWN_AT, SUPERSEDED_AT])

    def other(self, origins: Sequence[pd.Timestamp], since: Sequence[pd.Timestamp]) -> dict[pd.Timestamp, np.ndarray]:
        """Return the items of which something else was known at an origin than is now; at most a few too many.

        Args:
            origins: of forecasts.
            since: the first timestamp that each of them rests on.
        """
        item, times, settled = self._unsettled
        found = {}
        for origin, first in zip(origins, since, strict=True):
            inside = (times <= origin.to_datetime64()) & (times >= first.to_datetime64())
            items = item[inside & (settled > self.moment_of(origin).to_datetime64())]
            if len(items):
                found[origin] = np.unique(items)
        return found

    def _of(self, items: Sequence[str] | np.ndarray) -> pd.DataFrame:
        ids = self.versions["item_id"].to_numpy(dtype=object)
        wanted = np.asarray(sorted(items), dtype=object)
        starts, ends = np.searchsorted(ids, wanted, side="left"), np.searchsorted(ids, wanted, side="right")
        places = [np.arange(start, end) for start, end in zip(starts, ends, strict=True)]
        return self.versions.iloc[np.concatenate([np.zeros(0, dtype=np.int64), *places])]

    @cached_property
    def _unsettled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Item and timestamp of each row that was once something else, or absent, and since when it is what it is."""
        last = self.versions[~self.versions.duplicated(KEY, keep="last")]
        gone = last[SUPERSEDED_AT].notna().to_numpy()
        settled = np.where(gone, _NEVER, last[KNOWN_AT].to_numpy(dtype="datetime64[us]"))
        times = last["timestamp"].to_numpy(dtype="datetime64[us]")
        place = np.maximum(np.searchsorted(self.begins, times, side="right") - 1, 0)
        # A partition that was filled in after later ones was not known at their origins.
        earliest = np.minimum.accumulate(self.moments[::-1])[::-1]
        late = settled > earliest[place]
        return last["item_id"].to_numpy(dtype=object)[late], times[late], settled[late]
