"""The face of stores towards Dagster: IO managers that store what steps return, and load what they depend on."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
from dagster_shared.check import CheckError

from mlops_assets.catalog.metadata import HISTORY, UNTOUCHED
from mlops_assets.catalog.spending import note_all
from mlops_assets.errors import MlopsAssetsError
from mlops_assets.io_managers.arrow import to_arrow
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.claims import Claiming
from mlops_assets.io_managers.errors import MissingTableError, StorageError
from mlops_assets.io_managers.keys import label
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.output_metadata import column_meanings, column_schema, columns_key, preview
from mlops_assets.io_managers.partition_split import Split, split
from mlops_assets.io_managers.parts import nothing_there
from mlops_assets.resources.meter import entries_of
from mlops_assets.resources.patience import patient
from mlops_assets.resources.stored import StoredTable, Streamed

dg.IOManager.register(Claiming)


def io_manager(store: Claiming) -> dg.IOManagerDefinition:
    """Return a store as Dagster opens it for a run: it knows when that began, and notes what its steps have taken."""

    def opened(context: dg.InitResourceContext) -> Iterator[Claiming]:
        own = store.model_copy()
        own.begin()
        try:
            yield own
        finally:
            if isinstance(own, Tables):
                note(own, context)

    face: Any = opened  # a generator, as Dagster's resources may be
    return dg.IOManagerDefinition(resource_fn=face, description=type(store).__doc__)


def asset_path(context: dg.OutputContext | dg.InputContext) -> list[str]:
    """Return the key of the asset that is stored or loaded; StorageError for what is no asset."""
    if not context.has_asset_key:
        raise StorageError("only assets are stored here: give plain ops another IO manager.")
    return list(context.asset_key.path)


@patient
def store(stores: Claiming, context: dg.OutputContext, obj: Any, claim: int) -> None:
    """Store what an asset returned, in a store that began its run at `claim` (ns since 1970)."""
    if isinstance(stores, Tables):
        _store_table(stores, context, obj, claim)
    elif isinstance(stores, Models):
        _store_model(stores, context, obj, claim)
    _let_go(context)


@patient
def load(stores: Claiming, context: dg.InputContext) -> Any:
    """Load what an asset depends on from a store."""
    if isinstance(stores, Tables):
        return _load_table(stores, context)
    return _load_model(stores, context) if isinstance(stores, Models) else None


def _let_go(context: dg.OutputContext) -> None:
    """Let Dagster forget what is stored: in one process it would hold what all steps of a run have returned."""
    with contextlib.suppress(dg.DagsterInvariantViolationError):  # not of a run
        (context.step_context.output_capture or {}).clear()


def _store_table(tables: Tables, context: dg.OutputContext, obj: Any, claim: int) -> None:
    """Store what an asset returned, and note what is to be shown of it.

    Args:
        tables: where to.
        context: of the output.
        obj: a frame, which is split into the run's partitions, or a `Streamed` for its one partition.
        claim: when the run began, in ns since 1970.

    Raises:
        StorageError: anything else, or a stream for several partitions.
        ForeignRowsError: rows of none of the run's partitions.
    """
    key = asset_path(context)
    if isinstance(obj, Streamed):
        _store_stream(tables, context, obj, claim)
        return
    if not isinstance(obj, pd.DataFrame):
        raise StorageError(
            f"{label(key)}: tables take a pandas DataFrame, the asset returned {type(obj).__name__}. "
            "Return a frame (an empty one with its columns, if there are no rows), "
            "or give the asset another io_manager_key."
        )
    parts: Iterable[tuple[str | None, pd.DataFrame]]
    parts = _split(context, obj).items() if context.has_asset_partitions else [(None, obj)]
    start, newest = time.perf_counter(), obj
    arrow: dict[str | None, pa.Table] = {}
    for name, part in parts:
        arrow[name], newest = to_arrow(part), part.head() if len(part) else newest
    untouched = context.output_metadata.get(UNTOUCHED)
    untouched = getattr(untouched, "value", untouched) or ()
    written = {name: table for name, table in arrow.items() if name not in untouched}
    size = tables.replace(key, written, _options(context), claim) if written else 0
    # Several partitions share one set of facts; the rows of each are the asset's to say.
    rows = {"dagster/row_count" if len(arrow) == 1 else "rows_of_run": len(obj)}
    one = next(iter(arrow)) if len(arrow) == 1 else None
    schema = max(arrow.values(), key=len).schema
    _note(context, tables.uri(key, one), newest, schema, size, time.perf_counter() - start, {**rows, **_count(context)})


def _store_stream(tables: Tables, context: dg.OutputContext, stream: Streamed, claim: int) -> None:
    key = asset_path(context)
    names = list(context.asset_partition_keys) if context.has_asset_partitions else [None]
    if len(names) > 1:
        raise StorageError(
            f"{label(key)}: a stream is of one partition, the run has {len(names)}. Return a frame, or give the asset "
            "the backfill policy BackfillPolicy.multi_run()."
        )
    first: list[pd.DataFrame] = []
    rows = 0

    def own() -> Iterator[pd.DataFrame]:
        nonlocal rows
        for batch in stream.batches:
            first.extend([] if first and (len(first[0]) or not len(batch)) else [batch])
            rows += len(batch)
            yield _split(context, batch)[names[0]] if names[0] is not None else batch

    start = time.perf_counter()
    size = tables.replace_by_batches(key, own(), names[0], _options(context), claim)
    seconds = time.perf_counter() - start
    facts = {"dagster/row_count": rows, **_count(context)}
    _note(context, tables.uri(key, names[0]), first[-1], to_arrow(first[-1]).schema, size, seconds, facts)


def _load_table(tables: Tables, context: dg.InputContext) -> pd.DataFrame | StoredTable:
    """Load the partitions an asset depends on; absent ones are skipped and counted.

    Returns:
        One frame, or the `StoredTable` as which the asset's parameter is annotated: nothing is read yet.

    Raises:
        MissingTableError: none of the partitions is there, and the input does not say that they may be missing.
    """
    key = asset_path(context)
    wishes = dict(context.definition_metadata or {})
    columns = list(wishes["columns"]) if wishes.get("columns") is not None else None
    stored = context.dagster_type.typing_type is StoredTable
    if not context.has_asset_partitions:
        return StoredTable(tables, key) if stored else tables.read(key, columns=columns)
    asked = list(context.asset_partition_keys)
    found = tables.stored(key, asked)
    facts = {"partitions": len(found), "absent_partitions": len(asked) - len(found)}
    if asked and len(found) < len(asked):
        context.log.info(f"{label(key)}: {len(asked) - len(found)} of {len(asked)} partitions are not there, skipped.")
    if not found and not wishes.get("allow_missing_partitions"):
        raise MissingTableError(nothing_there(key, asked, tables.partitions(key)))
    table = StoredTable(tables, key, found)
    loaded = table if stored else table.read(columns)
    # For many partitions Dagster keeps the metadata of the input but cannot make an observation of it.
    with contextlib.suppress(CheckError):
        context.add_input_metadata({**facts, "rows": len(loaded)})
    return loaded


def _options(context: dg.OutputContext) -> dict[str, Any]:
    return dict(context.definition_metadata or {})


def _split(context: dg.OutputContext, frame: pd.DataFrame) -> Split:
    keys, options = list(context.asset_partition_keys), _options(context)
    expression, history = options.get("partition_expr"), options.get(HISTORY)
    return split(frame, keys, context.asset_partitions_def, expression, label(asset_path(context)), history)


def _count(context: dg.OutputContext) -> dict[str, int]:
    return {"partitions": len(context.asset_partition_keys)} if context.has_asset_partitions else {}


def _note(
    context: dg.OutputContext,
    uri: str,
    frame: pd.DataFrame,
    schema: pa.Schema,
    size: int,
    seconds: float,
    facts: Mapping[str, Any],
) -> None:
    """Add what is shown of what was written: `frame` has its rows, or the first of its newest partition."""
    context.add_output_metadata(
        {
            **facts,
            columns_key(context): column_schema(frame, schema, column_meanings(context)),
            "dagster/uri": uri,
            "write_seconds": round(seconds, 3),
            "preview": dg.MetadataValue.md(preview(frame)),
            **({"bytes": size} if size >= 0 else {}),
        }
    )


def note(tables: Tables, context: dg.InitResourceContext) -> None:
    """Note what the steps of a run, or the one of this process, have taken (`catalog.spending`)."""
    if context.run is None:
        return
    try:
        note_all(tables, entries_of(context.run.run_id), tables.present())
    except MlopsAssetsError as error:  # a store that does not answer any more: the run has done its work
        if context.log is not None:
            context.log.warning(f"what the run has spent was not noted: {error}")


def _store_model(models: Models, context: dg.OutputContext, obj: Any, claim: int) -> None:
    """Store the model that an asset returned, and beside it what its metadata say in text or numbers.

    Args:
        models: where to.
        context: of the output.
        obj: the model's state.
        claim: when the run began, in ns since 1970.

    Raises:
        StorageError: there is none, or it is for several partitions.
    """
    key = _model_path(context)
    if obj is None:
        raise StorageError(f"{label(key)}: the asset returned None, not a model. Return its state.")
    start = time.perf_counter()
    own = {name: _plain(value) for name, value in context.output_metadata.items()}
    info = {name: value for name, value in own.items() if value is not None}
    record = models.replace(key, obj, {**info, "run_id": context.run_id}, claim)
    context.add_output_metadata(
        {
            "dagster/uri": models.uri(key),
            "sha256": record["sha256"],
            "bytes": record["bytes"],
            "write_seconds": round(time.perf_counter() - start, 3),
        }
    )


def _load_model(models: Models, context: dg.InputContext) -> Any:
    """Load the model an asset depends on."""
    key = _model_path(context)
    value = models.load(key)
    context.add_input_metadata({"sha256": models.info(key)["sha256"]})
    return value


def _model_path(context: dg.OutputContext | dg.InputContext) -> list[str]:
    path = asset_path(context)
    if not context.has_asset_partitions:
        return path
    keys = list(context.asset_partition_keys)
    if len(keys) != 1:
        raise StorageError(f"{label(path)}: one model at a time, found {len(keys)} partitions. Run them one by one.")
    return [*path, f"partition {keys[0]}"]


def _plain(value: Any) -> Any:
    value = value.value if isinstance(value, dg.MetadataValue) else value
    return value if isinstance(value, str | int | float | bool) else None
