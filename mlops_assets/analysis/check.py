"""`mlops-assets check`: one line for each thing that a run needs, with what is wrong."""

import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import MODEL, OBSERVATIONS, RANDOM_FOREST
from mlops_assets.catalog.partitions import latest_complete, origin_of, window_of
from mlops_assets.definitions import loadable
from mlops_assets.environments import assets_of, open_stores
from mlops_assets.errors import DataError, MlopsAssetsError
from mlops_assets.forecasting.data.contract import ContractError
from mlops_assets.forecasting.formatting import counted
from mlops_assets.forecasting.model import kinds
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.models import Models
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.lifecycle.leaving import switched_on
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.meanings import difference
from mlops_assets.report.ingestion import COUNTED
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.instance import dagster_home, open_instance, present_instance, prove_instance
from mlops_assets.resources.secrets import scrub
from mlops_assets.settings import Settings, SettingsError
from mlops_assets.sources import calendars, covariates
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import Declared, ForecastSpec, SpecError
from mlops_assets.stages import findings, ingest, train
from mlops_assets.stages.ahead import look_ahead
from mlops_assets.stages.remarks import Remarks

FIRST_ROWS = 1_000
"""So many rows of a source are held against the contract."""
_NEITHER = ("rows_collapsed", "rows_superseded", "rows_aggregated", "rows_of_other_times")
"""Counts of rows that are neither good by themselves nor rejected."""


@dataclass(frozen=True)
class CheckResult:
    """What is known of one thing that a run needs.

    Attributes:
        name: of the thing.
        passed: whether it is as it must be.
        message: what was found, or what is wrong.
    """

    name: str
    passed: bool
    message: str


def checks() -> Iterator[CheckResult]:
    """Check settings, specs, sources, stores, MLflow and Dagster, one after another; what fails does not end it."""
    try:
        settings = Settings.read()
    except SettingsError as error:
        yield CheckResult("settings", False, str(error))
        return
    yield CheckResult("settings", True, f"environment {settings.environment}, data in {settings.data_folder}")
    yield from closed(settings)
    try:
        declared = loadable(settings)
    except SpecError as error:
        yield CheckResult("specs", False, str(error))
        declared = Declared([], [])
    else:
        yield _specs(declared, settings)
    for broken in declared.broken:
        yield CheckResult(f"spec of {broken.name}", False, scrub(broken.message))
    specs, now = declared.specs, Clock.of(settings).now()
    with assets_of(settings):
        for spec in specs:
            yield from _data(spec, now, settings)
    try:
        with open_stores(settings) as stores:
            yield _try("tables", lambda: _tables(stores.tables, [spec.name for spec in specs]))
            yield from layout(stores.tables)
            yield from _changed(stores.tables, specs)
            yield _try("models", lambda: _models(stores.models, [spec.name for spec in specs]))
            mlflow = _try("mlflow", stores.tracking.ping)
            yield mlflow
            if mlflow.passed:
                yield from champions(Lifecycle.of(stores, spec.name) for spec in specs)
            yield _try("engine", stores.engine.ping)
            yield _try("alerts", stores.notifications.ping)
    except Exception as error:
        yield _failed("stores", error)
    yield _try("dagster", lambda: f"{dagster_home(settings)}, {_runs(settings)}")
    yield from _left_on(settings, declared)


def closed(settings: Settings) -> Iterator[CheckResult]:
    """Where people decide with keys, tell whether other users of this machine can read data or change specs."""
    if settings.approvers is None:
        return
    for name, folder, rights, can in (
        ("data folder", settings.data_folder, stat.S_IROTH | stat.S_IXOTH, "read"),
        ("folder of specs", settings.forecasts, stat.S_IWOTH, "change"),
    ):
        if folder.is_dir():
            is_open = bool(folder.stat().st_mode & rights)
            said = f"every user of this machine can {can} what is in {folder}: chmod o-rwx {folder}"
            yield CheckResult(name, not is_open, said if is_open else f"{folder} is closed to other users")


def _specs(declared: Declared, settings: Settings) -> CheckResult:
    names = ", ".join(spec.name for spec in declared.specs) or "none"
    unusable = f"; {len(declared.broken)} cannot be used" if declared.broken else ""
    return CheckResult("specs", not unusable, f"{len(declared.specs)} in {settings.forecasts}: {names}{unusable}")


def _try(name: str, probe: Callable[[], str]) -> CheckResult:
    try:
        return CheckResult(name, True, probe())
    except Exception as error:
        return _failed(name, error)


def _failed(name: str, error: Exception) -> CheckResult:
    """Say what is wrong; of an error that nobody expected also its type, for then its text alone says little."""
    if isinstance(error, MlopsAssetsError):
        return CheckResult(name, False, str(error))
    text = " ".join(scrub(str(error)).partition("Debug source")[0].split())  # of obstore, pages of it
    return CheckResult(name, False, f"{type(error).__name__}: {text}")


def _data(spec: ForecastSpec, now: datetime, settings: Settings) -> Iterator[CheckResult]:
    """Check where a forecast's data come from, and what its model and the contract make of them."""
    yield _try(f"source of {spec.name}", lambda: _source(spec, now))
    for one in spec.covariates.sources:
        name = f"covariates {one.name} of {spec.name}"
        yield _try(name, lambda one=one: covariates.probe(spec, one, now))
    for one in spec.calendars:
        yield _try(f"calendar {one.name} of {spec.name}", lambda one=one: calendars.probe(spec, one, now))
    if spec.model.parameters:
        yield _try(f"model of {spec.name}", lambda: _model(spec))
    if words := "; ".join(train.in_vain(spec)):
        yield CheckResult(f"retraining of {spec.name}", True, words)
    yield _try(f"rows of {spec.name}", lambda: _rows(spec, settings))


