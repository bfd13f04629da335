"""A number of each item: the same for all, or its static covariate of that name."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import latest_known


def by_item(value: float | str, known: pd.DataFrame, item: pd.Series) -> np.ndarray:
    """Return the number that holds for each row.

    Args:
        value: the number, or the name of a static covariate.
        known: canonical frame up to the origin; the latest known value of an item counts.
        item: the item of each row.

    Returns:
        Shape (rows,); NaN where the covariate of an item is not known, or no number.
    """
    if not isinstance(value, str):
        return np.full(len(item), float(value))
    numbers = pd.to_numeric(latest_known(known, [value])[value].astype(object), errors="coerce")
    return item.map(numbers.astype(float)).to_numpy(dtype=float)
