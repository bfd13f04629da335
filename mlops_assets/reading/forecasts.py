"""The ledger's forecasts: of the latest origin that reaches a timestamp, of one origin, or of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mlops_assets.adjustments import publish
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FORECASTS, PUBLISHED_FORECASTS
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.evaluation.ledger import DELIVERED, OWN
from mlops_assets.forecasting.model.task import POINT
from mlops_assets.reading.asked import Asked, Moment
from mlops_assets.reading.origins import Origins, Place
from mlops_assets.reading.some_columns import read_columns

Role = Literal["delivered", "shadow"]
ADJUSTMENT = "adjustment"
ALL, LATEST = "all", "latest"
"""Origins by a word."""
_INSTANT = pd.Timedelta(microseconds=1)


@dataclass(frozen=True)
class Forecasts:
    """Reads the ledger: of the partitions that can matter the rows and columns that are asked for.

    Attributes:
        origins: of the ledger.
        role: `delivered`, or `shadow`: what a service or our model has made beside it too.
        leads: only these steps; None: all.
        published: whether what people have changed is in the place of what the forecaster delivered.
        table: `forecasts`, or `reconciled_forecasts`, which has the sums of a hierarchy.
    """

    origins: Origins
    role: Role = "delivered"
    leads: tuple[int, ...] | None = None
    published: bool = False
    table: str = FORECASTS

    def of(self, asked: Asked, origin: Moment | None = None) -> pd.DataFrame:
        """Return forecasts by item, timestamp and origin.

        Args:
            asked: which rows. Without any bound in time and without an origin: what the latest origin looks ahead to.
            origin: a timestamp, `latest` or `all`. None: of each item and timestamp the latest that has it.

        Raises:
            UnknownOriginError: nothing was forecast from there.
        """
        if origin == ALL:
            rows = self._read(self._there(self.origins.reaching(asked)), asked)
        elif origin == LATEST:
            rows = self._from(self.origins.latest(asked.as_of), asked)
        elif origin is not None:
            rows = self._from(self.origins.at(origin, asked.as_of), asked)
        else:
            rows = self._latest(asked)
        order = ["item_id", "timestamp", "origin", *(["source"] if self.role == "shadow" else [])]
        return rows.sort_values(order, kind="stable", ignore_index=True)[self.columns]

    @property
    def columns(self) -> list[str]:
        """The columns of the answer."""
        task = self.origins.spec.task
        point = [POINT] if POINT in task.cost_columns else []
        held = ["item_id", "origin", "timestamp", "lead", "mean", *task.quantile_columns, *point]
        held += ["naive", "source", "model_version", "created_at", ADJUSTMENT]
        return [*held, "role"] if self.role == "shadow" else held

    def _from(self, origin: Place | None, asked: Asked) -> pd.DataFrame:
        return self._read(self._there([] if origin is None else [origin.partition]), asked)

    def _there(self, keys: Sequence[str]) -> list[str]:
        """Return those of some partitions of the ledger that the table has too."""
        if self.table == FORECASTS:
            return list(keys)
        stored = {*self.origins.tables.partitions([self.origins.spec.name, self.table])}
        return [key for key in keys if key in stored]

    def _latest(self, asked: Asked) -> pd.DataFrame:
        """Return the rows of each item and timestamp from the latest origin that has them.

        Mostly one partition has them all: of few items it is read by itself before any other is looked for.
        """
        if not asked.bounded and asked.as_of is None and asked.items is not None:
            rows = self._read(self._there(self.origins.stored()[-1:]), asked)
            if self._whole(rows, asked):
                return rows
        present = None if asked.bounded else self.origins.latest(asked.as_of)
        asked = asked if present is None else asked.within(present.origin + _INSTANT)
        keys = self._there(self.origins.reaching(asked))
        keys = [key for key in keys if present is None or key <= present.partition]
        rows = self._read(keys[-1:], asked)
        if len(keys) == 1 or self._whole(rows, asked):
            return rows
        rows = pd.concat([self._read(self._others(keys[:-1], rows, asked), asked), rows], ignore_index=True)
        rows = rows.assign(_who=rows["source"].where(rows["job_key"] != OWN, "")).sort_values("origin", kind="stable")
        return rows.drop_duplicates(["item_id", "timestamp", "_who"], keep="last").drop(columns="_who")

    def _whole(self, rows: pd.DataFrame, asked: Asked) -> bool:
        """Whether rows of one origin are all that any origin before it could have of the items that are asked for."""
        if asked.items is None or self.leads is not None or self.role == "shadow" or rows.empty:
            return False
        origin, spec = rows["origin"].iloc[0], self.origins.spec
        if asked.since is not None and asked.since <= origin:
            return False
        wanted = spec.horizon
        if asked.bounded:
            steps = steps_after(origin, spec.horizon, spec.frequency)
            inside = np.ones(len(steps), dtype=bool)
            inside &= asked.since is None or steps >= asked.since
            inside &= asked.until is None or steps <= asked.until
            wanted = int(inside.sum())
        # An item has no timestamp twice, nor more of them than there are.
        return len(rows) == wanted * len(asked.items) and (asked.since is not None or not asked.bounded)

    def _others(self, keys: list[str], rows: pd.DataFrame, asked: Asked) -> list[str]:
        """Return which earlier partitions have to be read: none of all items that the latest has all of."""
        if asked.items is not None or self.leads is not None or rows.empty:
            return keys
        origin = rows["origin"].iloc[0]
        if asked.since is None or asked.since <= origin:
            return keys
        tables, known = self.origins.tables, set(rows["item_id"])
        more = tables.batches(self.origins.key, keys, ["item_id"], asked.only)
        return keys if any(not known.issuperset(part["item_id"]) for part in more) else []

    def known(self, keys: Sequence[str], asked: Asked, columns: Sequence[str]) -> pd.DataFrame:
        """Return the rows of some partitions that had been made and were delivered, or beside it, by the moment.

        Args:
            keys: of the partitions.
            asked: which rows.
            columns: of the ledger; one that was not stored is missing.
        """
        held = list(dict.fromkeys([*columns, "item_id", "origin", "lead", "created_at", "role", "job_key"]))
        if not keys:
            return Graph(self.origins.spec).without_rows(self.table).reindex(columns=held)
        rows = self._stored(keys, asked, held)
        if asked.as_of is not None:
            rows = rows[rows["created_at"] <= asked.as_of]
        if self.leads is not None:
            rows = rows[rows["lead"].isin(self.leads)]
        return rows if self.role == "shadow" else rows[delivered_by(rows, asked.as_of)]

    def _stored(self, keys: Sequence[str], asked: Asked, held: list[str]) -> pd.DataFrame:
        """Return the rows of some partitions; those of sums are known since the forecasts of their origins are."""
        tables, key = self.origins.tables, [self.origins.spec.name, self.table]
        rows = read_columns(tables, key, keys, held, asked.only)
        if self.table == FORECASTS:
            return rows
        made = {one.origin: one.created_at for one in self.origins.heads(keys)}
        moments = rows["origin"].map(made).astype("datetime64[us]")
        return rows.assign(created_at=moments, role=DELIVERED, job_key=OWN)

    def _read(self, keys: Sequence[str], asked: Asked) -> pd.DataFrame:
        rows = self.known(keys, asked, [name for name in self.columns if name != ADJUSTMENT])
        tables, key = self.origins.tables, [self.origins.spec.name, PUBLISHED_FORECASTS]
        changed = [one for one in tables.partitions(key) if one in {*keys}] if self.published else []
        if not changed:
            return rows.assign(**{ADJUSTMENT: pd.array([pd.NA] * len(rows), dtype="Int64")})
        return publish(rows, tables.read(key, changed, None, asked.only), asked.as_of)


def delivered_by(rows: pd.DataFrame, as_of: pd.Timestamp | None) -> pd.Series:
    """Return which rows of the ledger were delivered at a moment: until a service's forecast had come, ours was.

    Args:
        rows: that had been made by then.
        as_of: None: now.
    """
    used = rows["role"] == DELIVERED
    if as_of is None or used.all():
        return used
    answered = used.groupby([rows["item_id"], rows["origin"]]).transform("any")
    return used | (~answered & (rows["job_key"] == OWN))
