"""Why a forecast differs from the one before: revised history, new data, new model. It adds up by construction."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import ITEM, TIME

PARTS = ("revised_history", "new_data", "new_model")
TITLES = {name: name.replace("_", " ") for name in PARTS}


def bridge(
    previous: pd.DataFrame,
    current: pd.DataFrame,
    point: str,
    replayed: pd.DataFrame | None = None,
    updated: pd.DataFrame | None = None,
    shared: Collection[pd.Timestamp] | None = None,
) -> pd.DataFrame:
    """Divide the change between the forecasts of two origins, for the timestamps that both reach.

    What an item was not forecast counts as 0, so that items which come or go are part of the change.

    Args:
        previous: of the previous origin, as it was made then: item_id, timestamp, the point column.
        current: of this origin.
        point: column of the point forecast.
        replayed: the previous origin's once more, by the model of then on the history as it is known now.
        updated: this origin's, by the model of then on the same history. Without one of the two: undivided.
        shared: the timestamps that both reach, where the frames have some of the items only; None: as they say.

    Returns:
        One row per item, largest change first: item_id, steps (timestamps in common), previous, revised_history
        (replayed - previous), new_data (updated - replayed), new_model (current - updated), current, change
        (current - previous). Sums over the common timestamps; NaN where undivided. No row without such timestamps.
    """
    if shared is None:
        shared = {*previous[TIME]} & {*current[TIME]}
    names = ["previous", "replayed", "updated", "current"]
    sums = {
        name: frame[frame[TIME].isin(shared)].groupby(ITEM, observed=True)[point].sum().astype("float64")
        for name, frame in zip(names, (previous, replayed, updated, current), strict=True)
        if frame is not None
    }
    table = pd.DataFrame(sums).fillna(0.0).reindex(columns=names)
    found = pd.DataFrame(
        {
            ITEM: table.index.astype(object),
            "steps": len(shared),
            "previous": table["previous"].to_numpy(),
            "revised_history": (table["replayed"] - table["previous"]).to_numpy(),
            "new_data": (table["updated"] - table["replayed"]).to_numpy(),
            "new_model": (table["current"] - table["updated"]).to_numpy(),
            "current": table["current"].to_numpy(),
            "change": (table["current"] - table["previous"]).to_numpy(),
        }
    )
    if table[["replayed", "updated"]].isna().any(axis=None):
        found[list(PARTS)] = np.nan
    return largest_first(found)


def largest_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of items, sorted by id, with the largest change first."""
    order = np.argsort(-table["change"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)