def _source(spec: ForecastSpec, now: datetime) -> str:
    return open_source(spec).probe(Graph(spec).contract.columns, spec.columns.timestamp, now)


def _model(spec: ForecastSpec) -> str:
    kinds.prove(spec.task)
    return f"{spec.model.kind} takes its parameters"


def _rows(spec: ForecastSpec, settings: Settings) -> str:
    """Hold the first rows against the contract; what a run would refuse is raised."""
    graph = Graph(spec)
    checked = ingest.read_first(graph, Clock.of(settings), FIRST_ROWS)
    counts = checked.counts
    span = f"the first {counts['rows_read']:,} rows"
    if refused := findings.refusal(spec, checked, "", span):
        raise ContractError(refused)
    if not counts["rows_read"]:
        return "the source has none yet"
    odd = [f"{findings.capitalized(one)}." for one in _odd(graph, Clock.of(settings), checked.accepted)]
    said = " ".join(["", *findings.of_rows(spec, checked), *odd])
    others = "".join(f", {counts[name]:,} {COUNTED[name]}" for name in _NEITHER if counts[name])
    asked = f" than from {spec.partitions.first_day} to now" if counts[_NEITHER[-1]] else ""
    ahead = f"; {checked.targets_left_out:,} {COUNTED['targets_left_out']}" if checked.targets_left_out else ""
    good, rejected = counts["rows_accepted"], counts["rows_quarantined"]
    return f"of {span} {good:,} are good, {rejected:,} rejected{others}{asked}{ahead}.{said}"


def _odd(graph: Graph, clock: Clock, rows: pd.DataFrame) -> Iterator[str]:
    """Say what is odd about rows, and which known covariates are missing ahead of them."""
    yield from Remarks.of(graph.spec, rows).sentences()
    with suppress(DataError):  # so few rows may end long before the present
        if key := latest_complete(graph.spec, clock.now()):
            origin = origin_of(graph.spec, window_of(graph.partitions, key))
            yield from filter(None, [look_ahead(graph, clock, rows, origin)])


def _tables(tables: Tables, names: list[str]) -> str:
    return f"{_address(tables)}; {', '.join(_observations(tables, name) for name in names) or 'nothing declared'}"


def layout(tables: Tables) -> Iterator[CheckResult]:
    """Tell which tables of a database are stored as an earlier release did it."""
    if not isinstance(tables, SqlTables):
        return
    from mlops_assets.io_managers.sql.postgres_parts import FEW_PARTS

    try:
        found = tables.outdated()
    except Exception as error:
        yield _failed("layout of tables", error)
        return
    if found:
        few = max(found.values()) <= FEW_PARTS
        said = ", ".join(f"{name} ({counted(parts, 'part')})" for name, parts in found.items())
        what = "the next write brings them into today's form" if few else "large ones can be read, and not written"
        todo = "" if few else " (try: mlops-assets migrate-tables)"
        yield CheckResult("layout of tables", few, f"stored by an earlier release: {said}; {what}{todo}")


def _observations(tables: Tables, name: str) -> str:
    key = [name, OBSERVATIONS]
    count = len(tables.partitions(key))
    last = f", the last written by release {tables.written_by(key) or '0.1.0'}" if count else ""
    return f"{name} {count} partitions of observations{last}"


def _changed(tables: Tables, specs: Sequence[ForecastSpec]) -> Iterator[CheckResult]:
    """Tell which forecasts' observations were ingested under another spec."""
    for spec in specs:
        name = f"observations of {spec.name}"
        try:
            if words := difference(tables, spec):
                yield CheckResult(name, False, f"{words} (try: mlops-assets reingest {spec.name})")
        except Exception as error:
            yield _failed(name, error)


def _models(models: Models, names: list[str]) -> str:
    """Ask what is below each name: whether one object is there, a bucket that is missing answers as an empty one."""
    stored = [name for name in names if {RANDOM_FOREST, MODEL} & set(models.children([name]))]
    return f"{_address(models)}; {'trained: ' + ', '.join(stored) if stored else 'none trained yet'}"


def champions(lives: Iterable[Lifecycle]) -> Iterator[CheckResult]:
    """Tell which champions MLflow does not have any more: `status` believes our own log, and does not look there."""
    for life in lives:
        what = f"champion of {life.name}"
        try:
            if (number := life.missing()) is not None:
                kept = "its copy in the store of models forecasts, and the next round trains a new one"
                again = f"mlops-assets run {life.name}"
                yield CheckResult(what, False, f"version {number} is gone from MLflow; {kept}: {again}")
        except Exception as error:
            yield _failed(what, error)


def _address(store: Tables | Models) -> str:
    return store.uri(["x"]).rsplit("/", 1)[0]


def _left_on(settings: Settings, declared: Declared) -> Iterator[CheckResult]:
    """Tell for which forecasts a schedule or sensor is on in Dagster that no spec declares any more."""
    try:
        names = {*switched_on(present_instance(settings))} - declared.names
    except Exception as error:
        yield _failed("schedules and sensors", error)
        return
    for name in sorted(names):
        words = f"no spec declares {name} any more, and it is switched on in Dagster: mlops-assets retire {name}"
        yield CheckResult(f"schedules and sensors of {name}", False, words)


def _runs(settings: Settings) -> str:
    instance = open_instance(settings)
    prove_instance(instance)
    return f"{instance.get_runs_count()} runs"
