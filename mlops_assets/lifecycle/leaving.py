"""A forecast that leaves: what is stored under a name that no spec declares any more, retired or given a new name."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import ENDINGS, ENTRIES, MODEL, MODEL_CODE, MODEL_VERSIONS, NO_TABLES, RANDOM_FOREST
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.formatting import counted
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Models, Tables
from mlops_assets.tracking.names import Kept
from mlops_assets.tracking.tracking import Tracking

if TYPE_CHECKING:
    import dagster as dg

RETIRED, RENAMING, RENAMED = "retired", "renaming", "renamed"
"""What the log of endings says of a name; `renaming` is one that was begun, and goes on when it is asked for again."""
AT_ONCE = 50
"""Partitions that are copied together."""
_TABLES = [one.name for one in ENTRIES if one.kind not in NO_TABLES and one.name != ENDINGS]
_WITH_NAME = ("name", "forecast")
"""Columns that hold the forecast's name."""
_INSTIGATOR = re.compile(r"(.+)_(daily_schedule|reread_schedule|retrain_on_breach|approvals|rescore|alerts)")


class Jobs(Protocol):
    """The jobs of outside services."""

    def kept(self, forecast: str) -> tuple[int, int]:
        """Return how many there are of a forecast, and how many of them are open."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give those of a forecast its new name."""
        ...

    def give_up(self, forecast: str) -> None:
        """End the open ones of a forecast."""
        ...


class Stores(Protocol):
    """Where a forecast is kept."""

    @property
    def tables(self) -> Tables:
        """Have what it stores."""
        ...

    @property
    def models(self) -> Models:
        """Have its models."""
        ...

    @property
    def tracking(self) -> Tracking:
        """Has its registered model and its experiment."""
        ...

    @property
    def clock(self) -> Clock:
        """Says when it leaves."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Have what it has asked of outside services."""
        ...


@dataclass(frozen=True)
class Places:
    """Where forecasts are kept, and which there are.

    Attributes:
        stores: of tables, models, versions.
        instance: Dagster's; None if it has never run.
        declared: names that specs declare.
    """

    stores: Stores
    instance: "dg.DagsterInstance | None"
    declared: Collection[str]


@dataclass(frozen=True)
class Holdings:
    """What is stored under a name.

    Attributes:
        name: of the forecast.
        tables: name of each table -> its partitions; none of one without.
        models: keys in the store of models.
        mlflow: what MLflow keeps.
        switched_on: names of schedules and sensors that Dagster would still run.
        jobs: how many jobs of outside services the ledger has.
        open_jobs: how many of them are open.
    """

    name: str
    tables: dict[str, list[str]]
    models: list[list[str]]
    mlflow: Kept
    switched_on: list[str]
    jobs: int = 0
    open_jobs: int = 0

    def __bool__(self) -> bool:
        """Whether it is anything."""
        return bool(self.tables or self.models or self.mlflow or self.switched_on or self.open_jobs)

    @property
    def words(self) -> str:
        """What it is, for people."""
        partitions = sum(map(len, self.tables.values()))
        tables = f"{counted(len(self.tables), 'table')} with {counted(partitions, 'partition')}"
        said = [tables, counted(len(self.models), "stored model")]
        if self.mlflow.versions is not None:
            said.append(f"{counted(self.mlflow.versions, 'version')} in MLflow")
        if self.mlflow.experiment is not None:
            said.append(f"experiment {self.mlflow.experiment} in MLflow")
        if self.switched_on:
            said.append(f"switched on in Dagster: {', '.join(self.switched_on)}")
        if self.jobs:
            said.append(f"{counted(self.jobs, 'job')} of outside services, {self.open_jobs} of them open")
        return "; ".join(said)


