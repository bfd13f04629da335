"""The published forecast: the system's, with the rows of `published_forecasts` in their place. Pure functions."""

import pandas as pd

from mlops_assets.adjustments.rules import KEYS
from mlops_assets.forecasting.evaluation.ledger import DELIVERED

STAMPS = ["published_at", "superseded_at"]


def in_force(published: pd.DataFrame, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return the rows that were in the place of the system's forecasts at a moment.

    Args:
        published: rows of `published_forecasts`.
        as_of: the moment, naive in UTC; None: now.
    """
    over = published["superseded_at"]
    if as_of is None:
        return published[over.isna()]
    return published[(published["published_at"] <= as_of) & (over.isna() | (over > as_of))]


def publish(frame: pd.DataFrame, published: pd.DataFrame, as_of: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return forecasts as they are, or were, published: with what people have changed.

    Args:
        frame: rows of the ledger, or of `reconciled_forecasts`, with `KEYS`; those of a service's shadow stay as they
            are.
        published: rows of `published_forecasts`, at least of these forecasts.
        as_of: the moment, naive in UTC; None: now.

    Returns:
        The same rows in the same order and columns, and `adjustment` (Int64): the number of the adjustment or lock
        that each comes of; missing where it is the system's.
    """
    now = in_force(published, as_of)
    if now.empty:
        return frame.assign(adjustment=pd.array([pd.NA] * len(frame), dtype="Int64"))
    values = [name for name in now.columns if name in frame.columns and name not in (*KEYS, "lead")]
    found = now.drop_duplicates(KEYS, keep="last").set_index(KEYS).reindex(pd.MultiIndex.from_frame(frame[KEYS]))
    number = pd.Series(found["adjustment"].to_numpy(), index=frame.index).astype("Int64")
    if "role" in frame:
        number = number.mask(frame["role"] != DELIVERED)
    changed = number.notna().to_numpy()
    told = {name: frame[name].mask(changed, pd.Series(found[name].to_numpy(), index=frame.index)) for name in values}
    return frame.assign(**told, adjustment=number)


def revised(stored: pd.DataFrame, fresh: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Return what is to be stored of an origin after something has changed: what was published is kept.

    Args:
        stored: its rows of `published_forecasts`.
        fresh: its rows as they are to be from now on, see `rules.adjusted`.
        now: the present moment, naive in UTC.

    Returns:
        The rows that stay as they are, those that end now, and those that begin now.
    """
    stamps = zip(STAMPS, (now, pd.NaT), strict=True)
    fresh = fresh.assign(**{one: pd.Series(at, fresh.index, dtype="datetime64[us]") for one, at in stamps})
    if stored.empty:
        return fresh
    current = stored["superseded_at"].isna()
    told = [name for name in fresh.columns if name in stored.columns and name not in STAMPS]
    if fresh.empty:
        return stored.assign(superseded_at=stored["superseded_at"].mask(current, now))
    same = fresh[told].merge(stored.loc[current, told].assign(row=stored.index[current]), on=told)["row"]
    ends = current & ~stored.index.isin(same)
    before = stored.assign(superseded_at=stored["superseded_at"].mask(ends, now))
    known = fresh[told].merge(stored.loc[current, told], on=told, how="left", indicator=True)["_merge"] == "both"
    added = fresh[~known.to_numpy()]
    return pd.concat([before, added], ignore_index=True) if len(added) else before
