"""Keeping `published_forecasts` what ledger and log say: in each round, and whenever somebody changes something."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import pandas as pd

from mlops_assets.adjustments.log import ADJUST, LOCK, Adjustments, items_of, standing
from mlops_assets.adjustments.published import STAMPS, in_force, publish, revised
from mlops_assets.adjustments.rules import KEYS, adjusted
from mlops_assets.adjustments.scope import Scope
from mlops_assets.adjustments.sums import summed
from mlops_assets.catalog.names import ADJUSTMENTS, FORECASTS, PUBLISHED_FORECASTS, RECONCILED_FORECASTS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.forecasting.evaluation.hierarchy import PREFIX
from mlops_assets.forecasting.evaluation.ledger import delivered
from mlops_assets.io_managers.errors import StaleWriteError
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only, Span
from mlops_assets.spec import ForecastSpec


class Publisher:
    """Writes the rows of one forecast that are published otherwise than the system made them.

    A forecast that nobody has adjusted costs a look whether there is a log, and has no table. Who writes a partition
    looks at the log once more afterwards: of several at the same time the last one has seen what all have added.
    """

    def __init__(self, tables: Tables, spec: ForecastSpec) -> None:
        self._tables, self._spec, self._stored = tables, spec, ForecastTables(tables, spec.name)
        self._scope, self.log = Scope(tables, spec), Adjustments(tables, spec.name)

    def passing(
        self, batches: Iterable[pd.DataFrame], keys: Sequence[str], now: pd.Timestamp
    ) -> Iterable[pd.DataFrame]:
        """Pass rows on to the ledger, and publish what people have changed of them just before they are stored.

        So no reader sees a new origin without its adjustments and locks.

        Args:
            batches: of rows of the ledger.
            keys: of the partitions that they are of, the oldest first.
            now: when they were made, naive in UTC.
        """
        return self._passing(batches, keys, now) if self._stored.exists(ADJUSTMENTS) else batches

    def refresh(self, keys: Sequence[str], now: pd.Timestamp) -> None:
        """Publish what ledger and log say now of some stored partitions.

        Args:
            keys: of the partitions; those that are not stored are left out.
            now: the present moment, naive in UTC.
        """
        if not self._stored.exists(ADJUSTMENTS):
            return
        for key in self._tables.stored([self._spec.name, FORECASTS], keys):
            log = pd.DataFrame()
            while len(log) < len(seen := self.log.all()):
                log = seen
                self._write(key, self.system(key, log), log, now, self._held(key, log))

    def with_sums(self, rows: pd.DataFrame, keys: Sequence[str], now: pd.Timestamp) -> None:
        """Publish what adjusted items do to sums, just before the sums are stored.

        Args:
            rows: of `reconciled_forecasts`.
            keys: of their partitions; those of which nothing was adjusted are left alone.
            now: the present moment, naive in UTC.
        """
        for key in self._tables.stored([self._spec.name, PUBLISHED_FORECASTS], keys):
            published = in_force(self._stored.read(PUBLISHED_FORECASTS, [key])).drop(columns=STAMPS)
            items = published[~published["item_id"].str.startswith(PREFIX)]
            nodes = rows[(rows["origin"] == self._scope.origin(key)) & rows["item_id"].str.startswith(PREFIX)]
            if len(items):
                system = self._read(key, sorted(items["item_id"].unique()))
                self._store(key, self._with_sums(key, system, items, nodes), now)

    def system(self, key: str, log: pd.DataFrame) -> pd.DataFrame:
        """Return the ledger's rows of a partition that the log may be about, in the columns that are published."""
        about = self._about(self._scope.origin(key), log)
        return self._read(key, about) if about is None or len(about) else self._nothing()

    def made(self, key: str, system: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
        """Return what is to be published of the system's rows of a partition, see `rules.adjusted`."""
        return self._adjusted(system, log, self._held(key, log))

    def _adjusted(self, system: pd.DataFrame, log: pd.DataFrame, held: pd.DataFrame | None) -> pd.DataFrame:
        limits = self._scope.limits(system["item_id"].unique().tolist())
        return adjusted(system, log, self._spec.task, held, limits)

    def _passing(
        self, batches: Iterable[pd.DataFrame], keys: Sequence[str], now: pd.Timestamp
    ) -> Iterator[pd.DataFrame]:
        log, kept = self.log.all(), [self._nothing()]
        about = {origin: self._about(origin, log) for origin in map(self._scope.origin, keys)}
        for batch in batches:
            for origin, items in about.items():
                rows = batch[batch["origin"] == origin]
                kept.append(self._published_columns(rows if items is None else rows[rows["item_id"].isin(items)]))
            yield batch
        system = pd.concat([part for part in kept if len(part)] or kept, ignore_index=True)
        before = None
        for key in keys:
            rows = system[system["origin"] == self._scope.origin(key)]
            held = self._held(key, log) if before is None else before
            fresh = self._write(key, rows, log, now, held)
            before = pd.concat([fresh[self._columns], rows]).drop_duplicates(KEYS) if len(fresh) else rows

    def _write(
        self, key: str, system: pd.DataFrame, log: pd.DataFrame, now: pd.Timestamp, held: pd.DataFrame | None
    ) -> pd.DataFrame:
        """Store what is published of a partition from now on, sums too, and return that of the items."""
        fresh = self._adjusted(system, log, held)
        self._store(key, self._with_sums(key, system, fresh, self._nodes(key) if len(fresh) else None), now)
        return fresh

    def _store(self, key: str, fresh: pd.DataFrame, now: pd.Timestamp) -> None:
        there = self._tables.stored([self._spec.name, PUBLISHED_FORECASTS], [key])
        if there or len(fresh):
            stored = self._stored.read(PUBLISHED_FORECASTS, there) if there else pd.DataFrame()
            after = revised(stored, fresh, now)
            if not after.equals(stored):
                name = [self._spec.name, PUBLISHED_FORECASTS]
                with suppress(StaleWriteError):  # who began later looks at the log once more, too
                    self._tables.write(name, after, key, partition_expr="origin", allow_new_columns=True)

    def _nodes(self, key: str) -> pd.DataFrame | None:
        """Return the stored forecasts of sums of a partition; None without a hierarchy, and before there are any."""
        name = [self._spec.name, RECONCILED_FORECASTS]
        if self._spec.hierarchy is None or not self._tables.stored(name, [key]):
            return None
        return self._tables.read(name, [key], only=Only(Span(PREFIX, f"{PREFIX}{chr(sys.maxunicode)}")))

    def _with_sums(
        self, key: str, system: pd.DataFrame, changed: pd.DataFrame, nodes: pd.DataFrame | None
    ) -> pd.DataFrame:
        tree = None if nodes is None else self._scope.tree(key)
        if nodes is None or tree is None:
            return changed
        sums = summed(nodes, system, changed, tree, self._spec.task)
        return pd.concat([changed, sums], ignore_index=True) if len(sums) else changed

    def _about(self, origin: pd.Timestamp, log: pd.DataFrame) -> list[str] | None:
        """Return the items that the log is about in the forecast of an origin; None: all."""
        rows = pd.concat([standing(log, origin, ADJUST), standing(log, origin, LOCK)])
        items = [items_of(row) for _, row in rows.iterrows()]
        return None if None in items else sorted({item for one in items for item in one or ()})

    def _held(self, key: str, log: pd.DataFrame) -> pd.DataFrame | None:
        """Return what the stored partition before one has published, where a lock may hold it; None without any."""
        origin = self._scope.origin(key)
        earlier = self._scope.before(key) if len(standing(log, origin, LOCK)) else None
        if earlier is None:
            return None
        about = self._about(origin, log)
        rows = self._read(earlier, about)
        there = self._tables.stored([self._spec.name, PUBLISHED_FORECASTS], [earlier])
        if not there:
            return rows
        only = None if about is None else Only(about)
        changed = self._tables.read([self._spec.name, PUBLISHED_FORECASTS], there, only=only)
        return publish(rows, changed).drop(columns="adjustment")

    def _read(self, key: str, items: list[str] | None) -> pd.DataFrame:
        """Read what was delivered of a partition of the ledger, all items or some."""
        name = [self._spec.name, FORECASTS]
        known = self._tables.without_rows(name).columns
        columns = [one for one in (*self._columns, "role") if one in known]
        return self._published_columns(self._tables.read(name, [key], columns, None if items is None else Only(items)))

    def _published_columns(self, rows: pd.DataFrame) -> pd.DataFrame:
        used = delivered(rows) if "role" in rows else rows
        return used.reindex(columns=self._columns)

    @property
    def _columns(self) -> list[str]:
        task = self._spec.task
        return [*KEYS, "lead", "mean", *task.quantile_columns, *task.cost_columns]

    def _nothing(self) -> pd.DataFrame:
        return self._published_columns(self._tables.without_rows([self._spec.name, FORECASTS]))
