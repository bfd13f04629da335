"""A version that has proven itself in one environment, taken over into another, whose gate judges it again."""

import json
import multiprocessing
import os
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.alerts.messages import decided
from mlops_assets.catalog.declared import in_force
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.meaning import TAG, from_text, meaning_of, other_values
from mlops_assets.catalog.names import BACKTEST, CHAMPION, MODEL_VERSION, OBSERVATIONS
from mlops_assets.catalog.partitions import latest_complete
from mlops_assets.environments import Stores, open_stores
from mlops_assets.errors import DataError, UsageError
from mlops_assets.forecasting.evaluation.backtest import origins_between
from mlops_assets.forecasting.model.task import Task
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.claims import LONGEST_REGISTRATION, Registrations
from mlops_assets.lifecycle.decisions import DecisionError, Entry, entry_of, highest
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.meanings import require_present
from mlops_assets.lifecycle.versions import keep
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.stored import StoredTable
from mlops_assets.rounds.env_files import NamedEnvironment
from mlops_assets.rounds.runner import Listener, Step
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, find_spec
from mlops_assets.stages import judge
from mlops_assets.stages.backtest import backtest
from mlops_assets.stages.register import row_of
from mlops_assets.stages.shards.history import Histories
from mlops_assets.stages.train import Fitting
from mlops_assets.tracking.parcel import Parcel, pack, unpack
from mlops_assets.tracking.registry import Version

