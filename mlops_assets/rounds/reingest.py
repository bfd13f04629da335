"""Ingesting anew what was ingested under another spec: partition by partition, and on from where it was stopped."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.meaning import KIND, Change
from mlops_assets.catalog.names import (
    ACCURACY_SCORES,
    DAILY,
    ENTRIES,
    OBSERVATIONS,
    QUARANTINE,
    job_name,
)
from mlops_assets.catalog.partitions import complete_keys, ranges
from mlops_assets.definitions import assemble, build_environment
from mlops_assets.environments import open_stores
from mlops_assets.errors import UsageError
from mlops_assets.lifecycle.meanings import Meanings, outdated
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.rounds.round import ingest
from mlops_assets.rounds.runner import Listener, Runner, Step
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec

AT_ONCE = 30
"""Partitions that one run ingests: each is replaced whole, and what a killed process has done is not done again."""
INGESTED = (OBSERVATIONS, QUARANTINE)


@dataclass(frozen=True)
class Reingested:
    """What was ingested anew.

    Attributes:
        anew: keys of the partitions that were ingested.
        kept: how many partitions were left as they are.
        still: keys of those that are of another spec still: before the first one asked for, or they would lose rows.
        moved: table -> where its partitions of another kind are kept.
        removed: keys of observations that are no partitions any more.
    """

    anew: Sequence[str]
    kept: int
    still: Sequence[str]
    moved: dict[str, str]
    removed: Sequence[str]


def reingest(
    spec: ForecastSpec,
    settings: Settings,
    instance: dg.DagsterInstance,
    listen: Listener,
    first: str | None = None,
    allow_shrink: bool = False,
) -> Reingested:
    """Ingest all partitions that are missing or were ingested under another spec.

    Args:
        spec: the forecast.
        settings: where things are.
        instance: of Dagster.
        listen: told of the progress.
        first: key of the first partition to ingest; all from there on are ingested, whatever spec they are of. None:
            only what has to be.
        allow_shrink: whether stored rows may be replaced by fewer.

    Raises:
        UsageError: there is no such partition.
        RunFailedError: a run failed; what was ingested before it stays.
    """
    with open_stores(settings) as stores:
        tables, keys = stores.tables, complete_keys(spec, stores.clock.now())
        if not keys or (first is not None and first not in keys):
            there = f"they run from {keys[0]} to {keys[-1]}" if keys else "the first one has not ended yet"
            raise UsageError(f"{spec.name} has no partition {first or spec.partitions.start!r}; {there}")
        other = outdated(tables, spec)
        good = set(tables.partitions([spec.name, OBSERVATIONS])) - other.keys()
        due = [key for key in keys if (key not in good if first is None else key >= first)]
        moved = _move(tables, spec.name, other.values())
    definitions = assemble([spec], build_environment(settings), automated=False)
    run = Runner(definitions, instance, lambda step: listen(step) if step.state in ("warning", "failed") else None)
    anew = "" if first is None else f" --from {first}"
    command, done = f"reingest {spec.name}{anew}{' --allow-shrink' if allow_shrink else ''}", 0
    for part in _parts(keys, due, AT_ONCE if not _retyped(other.values()) else len(keys)):
        began = time.monotonic()
        ingest(run, spec, part[0], part[-1], allow_shrink, command)
        done += len(part)
        words = f"{part[0]} to {part[-1]}, {done} of {len(due)} partitions"
        listen(Step(job_name(spec, DAILY), "ingest", "done", time.monotonic() - began, words))
    with open_stores(settings) as stores:
        left = outdated(stores.tables, spec)
        removed = sorted(left.keys() - {*keys})
        Revisions(Graph(spec), stores.tables).carry(removed, naive_utc(stores.clock.now()))
        for name in INGESTED:
            for key in set(stores.tables.partitions([spec.name, name])).intersection(removed):
                stores.tables.delete([spec.name, name], key)
    return Reingested(due, len(keys) - len(due), sorted(left.keys() & {*keys}), moved, removed)


def keep(spec: ForecastSpec, settings: Settings) -> list[str]:
    """Note beside the partitions of another spec that their rows are what the present one says; nothing is read.

    For a source that has moved, or a column that has another name, where the source has no longer what is stored.

    Returns:
        The keys of the partitions.

    Raises:
        UsageError: the rows cannot be the same; nothing was done.
    """
    key = [spec.name, OBSERVATIONS]
    with open_stores(settings) as stores:
        found = outdated(stores.tables, spec)
        other = [str(one) for changes in found.values() for one in changes if not one.of_names]
        if other:
            fields = "; ".join(dict.fromkeys(other))
            raise UsageError(
                f"{spec.name}: rows that were ingested before cannot be the same after {fields}",
                advice=[f"mlops-assets reingest {spec.name}"],
            )
        for partition in sorted(found):
            rows = stores.tables.read(key, partitions=[partition])
            stores.tables.write(key, rows, partition, **Graph(spec).observed)
        Meanings(stores.tables, spec.name).keep(spec)
    return sorted(found)


def _parts(keys: Sequence[str], due: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    """Cut keys that are due into runs of consecutive partitions."""
    for first, last in ranges(list(keys), due):
        span = keys[keys.index(first) : keys.index(last) + 1]
        yield from (span[start : start + size] for start in range(0, len(span), size))


def _retyped(found: Iterable[Sequence[Change]]) -> bool:
    """Whether a column was a number and is a text now, or the other way round: no two such partitions go together."""
    old, new = ({"number": set(), "text": set()} for _ in range(2))
    for change in {str(one): one for some in found for one in some}.values():
        if change.field.startswith("covariates."):
            kind = "text" if change.field.endswith("static") else "number"
            old[kind] |= {*(change.old or ())}
            new[kind] |= {*(change.new or ())}
    return bool(old["text"] & new["number"] or old["number"] & new["text"])


def _move(tables: Tables, name: str, found: Iterable[Sequence[Change]]) -> dict[str, str]:
    """Keep what was made of partitions of another kind under another name, where nothing takes it for today's."""
    kinds = {str(one.old) for some in found for one in some if one.field == KIND}
    if not kinds:
        return {}
    made = [
        one.name for one in ENTRIES if (one.partitioned and one.name not in INGESTED) or one.name == ACCURACY_SCORES
    ]
    moved = {}
    for table in made:
        keys = tables.partitions([name, table])
        if not keys:
            continue
        moved[table] = f"{table}_{'_'.join(sorted(kinds))}"
        tables.write_all([name, moved[table]], {key: tables.read([name, table], partitions=[key]) for key in keys})
        for key in keys:
            tables.delete([name, table], key)
    return moved
