"""`mlops-assets certify`: run one small round on several places and prove that all of them keep the same."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import SecretStr

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.catalog.names import OBSERVATIONS, REPORT, assets_of, model_asset, tables_of
from mlops_assets.catalog.partitions import complete_keys, periods
from mlops_assets.definitions import Environment, assemble
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.model import model_file
from mlops_assets.forecasting.model.kinds import lookback
from mlops_assets.io_managers import MemoryModels, MemoryTables, Models, ObjectModels, ObjectTables, SqlTables, Tables
from mlops_assets.io_managers.filesystems import Bucket, LocalFolder, open_file_store
from mlops_assets.lifecycle.approvers import Approvers
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.databases import DatabaseError, shown
from mlops_assets.resources.meter import Prices
from mlops_assets.rounds.round import forecast, ingest, train
from mlops_assets.rounds.runner import Listener, Runner
from mlops_assets.scale.engine import Engine
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.model import parameters_of
from mlops_assets.tracking.tracking import Tracking

PLACES = ("files", "sql", "object_storage", "memory")
OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "abfs", "abfss", "memory", "file")
OF_A_RUN = ("run_id",)
"""Columns that differ between two runs of the same thing; the clock stands still, so moments do not."""
ORIGINS = 3
_PRIME = 1_000_003
"""By which the hashes of a row's values are made one, so that their order counts."""
TREES, TRAINING_ROWS, WINDOWS = 10, 2000, 1
"""Size of the round's model and backtest at most: what is on trial is the storage."""


@dataclass(frozen=True)
class Store:
    """A store of tables and one of models on trial.

    Attributes:
        name: as it is shown, without secrets.
        tables: its store of tables.
        models: its store of models; of a database, which keeps none, a folder.
    """

    name: str
    tables: Tables
    models: Models


@dataclass(frozen=True)
class Content:
    """What was read back, in a form that can be compared; the order of rows does not matter.

    Attributes:
        rows: how many.
        types: of each column, pandas' and, for objects, Arrow's.
        missing: missing values of each column.
        columns: hash of each column's values.
        digest: hash of the rows.
    """

    rows: int
    types: dict[str, str]
    missing: dict[str, int]
    columns: dict[str, str]
    digest: str


WHOLE = "read at once"
Parts = dict[str, Content]
"""Content of a table by partition, and as a whole under `WHOLE`."""


@dataclass(frozen=True)
class Finding:
    """One table of one place; `difference` says how it differs from the first place's, and is empty if it does not."""

    place: str
    table: str
    partitions: int
    rows: int
    digest: str
    difference: str = ""


def certify(spec: ForecastSpec, settings: Settings, wanted: Sequence[str] | None, listen: Listener) -> list[Finding]:
    """Run the round on every place, in temporary folders and under names that are removed afterwards.

    Args:
        spec: the forecast whose round is run.
        settings: where the database and the object storage are.
        wanted: names of places (`PLACES`) or URLs of databases and object stores. None: every place that is set.
        listen: is told of every step.

    Raises:
        UsageError: an unknown place, or one whose address is not set.
    """
    if wanted is None:
        wanted = [name for name in PLACES if name != "object_storage" or settings.object_storage]
    trial = small(spec, f"certify_{uuid4().hex[:10]}")
    with tempfile.TemporaryDirectory(prefix="mlops-assets-") as folder, ExitStack() as stack:
        places = [stack.enter_context(open_store(word, settings, Path(folder), trial)) for word in wanted]
        findings = compare_places(trial, places, Path(folder), settings.now or "", listen)
        try:
            stack.close()
        except Exception as error:  # What was found counts all the same.
            findings.append(Finding("one of them", "removal", 0, 0, "", _words(error)))
        return findings


def compare_places(
    spec: ForecastSpec, places: Sequence[Store], folder: Path, now: str, listen: Listener
) -> list[Finding]:
    """Run the round of a spec on every place and compare what each holds with the first that got through.

    Args:
        spec: the forecast; its name is the first part of all keys.
        places: where to run it.
        folder: for MLflow's databases, one for each place.
        now: the moment at which the clock stands still (ISO 8601); empty: this one.
        listen: is told of every step.
    """
    clock = Clock(fixed=now or Clock().now().isoformat())
    reference: dict[str, Parts] | None = None
    findings = []
    for number, place in enumerate(places):
        tracking = _tracking(folder, number)
        try:
            run_small_round(spec, place, tracking, clock, listen)
            found = {name: read_parts(place, spec, name) for name in table_names(spec)}
            found[model_asset(spec)] = read_model(place, spec)
        except Exception as error:
            findings.append(Finding(place.name, "the round", 0, 0, "", _words(error)))
            continue
        reference = reference or found
        for name, parts in found.items():
            whole = parts[WHOLE]
            difference = first_difference(parts, reference[name])
            findings.append(Finding(place.name, name, len(parts) - 1, whole.rows, whole.digest[:12], difference))
    return findings