def holdings(stores: Stores, instance: "dg.DagsterInstance | None", name: str) -> Holdings:
    """Return what is stored under a name.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    below = sorted({*_TABLES, *stores.tables.children([name])} - {ENDINGS})
    tables = {one: stores.tables.partitions([name, one]) for one in below if stores.tables.exists([name, one])}
    models = [[name, one] for one in (RANDOM_FOREST, MODEL) if stores.models.exists([name, one])]
    for group in (MODEL_VERSIONS, MODEL_CODE):
        models += [[name, group, child] for child in stores.models.children([name, group])]
    on = [state.name for state in _switched_on(instance) if _owner(state.name) == name]
    jobs, still_open = stores.jobs.kept(name)
    return Holdings(name, tables, models, stores.tracking.names().kept(name), sorted(on), jobs, still_open)


def undeclared(tables: Tables, instance: "dg.DagsterInstance | None", declared: Collection[str]) -> list[str]:
    """Return the names that something is stored under, or switched on for, and that no spec declares any more.

    Those that have been retired are left out, unless a schedule or sensor of theirs is still on.
    """
    others = {*tables.children([])} - {*declared}
    stored = {name for name in others if any(tables.exists([name, one]) for one in _TABLES)}
    stored = {name for name in stored if _last(tables, name) != (RETIRED, "")}
    return sorted(stored | (switched_on(instance) - {*declared}))


def switched_on(instance: "dg.DagsterInstance | None") -> set[str]:
    """Return the names of the forecasts that a schedule or sensor is on for in Dagster."""
    return {_owner(state.name) for state in _switched_on(instance)} - {""}


def retire(places: Places, name: str, delete: bool, do: bool) -> Iterator[str]:
    """Retire a forecast, and say what that does; again is no harm.

    Its schedules and sensors are off, MLflow's model and experiment say that it is retired, and status leaves it out.

    Args:
        places: where it is kept.
        name: of the forecast.
        delete: remove what is stored, too.
        do: do it; else only say it.

    Yields:
        A line for each step.

    Raises:
        UsageError: it is still declared, or nothing is stored.
        TrackingError: MLflow cannot be reached.
    """
    stores, instance = places.stores, places.instance
    if name in places.declared:
        raise UsageError(f"{name} is still declared: take its spec out of the folder of specs first, then retire it")
    found = holdings(stores, instance, name)
    if not found and not stores.tables.exists([name, ENDINGS]):
        raise UsageError(f"nothing is stored under {name}; mlops-assets status lists what is")
    now, names = stores.clock.now(), stores.tracking.names()
    yield f"{name}: {found.words}"
    for one in found.switched_on:
        yield f"switch off {one} in Dagster"
    if do:
        _switch_off(instance, name)
    if found.open_jobs:
        yield f"end {counted(found.open_jobs, 'open job')} in the ledger; the services themselves are not told"
        if do:
            stores.jobs.give_up(name)
    if not delete:
        yield "mark as retired: everything is kept, status leaves it out"
        if do:
            names.close(name, f"{now:%Y-%m-%d}")
            _note(stores.tables, name, RETIRED, "", now)
        return
    yield "delete the registered model, and the experiment (MLflow can restore it), in MLflow"
    if do:
        names.remove(name, f"{now:%Y-%m-%d %H:%M:%S}")
    many = f"{counted(len(found.models), 'stored model')} and {counted(len(found.tables), 'table')}"
    yield f"delete {many}; Dagster's history stays"
    if do:
        _delete(stores, found)
        stores.tables.delete([name, ENDINGS])


def rename(places: Places, old: str, new: str, do: bool) -> Iterator[str]:
    """Give what is stored of a forecast its new name, and say what that does.

    Everything is copied before anything is deleted; what was interrupted goes on when it is asked for again.

    Args:
        places: where it is kept.
        old: the name that no spec declares any more.
        new: the name in its spec.
        do: do it; else only say it.

    Yields:
        A line for each step.

    Raises:
        UsageError: the spec has not been renamed, nothing is stored, or something else is stored under the new name.
        TrackingError: MLflow cannot be reached.
    """
    stores, instance = places.stores, places.instance
    if old in places.declared or new not in places.declared:
        raise UsageError(f"set name: {new} in the spec of {old} first; then its stored data follow")
    found, there = holdings(stores, instance, old), holdings(stores, instance, new)
    goes_on = _last(stores.tables, new) == (RENAMING, old)
    if not found and not goes_on:
        raise UsageError(f"nothing is stored under {old}; mlops-assets status lists what is")
    if (there.tables or there.models or there.mlflow) and not goes_on:
        raise UsageError(
            f"{new} has been used already ({there.words}): choose another name, or take its spec out, retire it with "
            "--delete, and put the spec back"
        )
    yield f"{old}: {found.words}" + (f" (goes on; {new} has {there.words})" if goes_on else "")
    now = stores.clock.now()
    if do and not goes_on:
        _note(stores.tables, new, RENAMING, old, now)
    yield f"copy {counted(len(found.tables), 'table')} and {counted(len(found.models), 'stored model')} to {new}"
    if do:
        _copy(stores, found, new)
    yield f"rename the registered model and the experiment in MLflow to {new}"
    if do:
        stores.tracking.names().rename(old, new)
    if found.jobs:
        yield f"give {counted(found.jobs, 'job')} of outside services the name {new}"
    if do:
        stores.jobs.rename(old, new)
    yield f"delete what is stored under {old}; Dagster's history stays under its name"
    for one in found.switched_on:
        yield f"switch off {one} in Dagster: switch {new}{one.removeprefix(old)} on"
    if do:
        _delete(stores, found)
        stores.tables.delete([old, ENDINGS])
        _switch_off(instance, old)
        _note(stores.tables, new, RENAMED, old, now)


def _copy(stores: Stores, found: Holdings, new: str) -> None:
    for table, partitions in found.tables.items():
        key, target = [found.name, table], [new, table]
        if not partitions:
            stores.tables.write(target, _renamed(stores.tables.read(key), found.name, new))
            continue
        there = stores.tables.row_counts(target, partitions)
        counts = stores.tables.row_counts(key, partitions)
        rest = [partition for partition in partitions if there.get(partition) != counts[partition]]
        meanings = stores.tables.meanings(key, rest)
        for meaning in sorted({meanings.get(partition) for partition in rest}, key=str):
            alike = [partition for partition in rest if meanings.get(partition) == meaning]
            for first in range(0, len(alike), AT_ONCE):
                parts = {
                    partition: _renamed(stores.tables.read(key, partitions=[partition]), found.name, new)
                    for partition in alike[first : first + AT_ONCE]
                }
                stores.tables.write_all(target, parts, allow_new_columns=True, meaning=meaning)
    for path in found.models:
        target = [new, *path[1:]]
        if not stores.models.exists(target) or path[1] in (RANDOM_FOREST, MODEL):
            own = {"sha256", "bytes", "saved_at", "claim", "release", "file"}
            told = {label: value for label, value in stores.models.info(path).items() if label not in own}
            stores.models.save(target, stores.models.load(path), told)


def _renamed(rows: pd.DataFrame, old: str, new: str) -> pd.DataFrame:
    own = [name for name in _WITH_NAME if name in rows.columns]
    return rows.assign(**{name: rows[name].where(rows[name] != old, new) for name in own}) if own else rows


def _delete(stores: Stores, found: Holdings) -> None:
    for path in found.models:
        stores.models.delete(path)
    for table in found.tables:
        stores.tables.delete([found.name, table])


def _note(tables: Tables, name: str, event: str, other: str, now: datetime) -> None:
    log = Log(tables, name, ENDINGS)
    log.add({"event": event, "other": other, "at": naive_utc(now)}, numbered(len(log.partitions()) + 1))


def _last(tables: Tables, name: str) -> tuple[str, str]:
    """Return the last event of a name and the other name in it."""
    log = Log(tables, name, ENDINGS)
    stored = log.partitions()
    if not stored:
        return "", ""
    row = log.rows([max(stored)]).iloc[0]
    return str(row["event"]), str(row["other"])


def _switched_on(instance: "dg.DagsterInstance | None") -> list[Any]:
    """Return the states of the schedules and sensors that a person has switched on."""
    return [] if instance is None else [one for one in instance.all_instigator_state() if one.status.name == "RUNNING"]


def _switch_off(instance: "dg.DagsterInstance | None", name: str) -> None:
    for state in instance.all_instigator_state() if instance is not None else ():
        if instance is not None and _owner(state.name) == name:
            instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)


def _owner(instigator: str) -> str:
    """Return which forecast a schedule or sensor is of; empty if of none."""
    match = _INSTIGATOR.fullmatch(instigator)
    return match[1] if match else ""