EVIDENCE = "promotion"
"""Folder among the artifacts of the run: the decisions on the version, and the rows of its backtest."""
_OF_BUCKETS = ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ENDPOINT")
_UNPROVEN = ("refused", "rejected", "gone", "taken over")
_MEMORY = "memory"
_MINUTES = int(LONGEST_REGISTRATION.total_seconds() // 60)


@dataclass(frozen=True)
class Sent:
    """What is taken over.

    Attributes:
        parcel: the version with what MLflow keeps of it.
        rules: the gate's last verdict on it where it comes from, as JSON; empty without one.
        places: where tables, models and versions are kept there.
    """

    parcel: Parcel
    rules: str
    places: Mapping[str, str]


@dataclass(frozen=True)
class Promoted:
    """What became of a version in the environment that has taken it over.

    Attributes:
        taken: number of the decision that says it was taken over.
        number: of the decision of the gate.
        decision: of the gate.
        sha256: checksum of the model's file.
        remarks: what people should know, in sentences.
    """

    taken: int
    number: int
    decision: Entry
    sha256: str
    remarks: Sequence[str] = ()


def send(source: NamedEnvironment, name: str, number: int, folder: Path) -> Sent:
    """Fetch a version from an environment, in a process of its own: nothing of that is left in this one.

    Args:
        source: the environment.
        name: of the forecast.
        number: of the version.
        folder: an empty one for what is fetched.

    Raises:
        DecisionError: there is no such version, or it has not proven itself there.
        TrackingError, ModelFileError: something of it is gone, or is not what was registered.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(fetch, source, name, number, folder).result()


def fetch(source: NamedEnvironment, name: str, number: int, folder: Path) -> Sent:
    """Do the same in this process; see `send`."""
    with source.entered():
        settings = Settings.read()
        find_spec(settings.forecasts, name)
        with open_stores(settings) as stores:
            life = Lifecycle.of(stores, name)
            known, log = {one.number: one for one in life.registry.versions()}, life.log.all()
            if number not in known:
                have = ", ".join(map(str, sorted(known))) or "none"
                raise DecisionError(f"{name} has no version {number} in {source.name}; there are: {have}")
            version = known[number]
            _require_proven(version, log, source.name)
            parcel = pack(stores.tracking, version, folder)
            about = log[log["version"] == number]
            evidence = parcel.evidence / EVIDENCE
            evidence.mkdir(exist_ok=True)
            if (pages := parcel.evidence / "decisions").exists():
                pages.rename(evidence / pages.name)  # the new run gets those of its own environment
            (evidence / "decisions.json").write_text(
                about.to_json(orient="records", date_format="iso", indent=2), encoding="utf-8"
            )
            tables = stores.tables
            if tables.exists([name, MODEL_VERSION]) and tables.exists([name, BACKTEST]):
                latest = tables.read([name, MODEL_VERSION], columns=["version"])["version"].iloc[0]
                if latest == number:  # the table has the backtest of the latest version only
                    tables.read([name, BACKTEST]).to_parquet(evidence / "backtest.parquet", index=False)
            judged = about.loc[(about["kind"] == "gate") & (about["rules"] != ""), "rules"]
            return Sent(parcel, "" if judged.empty else str(judged.iloc[-1]), _places(settings, stores))


def receive(
    spec: ForecastSpec,
    settings: Settings,
    sent: Sent,
    origin: str,
    by: str,
    reason: str,
    listen: Listener = lambda _: None,
) -> Promoted:
    """Take a version over and let the gate judge it on the observations that are stored here.

    What a killed process has left half done is completed; done again, the same version is judged no second time. Who
    does the same on another machine meanwhile is waited for.

    Args:
        spec: the forecast, as it is declared here.
        settings: of this environment.
        sent: what comes.
        origin: name of the environment that it comes from.
        by: who takes it over.
        reason: why.
        listen: is told if another machine takes it over at the moment.

    Raises:
        UnprovenError: who takes it over has to show a key, and has not.
        UsageError: it is the same environment, or the version cannot do what is asked for here.
        DataError: nothing is stored here to judge it by.
    """
    spec, parcel = in_force(spec, settings), sent.parcel
    with open_stores(settings) as stores:
        who = stores.approvers.by_key(by, settings.key)
        _require_other(sent.places, _places(settings, stores), origin)
        state = parcel.state()
        task = Task.from_dict(state["task"])
        if found := differences(task, parcel.version, spec):
            raise UsageError(
                f"version {parcel.version.number} of {spec.name} in {origin} cannot do what {spec.file} asks for: "
                f"{'; '.join(found)}. Make the two specs agree, or train here: mlops-assets run {spec.name} --retrain"
            )
        require_present(stores.tables, spec)
        observations, until = _observed(spec, stores)
        _require_history(spec, Histories(Graph(spec), stores.engine, observations), until)
        life = Lifecycle.of(stores, spec.name)
        life.settle()
        tags = {"promoted_from": origin, "promoted_version": str(parcel.version.number), "stage": "Staging"}
        place = f"{platform.node()} {settings.data_folder}"
        claims = Registrations(stores.tables, spec.name)
        with claims.turn(parcel.sha256, place, lambda other: listen(_waiting(origin, parcel.version, other))):
            version = unpack(stores.tracking, parcel, tags, highest(life.log.all()))
            if version.run_id == parcel.version.run_id:
                raise UsageError(f"{origin} has the same MLflow, or a copy of it, whose version {version.number} it is")
            keep(stores.models, spec.name, version, state, parcel.metrics)
            words = f"{reason} (version {parcel.version.number} of {origin}, sha256 {parcel.sha256})"
            taken, _ = life.take_over(version, who.name, words, origin, sent.rules, who.proof)
            mine = life.log.all()
            mine = mine[(mine["version"] == version.number) & (mine["number"] > taken) & (mine["kind"] != "loss")]
            if len(mine):
                number, entry = entry_of(mine.iloc[-1])
            else:
                number, entry = _judged(spec, stores, life, version, task, observations, until)
            _tell(spec, stores, life, number, entry)
    remarks = []
    if version.tags.get("spec_hash") != spec.fingerprint():
        remarks.append("it was trained by another spec than the one here, so the next round trains a version by that")
    return Promoted(taken, number, entry, parcel.sha256, remarks)


def differences(task: Task, version: Version, spec: ForecastSpec) -> list[str]:
    """Return in words why a model cannot do what a spec asks for; nothing where it can.

    Args:
        task: of the model.
        version: the model's; its tags say what it has learnt from.
        spec: the forecast.
    """
    wanted, found = spec.task, []
    if task.frequency != wanted.frequency:
        found.append(f"frequency {task.frequency}, and {wanted.frequency} here")
    if task.horizon < wanted.horizon:
        found.append(f"horizon {task.horizon}, and {wanted.horizon} here")
    for kind, needs, has in (
        ("known", task.known, wanted.known),
        ("past", task.past, (*wanted.past, *wanted.known)),
        ("static", task.static, wanted.static),
    ):
        if lacking := sorted({*needs} - {*has}):
            found.append(f"it needs {kind} covariates that are not declared here: {', '.join(lacking)}")
    learnt = version.tags.get(TAG)
    alike = ("frequency", "covariates.")
    other = other_values(from_text(learnt), meaning_of(spec)) if learnt else ()
    return found + [str(one) for one in other if not one.field.startswith(alike)]


def _judged(
    spec: ForecastSpec,
    stores: Stores,
    life: Lifecycle,
    version: Version,
    task: Task,
    observations: StoredTable,
    until: pd.Timestamp,
) -> tuple[int, Entry]:
    """Backtest a version on what is stored here, and let the gate decide."""
    tables, histories = stores.tables, Histories(Graph(spec), stores.engine, observations)
    fitting = Fitting(replace(spec.task, model=task.model))
    made = backtest(spec, life, histories, until, fitting, version)
    tables.write_batches([spec.name, BACKTEST], made.batches)
    tables.write([spec.name, MODEL_VERSION], row_of(spec.name, version))
    rivals = judge.Rivals(StoredTable(tables, [spec.name, BACKTEST]), histories)
    opinion = judge.Judge(spec, life, version, rivals, judge.required_of(spec))
    origin = version.tags.get("promoted_from", "")
    facts = {"trigger": f"promoted from {origin}" if origin else "promoted", "cpu_seconds": version.fit_seconds or None}
    return life.decide(version, opinion, facts)


def _waiting(origin: str, version: Version, other: str) -> Step:
    """Return what is said while another machine takes the same version over."""
    words = f"version {version.number} of {origin} is being taken over on {other}: waiting until that has ended"
    return Step("", "waiting", "warning", message=f"{words}, {_MINUTES} minutes at most where it was killed")


def _tell(spec: ForecastSpec, stores: Stores, life: Lifecycle, number: int, entry: Entry) -> None:
    """Write down who is champion now, and tell people of a version that is refused or waits for them."""
    row = judge.row_of(spec.name, life.champion(), number, entry, naive_utc(stores.clock.now()))
    stores.tables.write([spec.name, CHAMPION], row)
    link = life.registry.link(entry.version) if stores.tracking.ui else ""
    alert = decided(spec.name, number, entry, link, stores.notifications)
    if alert is not None:
        stores.notifications.send(stores.tables, alert)


def _require_proven(version: Version, log: pd.DataFrame, where: str) -> None:
    about = log[log["version"] == version.number]
    last = "" if about.empty else str(about["outcome"].iloc[-1])
    why = f"it was {last} there" if last in _UNPROVEN else "it has not been judged there" if not last else ""
    away = decisions.rolled_back(log, version.tags.get("data_version", ""), version.tags.get("spec_hash", ""))
    if not why and away:
        why = f"it was rolled back there {away}"
    if why:
        raise DecisionError(f"version {version.number} of {version.name} has not proven itself in {where}: {why}")


def _require_other(theirs: Mapping[str, str], ours: Mapping[str, str], origin: str) -> None:
    if shared := [what for what, place in ours.items() if place == theirs[what]]:
        raise UsageError(
            f"{origin} and the environment that it is promoted to keep {' and '.join(shared)} in the same place: "
            "that is one environment, in which versions are approved; nothing can be taken over"
        )


def _places(settings: Settings, stores: Stores) -> dict[str, str]:
    """Return where an environment keeps things: equal texts mean the same place. Not to be shown."""
    from sqlalchemy.engine import make_url

    def bare(address: str) -> str:
        url = make_url(address)
        if url.drivername.startswith("sqlite"):
            return f"sqlite {Path(url.database or '').resolve()}"
        return str(url.set(username=None, password=None, drivername=url.get_backend_name()))

    bucket = [str(settings.object_storage), *(os.environ.get(name, "") for name in _OF_BUCKETS)]
    folder, secret = str(settings.data_folder), settings.database_url
    tables = {"files": folder, "sql": bare(secret.get_secret_value()) if secret else "", "object_storage": str(bucket)}
    models = {"files": folder, "object_storage": str(bucket)}
    tracking = stores.tracking.address
    return {
        "tables": f"{settings.table_place} {tables.get(settings.table_place, _MEMORY)}",
        "models": f"{settings.model_place} {models.get(settings.model_place, _MEMORY)}",
        "MLflow's versions": tracking.rstrip("/") if tracking.startswith("http") else bare(tracking),
    }


def _observed(spec: ForecastSpec, stores: Stores) -> tuple[StoredTable, pd.Timestamp]:
    """Return the observations that count, and the last timestamp at which a target was observed."""
    key = [spec.name, OBSERVATIONS]
    last = latest_complete(spec, stores.clock.now())
    keys = [one for one in stores.tables.partitions(key) if last is None or one <= last]
    for one in reversed(keys):
        rows = stores.tables.read(key, partitions=[one], columns=["timestamp", "target"]).dropna()
        if len(rows):
            return StoredTable(stores.tables, key, keys), rows["timestamp"].max()
    raise DataError(
        f"{spec.name} has no observations in the environment that it is promoted to, so nothing can be judged there: "
        f"mlops-assets ingest {spec.name} reads them"
    )


def _require_history(spec: ForecastSpec, histories: Histories, until: pd.Timestamp) -> None:
    """Raise DataError where the gate could not judge: before anything is registered or written down."""
    first = histories.first_observed()
    try:
        origins_between(first, until, spec.task, spec.backtest.windows, spec.backtest.step)
    except DataError as error:
        raise DataError(
            f"{spec.name} has too little history in the environment that it is promoted to: {error.message}; "
            f"mlops-assets ingest {spec.name} --partition FIRST...LAST reads earlier partitions"
        ) from None


def as_json(name: str, origin: str, target: str, source_version: int, made: Promoted) -> dict[str, Any]:
    """Return what became of a version as JSON values."""
    told = ("outcome", "version", "champion_before", "champion_after", "decided_by", "reason")
    entry = asdict(made.decision)
    ways = {"forecast": name, "from": origin, "to": target, "source_version": source_version, "sha256": made.sha256}
    numbers = {"taken_over": made.taken, "decision": made.number}
    return json.loads(json.dumps({**ways, **numbers, **{one: entry[one] for one in told}, "remarks": [*made.remarks]}))
