"""Revisions: the rows of observations and future covariates that were superseded, and the past as it was known."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.log import Log
from mlops_assets.catalog.meaning import meaning_of, scorable
from mlops_assets.catalog.names import OBSERVATIONS, REVISIONS
from mlops_assets.catalog.partitions import partition_of
from mlops_assets.catalog.windows import windows_of
from mlops_assets.forecasting.data import vintages
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.data.vintages import KNOWN_AT, SUPERSEDED_AT
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only

_OURS = frozenset({"table", "partition", *KEY, "target", KNOWN_AT, SUPERSEDED_AT, "contract"})


@dataclass(frozen=True)
class Moments:
    """Since when partitions of observations are known, see `vintages.Vintages`.

    Attributes:
        begins: of each, sorted, datetime64, shape (partitions,).
        since: of each, datetime64 in UTC, shape (partitions,).
        latest: the last timestamp that was ever stored.
    """

    begins: np.ndarray
    since: np.ndarray
    latest: pd.Timestamp


class Revisions:
    """What a forecast's tables said before: a partition for each run that has replaced rows by other ones.

    The rows that a run supersedes are kept here before the others are stored in their place. A run that is killed
    between the two leaves rows here that are current still, which readers take for that; whoever supersedes the same
    rows afterwards replaces the same partition.
    """

    def __init__(self, graph: Graph, tables: Tables) -> None:
        self._graph, self._tables, self._name = graph, tables, graph.spec.name
        self._log, self._meanings = Log(tables, self._name, REVISIONS), Meanings(tables, self._name)

    def settle(self, table: str, come: pd.DataFrame, keys: Sequence[str], now: pd.Timestamp) -> vintages.Revised:
        """Keep what rows that are about to be stored supersede, and return both, with `known_at`.

        Args:
            table: the rows' own.
            come: the rows.
            keys: of the partitions that they replace.
            now: the present moment, naive, in UTC.
        """
        there = sorted(set(self._tables.partitions([self._name, table])).intersection(keys))
        stored = self._tables.read([self._name, table], there) if there else None
        if stored is None or stored.empty:
            rows = vintages.known_from(come, now)
            return vintages.Revised(rows, rows.iloc[:0].assign(**{SUPERSEDED_AT: rows[KNOWN_AT].iloc[:0]}))
        stored = self._placed(stored, there) if table == OBSERVATIONS else stored
        found = vintages.revise(stored, come, now, _row(table))
        self._keep(table, found.superseded)
        return found

    def carry(self, removed: Sequence[str], now: pd.Timestamp) -> None:
        """Let partitions of observations that are about to be removed be the past of those in whose place they were.

        A row that says the same is known since then, and any other is kept; so are those that no partition has.

        Args:
            removed: keys of the partitions.
            now: the present moment, naive, in UTC.
        """
        key = [self._name, OBSERVATIONS]
        present = sorted({*self._tables.partitions(key)} - {*removed})
        numbers = self._meanings.numbers(self._tables.meanings(key, removed).values())
        contract = min(numbers.values(), default=0)
        for rows in self._tables.batches(key, list(removed)) if removed and present else ():
            for partition, old in self._placed(rows, present).groupby("partition"):
                new = self._tables.read(key, [str(partition)])
                found = vintages.revise(old, new.drop(columns=KNOWN_AT), now)
                known = found.rows[KNOWN_AT].where(found.rows[KNOWN_AT] < new[KNOWN_AT], new[KNOWN_AT])
                self._keep(OBSERVATIONS, found.superseded, contract)
                if (known != new[KNOWN_AT]).any():
                    self._tables.write(key, new.assign(**{KNOWN_AT: known}), str(partition), **self._graph.observed)

    def rows(self, table: str, keys: Sequence[str] | None = None, only: Only | None = None) -> pd.DataFrame:
        """Return the superseded rows of a table that meant what its rows mean, with their covariates as columns.

        Args:
            table: observations or future_covariates.
            keys: of its partitions that matter; None: all.
            only: which rows are wanted; None: all.

        Returns:
            The columns of the table, `partition`, `superseded_at` and `contract`; of rows that meant something else
            (`contract` 0) only who they are and when they were known is of use.
        """
        rows = self._log.rows(only=only)
        rows = rows[rows["table"] == table]
        if table == OBSERVATIONS:  # partitions may be of another kind by now
            rows = self._placed(rows, self._tables.partitions([self._name, table]))
        if keys is not None:
            rows = rows[rows["partition"].isin(list(keys))]
        present = meaning_of(self._graph.spec)
        known = {number: meaning for number, (_, meaning) in enumerate(self._meanings.all(), start=1)}
        same = rows["contract"].isin([number for number, meaning in known.items() if scorable(meaning, present)])
        empty = self._graph.without_rows(table)
        kinds = {str(name): kind for name, kind in empty.dtypes.items() if name not in _OURS}
        told = pd.DataFrame([json.loads(text) for text in rows["covariates"]], index=rows.index)
        told = told.reindex(columns=list(kinds)).where(same)
        for name in told.columns.difference(self._graph.spec.covariates.static):
            told[name] = pd.to_numeric(told[name], errors="coerce")  # it may have been a text
        rows = rows.drop(columns=["table", "covariates"]).join(told.astype(kinds))
        return rows.assign(contract=rows["contract"].where(same, 0)).reset_index(drop=True)

    def as_of(self, table: str, moment: pd.Timestamp, keys: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of a table that were known at a moment; see `vintages.as_of`.

        Args:
            table: observations or future_covariates.
            moment: naive, in UTC.
            keys: of the partitions that are wanted; None: all.

        Raises:
            MissingTableError: none of them is stored.
        """
        current, superseded = self.versions(table, keys)
        found = vintages.as_of(current, superseded, moment, _row(table))
        return found if table != OBSERVATIONS else found.drop(columns="partition")

    def versions(
        self, table: str, keys: Sequence[str] | None = None, only: Only | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Read a table, and return its current and superseded rows as `past` does.

        Args:
            table: observations or future_covariates.
            keys: of the partitions that are wanted; None: all.
            only: which rows are.

        Raises:
            MissingTableError: none of the partitions is stored.
        """
        return self.past(table, self._tables.read([self._name, table], keys, only=only), keys, only)

    def past(
        self, table: str, current: pd.DataFrame, keys: Sequence[str] | None = None, only: Only | None = None
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return current and superseded rows of a table, each with its `partition` and a `known_at` never missing.

        A row that meant something else is none of them; the one that came in its place is known since then.

        Args:
            table: observations or future_covariates.
            current: its rows.
            keys: of the partitions that these are of; None: all.
            only: which rows these are.
        """
        if table == OBSERVATIONS:
            current = self._placed(current, self._tables.partitions([self._name, table]) if keys is None else keys)
        current, superseded = self._since(current), self._since(self.rows(table, keys, only))
        other = superseded[superseded["contract"] == 0]
        superseded = superseded[superseded["contract"] > 0].drop(columns="contract")
        return vintages.in_place_of(current, superseded, other, _row(table))

    def moments(self) -> "Moments":
        """Say since when each stored partition of observations is known."""
        key, partitions = [self._name, OBSERVATIONS], self._tables.partitions([self._name, OBSERVATIONS])
        kept = self._log.rows(columns=["table", "partition", *KEY, KNOWN_AT])
        parts = [kept.loc[kept["table"] == OBSERVATIONS, ["partition", "timestamp", KNOWN_AT]]]
        for rows in self._tables.batches(key, partitions, ["timestamp", KNOWN_AT]):
            parts.append(
                self._placed(rows, partitions).groupby(["partition", KNOWN_AT], dropna=False).max().reset_index()
            )
        rows = self._since(pd.concat(parts, ignore_index=True))
        since = rows.groupby("partition")[KNOWN_AT].min().reindex(partitions)
        windows = windows_of(self._graph.partitions, partitions)
        empty = pd.Series(windows.over.tz_localize(None), index=partitions)
        return Moments(
            windows.start.to_numpy(), since.fillna(empty).to_numpy(dtype="datetime64[us]"), rows["timestamp"].max()
        )

    def _placed(self, rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
        return rows.assign(partition=partition_of(rows["timestamp"], self._graph.partitions, keys))

    def _since(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Let rows that do not say since when they are known be so since the end of their partition."""
        silent = rows[KNOWN_AT].isna()
        if not silent.any():
            return rows
        keys = rows.loc[silent, "partition"].unique()
        over = windows_of(self._graph.partitions, keys).over.tz_localize(None)
        ends = rows.loc[silent, "partition"].map(dict(zip(keys, over, strict=True)))
        return rows.assign(**{KNOWN_AT: rows[KNOWN_AT].fillna(ends)})

    def _keep(self, table: str, rows: pd.DataFrame, contract: int | None = None) -> None:
        if rows.empty:
            return
        meant = self._tables.meanings([self._name, table], sorted(rows["partition"].unique()))
        numbers = self._meanings.numbers(meant.values())
        names = [name for name in rows.columns if name not in _OURS]
        covariates = rows[names].to_dict("records") if names else [{}] * len(rows)
        kept = rows.assign(
            table=table,
            contract=contract or [numbers[meant.get(partition)] for partition in rows["partition"]],
            target=rows["target"] if "target" in rows else float("nan"),
            covariates=[_as_json(row) for row in covariates],
        )
        named = kept[["table", "partition", *KEY, KNOWN_AT]]
        digest = hashlib.sha256(pd.util.hash_pandas_object(named, index=False).sort_values().to_numpy().tobytes())
        self._log.replace_all(kept, f"{kept['partition'].min()}-{digest.hexdigest()[:12]}")


def _row(table: str) -> list[str]:
    """Return what names a row of a table: covariates of a time are known from several origins."""
    return KEY if table == OBSERVATIONS else ["partition", *KEY]


def _as_json(row: dict[Any, Any]) -> str:
    return json.dumps({name: None if pd.isna(value) else value for name, value in row.items()}, ensure_ascii=False)
