"""The tables of one forecast: asked for by name, and without rows where nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mlops_assets.catalog.column import COSTS, COVARIATES, QUANTILES, without_rows
from mlops_assets.catalog.columns import TABLES
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.resources.protocols import Tables


@dataclass(frozen=True)
class ForecastTables:
    """What a forecast stores, by the names of `catalog.names`.

    Attributes:
        tables: the store.
        forecast: name of the forecast.
    """

    tables: Tables
    forecast: str

    def partitions(self, name: str) -> list[str]:
        """Return the keys of a table's stored partitions, sorted."""
        return self.tables.partitions([self.forecast, name])

    def exists(self, name: str) -> bool:
        """Return whether anything of a table is stored."""
        return self.tables.exists([self.forecast, name])

    def read(
        self, name: str, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return a table, some partitions or some columns of it; without rows if nothing is stored.

        Args:
            name: of the table.
            partitions: which, in this order; absent ones are skipped. None: all.
            columns: which, in this order. None: all.

        Raises:
            MissingTableError: something is stored, but none of the partitions.
            SchemaDriftError: a column that the table does not have.
        """
        if not self.exists(name):
            fixed = [one for one in TABLES[name] if one.name not in (QUANTILES, COVARIATES, COSTS)]
            none = without_rows(tuple(fixed))
            return none if columns is None else none.reindex(columns=list(columns))
        return self.tables.read([self.forecast, name], partitions=partitions, columns=columns)

    def delivered(
        self, name: str, partitions: Sequence[str] | None = None, columns: Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Return the same of `forecasts` or `forecast_accuracy`, of the rows alone that were delivered."""
        wanted = columns if columns is None else list(dict.fromkeys([*columns, "role"]))
        rows = ledger.delivered(self.read(name, partitions, wanted))
        return rows if columns is None else rows[list(columns)]
