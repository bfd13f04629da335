"""What a table beside the observations is joined by: the values of some columns of an item, as one text."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.forecasting.data.parsing import read_item_ids, unescaped
from mlops_assets.forecasting.model.panel import latest_known


def item_keys(frame: pd.DataFrame, by: Sequence[str], item_columns: Sequence[str]) -> pd.Series:
    """Return the text by which each item is found in another table, as `parsing.read_item_ids` makes it of its columns.

    Args:
        frame: canonical frame with the static covariates among `by`, of which the latest known value counts.
        by: static covariates, or columns that the item id is made of.
        item_columns: the columns whose values, joined by `/`, are the item id.

    Returns:
        item_id -> text; None where one of the values is not known.
    """
    items = pd.Index(sorted(frame["item_id"].unique()), name="item_id")
    if list(by) == list(item_columns):
        return pd.Series(items, index=items, dtype=object)
    parts = {
        name: [unescaped(str(item).split("/")[place]) if len(item_columns) > 1 else item for item in items]
        for place, name in enumerate(item_columns)
    }
    columns = [
        latest_known(frame, [name])[name].reindex(items)
        if name in frame.columns and name not in parts
        else pd.Series(parts[name], index=items, dtype=object)
        for name in by
    ]
    return read_item_ids(columns)