def _words(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).partition("Debug source")[0].split())


@contextmanager
def open_store(word: str, settings: Settings, folder: Path, spec: ForecastSpec) -> Iterator[Store]:
    """Open a place, and remove what the spec's round has left there afterwards.

    Raises:
        UsageError: an unknown place, or one whose address is not set.
    """
    own = Path(tempfile.mkdtemp(dir=folder))
    scheme = word.partition("://")[0] if "://" in word else ""
    if word == "memory":
        yield Store(word, MemoryTables(), MemoryModels())
    elif word == "files":
        yield Store(word, ObjectTables(str(own / "tables")), ObjectModels(str(own / "models")))
    elif word == "object_storage" or scheme in OBJECT_SCHEMES:
        base = settings.object_storage if word == "object_storage" else word
        if not base:
            raise UsageError("object_storage: MLOPS_OBJECT_STORAGE is not set; it takes s3://bucket/prefix or the like")
        tables = ObjectTables(base)
        try:
            yield Store(word, tables, ObjectModels(base))
        finally:
            _empty(base, spec)
    elif word == "sql" or scheme:
        url = SecretStr(word) if scheme else settings.database_url or SecretStr(f"sqlite:///{own}/tables.db")
        tables = SqlTables(url)
        try:
            tables.exists([spec.name, OBSERVATIONS])
            name = f"{word} ({_dialect(url)})" if word == "sql" else shown(url)
        except DatabaseError as error:
            raise UsageError(f"{_dialect(url)}: {error.message}", advice=error.advice) from None
        try:
            yield Store(name, tables, ObjectModels(str(own / "models")))
        finally:
            for table in tables_of(spec):
                tables.delete([spec.name, table])
    else:
        raise UsageError(f"no place {word!r}; there are {', '.join(PLACES)}, and URLs such as duckdb:///tables.duckdb")


def _dialect(url: SecretStr) -> str:
    return url.get_secret_value().partition(":")[0]


def _empty(base: str, spec: ForecastSpec) -> None:
    """Remove all files of the forecast."""
    place = open_file_store(base, {})
    if isinstance(place, Bucket):
        import obstore

        for batch in obstore.list(place.store, prefix=f"{spec.name}/"):
            obstore.delete(place.store, [entry["path"] for entry in batch])
    elif isinstance(place, LocalFolder):
        shutil.rmtree(place.base / spec.name, ignore_errors=True)


def small(spec: ForecastSpec, name: str) -> ForecastSpec:
    """Return the spec under another name, with a model and a backtest that take seconds, and no service to be paid."""
    quick = {"n_estimators": TREES, "max_iter": TREES, "n_jobs": 1}
    model = spec.model.model_copy(
        update={
            "parameters": {
                **spec.model.parameters,
                **{name: value for name, value in quick.items() if name in parameters_of(spec.model.kind)},
            },
            "max_training_rows": min(TRAINING_ROWS, spec.model.max_training_rows),
        }
    )
    backtest = spec.backtest.model_copy(update={"windows": min(WINDOWS, spec.backtest.windows)})
    copied = spec.model_copy(update={"name": name, "model": model, "backtest": backtest, "external": None})
    vars(copied).pop("task", None)  # worked out for the spec as it was
    return copied


def table_names(spec: ForecastSpec) -> list[str]:
    """Return the names of the tables that are compared: not the logs and pages, which are of one run each."""
    return [one.name for one in assets_of(spec) if one.kind == "table"]


def span(spec: ForecastSpec, clock: Clock) -> list[str]:
    """Return the latest partitions that a small training, and forecasts after it, need.

    Raises:
        UsageError: none has ended yet.
    """
    task, step = spec.task, spec.backtest.step or spec.horizon
    steps = lookback(task) + spec.backtest.windows * step + spec.horizon
    keys = complete_keys(spec, clock.now())
    if len(keys) <= ORIGINS:
        raise UsageError(f"{spec.file}: fewer than {ORIGINS + 1} partitions have ended yet")
    return keys[-(periods(spec, steps) + ORIGINS) :]


