"""Some columns of a stored table, though it may lack some of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mlops_assets.io_managers.errors import SchemaDriftError
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only


def read_columns(
    tables: Tables, key: Sequence[str], partitions: Sequence[str], columns: list[str], only: Only
) -> pd.DataFrame:
    """Return rows with these columns; one that the table lacks is missing in them.

    Quantiles or costs may have been declared later, and sums have no naive forecast.

    Args:
        tables: where it is.
        key: of the table.
        partitions: some that are stored.
        columns: which, in this order.
        only: which rows.
    """
    try:
        return tables.read(key, partitions, columns, only)
    except SchemaDriftError:
        stored = tables.without_rows(key).columns
        return tables.read(key, partitions, [name for name in columns if name in stored], only).reindex(columns=columns)
