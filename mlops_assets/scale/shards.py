"""Shards: a stored table's items in parts that fit a worker, and a function applied to each.

A shard is a range of item ids; whoever works on it reads its rows from the store. So no table passes through the
process that gives out the work, nothing is shuffled, and what comes of an item does not know its shard.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from mlops_assets.errors import DataError
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.memory import MemoryModels, MemoryTables
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import ITEM, Only, Span
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.failures import EngineAddressError

ROWS = 125_000
"""Rows of a shard, about: so few that workers end at about the same time.

A table of no more than twice as many is one shard, read as a whole, in this process.
"""
_HELD = 2_000_000
"""Counts that are held before those of the same item are added up."""
_SAMPLE = 5
"""Partitions whose rows are counted to tell whether a table is small."""

Shard = Span | None
"""Items from the first to the last; None: all of a small table. Both are what `Only(items=…)` takes."""
Result = TypeVar("Result")


def shards(
    tables: Tables,
    key: Sequence[str],
    partitions: Sequence[str] | None,
    only: Only | None = None,
    *,
    count: int | None = None,
    width: int = 1,
) -> list[Shard]:
    """Return the shards of a table, or of some partitions of it, in the order of the item ids.

    Args:
        tables: where it is stored.
        key: the asset's key, part by part.
        partitions: those that are meant; None: all.
        only: the rows that are meant; None: all.
        count: so many, or as many as there are items. Default: by the number of rows.
        width: how many rows of observations a row of the table weighs as much as.

    Returns:
        Nothing if there are no rows; `[None]` if they are few.

    Raises:
        DataError: item ids that have no order, for they are not all texts.
    """
    meant, each = tables.partitions(key) if partitions is None else list(partitions), max(1, ROWS // width)
    if count is None and rows_about(tables, key, meant) <= 2 * each:
        return [None] if tables.row_count(key, partitions) else []
    by_item = _rows_by_item(tables, key, partitions, only)
    if by_item.empty:
        return []
    if count is None:
        if by_item.sum() <= 2 * each:
            return [None]
        count = -(-int(by_item.sum()) // each)
    return list(_cut(by_item, min(count, len(by_item))))


def apply_by_shard(
    engine: Engine, function: Callable[..., Result], spans: Sequence[Shard], *arguments: object
) -> Iterator[Result]:
    """Yield `function(shard, *arguments)` of each shard, in their order.

    A single shard is worked on in this process, and so are tables in memory, which no other process can see.

    Args:
        engine: where it is done.
        function: of a module.
        spans: of `shards`.
        arguments: sent once, such as the tables, a graph, or a model.

    Raises:
        EngineAddressError: tables in memory, and an engine on other machines.
        EngineUnavailableError, WorkerReleaseError, WorkerLostError: see `Engine.map`.
    """
    in_memory = any(isinstance(one, MemoryTables | MemoryModels) for one in arguments)
    if in_memory and not engine.is_local:
        raise EngineAddressError(
            f"MLOPS_ENGINE={engine.address}: its workers cannot see tables in the memory of this process; "
            "keep them elsewhere (MLOPS_TABLES=files, sql or object_storage), or leave MLOPS_ENGINE out"
        )
    work = partial(_apply, function, arguments)
    return engine.map(work, spans, here=in_memory or len(spans) <= 1)


def _apply(function: Callable[..., Result], arguments: tuple[object, ...], shard: Shard) -> Result:
    return function(shard, *arguments)


def rows_about(tables: Tables, key: Sequence[str], partitions: Sequence[str]) -> int:
    """Return the number of rows, about, by some partitions; that of a table without partitions exactly.

    The first is counted by itself: it may hold the history before all others.
    """
    if not partitions:
        return tables.row_count(key, None)
    some = [partitions[len(partitions) * number // _SAMPLE] for number in range(_SAMPLE)] + [partitions[-1]]
    counts = tables.row_counts(key, list(dict.fromkeys(some)))
    first = counts.pop(partitions[0], 0)
    return first + max(counts.values(), default=0) * (len(partitions) - 1)


def _rows_by_item(
    tables: Tables, key: Sequence[str], partitions: Sequence[str] | None, only: Only | None
) -> "pd.Series[int]":
    """Count the rows of each item, sorted by its id; the table is never in memory as a whole."""
    counts: list[pa.Table] = []
    for batch in tables.batches(key, partitions, [ITEM], only):
        counts.append(pa.Table.from_struct_array(_texts(key, batch[ITEM]).value_counts()))
        if sum(map(len, counts)) > _HELD:
            counts = [_summed(counts)]
    found = _summed(counts)
    return pd.Series(found["counts"].to_numpy(), found["values"].to_pylist()).sort_index()


def _texts(key: Sequence[str], items: pd.Series) -> pa.Array:
    """Return item ids as Arrow.

    Raises:
        DataError: they are not all texts.
    """
    found = items.astype(object)
    if len(found) and pd.api.types.infer_dtype(found, skipna=False) != "string":
        odd = sorted({type(item).__name__ for item in found if not isinstance(item, str)})
        raise DataError(
            f"{label(key)}: column {ITEM} holds values that have no order among texts ({', '.join(odd)}), so its items "
            "cannot be worked on in parts: store them as texts"
        )
    return pa.array(found, pa.string())


def _summed(counts: list[pa.Table]) -> pa.Table:
    found = pa.concat_tables(counts).group_by("values").aggregate([("counts", "sum")])
    return found.select(["values", "counts_sum"]).rename_columns(["values", "counts"])


def _cut(rows: "pd.Series[int]", count: int) -> Iterator[Span]:
    """Yield so many ranges of items of about as many rows each.

    Args:
        rows: of each item, in order; at least `count` of them.
        count: of ranges.
    """
    ids, before = rows.index.to_list(), rows.cumsum().shift(fill_value=0)
    share = (before * count // int(rows.sum())).to_numpy()
    # Large items may leave a range without one of its own: it takes the next.
    starts = [0]
    for number in range(1, count):
        at = int((share < number).sum())
        starts.append(min(max(at, starts[-1] + 1), len(ids) - count + number))
    for first, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        yield Span(ids[first], ids[end - 1])