def run_small_round(spec: ForecastSpec, place: Store, tracking: Tracking, clock: Clock, listen: Listener) -> None:
    """Ingest, train, forecast from the last partitions and score, with all tables and models in one place."""
    keys = span(spec, clock)
    origins = keys[-ORIGINS:]
    resources = {
        "tables": place.tables,
        "models": place.models,
        "tracking": tracking,
        "clock": clock,
        "notifications": Notifications(),
        "jobs": dg.ResourceDefinition.none_resource(),
        "prices": Prices(),
        "engine": Engine.local(),
        "approvers": Approvers(),
    }
    definitions = assemble([spec], Environment(resources, dg.in_process_executor))
    run = Runner(definitions, dg.DagsterInstance.ephemeral(), listen)
    ingest(run, spec, keys[0], keys[-1])
    train(run, spec, origins[0], "certify")
    life = Lifecycle(place.tables, tracking, clock, spec.name)
    if life.champion() is None:  # so small a model may be refused, but forecasts are to be compared too
        life.approve(life.registry.versions()[0].number, "certify", "forecasts are to be compared", force=True)
    forecast(run, spec, origins, without=(REPORT,))


def _tracking(folder: Path, number: int) -> Tracking:
    """Return an MLflow database of its own: making one costs seconds, copying it nothing."""
    empty, own = folder / "mlflow.db", folder / f"mlflow-{number}"
    if not empty.exists():
        Tracking(uri=f"sqlite:///{empty}").ping()
    own.mkdir()
    shutil.copy(empty, own / "mlflow.db")
    return Tracking(uri=f"sqlite:///{own / 'mlflow.db'}", artifact_root=str(own / "artifacts"))


def read_parts(place: Store, spec: ForecastSpec, name: str) -> Parts:
    """Read a table partition by partition, and once more as a whole."""
    key = [spec.name, name]
    partitions = place.tables.partitions(key)
    parts = {partition: content_of(place.tables.read(key, partitions=[partition])) for partition in partitions}
    return {**parts, WHOLE: content_of(place.tables.read(key))}


def read_model(place: Store, spec: ForecastSpec) -> Parts:
    """Read the model back and take its checksum; how long the fit took is left out, being new each time."""
    state = place.models.load([spec.name, model_asset(spec)])
    facts = {name: value for name, value in state["facts"].items() if name != "fit_seconds"}
    sha256 = model_file.checksum(model_file.dumps({**state, "facts": facts}))
    return {WHOLE: Content(1, {}, {}, {"sha256 of the model": sha256}, sha256)}


def content_of(frame: pd.DataFrame) -> Content:
    """Take the content of a frame, the columns of a run left out."""
    frame = frame.drop(columns=[name for name in OF_A_RUN if name in frame.columns])
    types = {
        str(name): str(column.dtype)
        if column.dtype != object
        else f"object of {pa.array(column.dropna(), from_pandas=True).type}"
        for name, column in frame.items()
    }
    missing = {str(name): int(column.isna().sum()) for name, column in frame.items()}
    hashes = {str(name): pd.util.hash_pandas_object(column, index=False).to_numpy() for name, column in frame.items()}
    rows = np.zeros(len(frame), dtype=np.uint64)
    for values in hashes.values():
        rows = rows * _PRIME + values
    columns = {name: _digest(values) for name, values in hashes.items()}
    return Content(len(frame), types, missing, columns, _digest(rows))


def _digest(hashes: np.ndarray) -> str:
    return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()


def first_difference(found: Parts, reference: Parts) -> str:
    """Say in words where a table differs from the reference, or return an empty text."""
    for partitions, words in (
        (reference.keys() - found.keys(), "lacks"),
        (found.keys() - reference.keys(), "has more"),
    ):
        if partitions:
            return f"{words} {len(partitions)} partitions, such as {min(partitions)}"
    for name, content in reference.items():
        difference = _difference(found[name], content)
        if difference:
            return (
                f"{name if name == WHOLE else f'partition {name}'}: {difference}" if len(reference) > 1 else difference
            )
    return ""


def _difference(found: Content, reference: Content) -> str:
    if list(found.types) != list(reference.types):
        return f"columns {', '.join(found.types)} instead of {', '.join(reference.types)}"
    for name, kind in reference.types.items():
        if found.types[name] != kind:
            return f"column {name} is {found.types[name]} instead of {kind}"
    if found.rows != reference.rows:
        return f"{found.rows} rows instead of {reference.rows}"
    for name, count in reference.missing.items():
        if found.missing[name] != count:
            return f"column {name} has {found.missing[name]} missing values instead of {count}"
    for name, digest in reference.columns.items():
        if found.columns[name] != digest:
            return f"other values in {name}"
    return "" if found.digest == reference.digest else "the same values in other rows"
