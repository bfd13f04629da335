"""Every asset and table of a forecast, once: its name, what it holds, the jobs that make it, where it is shown.

A new asset is a row here and a file in `assets/`: jobs, graph, status, report and certification follow from the row.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mlops_assets.forecasting.model.regressors import is_forest
from mlops_assets.spec import ForecastSpec

SOURCE = "source"
OBSERVATIONS = "observations"
QUARANTINE = "quarantine"
FUTURE_COVARIATES = "future_covariates"
FORECASTS = "forecasts"
EXTERNAL_JOBS = "external_jobs"
EXTERNAL_FORECASTS = "external_forecasts"
RECONCILED_FORECASTS = "reconciled_forecasts"
FORECAST_ACCURACY = "forecast_accuracy"
DATA_DRIFT = "data_drift"
ANOMALIES = "anomalies"
FORECAST_CHANGE = "forecast_change"
REPORT = "report"
TRAINING_SET = "training_set"
RANDOM_FOREST = "random_forest"
MODEL = "model"
BACKTEST = "backtest"
MODEL_VERSION = "model_version"
CHAMPION = "champion"
MODEL_VERSIONS = "model_versions"
MODEL_CODE = "model_code"
ACCURACY_SCORES = "accuracy_scores"
DECISIONS = "decisions"
RETRAINING_DECISIONS = "retraining_decisions"
RETRAINING_LAUNCHES = "retraining_launches"
REGISTRATIONS = "registrations"
REGISTRY_CALLS = "registry_calls"
ALERTS = "alerts"
MEANINGS = "meanings"
ENDINGS = "endings"
REVISIONS = "revisions"
RETENTION = "retention"
SPENDING = "spending"
LATEST_FACTS = "latest_facts"
ADJUSTMENTS = "adjustments"
PUBLISHED_FORECASTS = "published_forecasts"
SPEC = "spec"
"""Stands for a forecast whose spec cannot be used."""

DAILY, RESCORE, RETRAIN, DECIDE, COLLECT = "daily", "rescore", "retrain", "decide", "collect"
"""The jobs: the round of a partition, what is scored again, the training, the decision on a version, and fetching what
an external service has made."""

INGEST, CHECKS = "ingest", "checks"
"""The step that makes observations and quarantine together, and the one that asks all checks."""

Kind = Literal["source", "table", "page", "model", "log"]


@dataclass(frozen=True)
class CatalogEntry:
    """What a forecast stores under one name.

    Attributes:
        name: the last part of its key `<forecast>/<name>`.
        kind: `source`: of the rows, which is looked at, and nothing of it stored; `table`; `page`: a table of pages on
            all the others; `model`: in the store of models; `log`: a table of what was decided and told, which no
            asset is.
        jobs: that make it.
        partitioned: by the forecast's partitions.
        shown: in the status and the report.
        step: that makes it, where one makes several assets.
        needed: whether a spec has it.
    """

    name: str
    kind: Kind = "table"
    jobs: tuple[str, ...] = ()
    partitioned: bool = False
    shown: bool = True
    step: str = ""
    needed: Callable[[ForecastSpec], bool] = lambda spec: True


ENTRIES = (
    CatalogEntry(SOURCE, kind="source", shown=False),
    CatalogEntry(OBSERVATIONS, jobs=(DAILY, RESCORE), partitioned=True, step=INGEST),
    CatalogEntry(QUARANTINE, jobs=(DAILY, RESCORE), partitioned=True, step=INGEST, shown=False),
    CatalogEntry(
        FUTURE_COVARIATES, jobs=(DAILY,), partitioned=True, needed=lambda spec: bool(spec.covariates.all_known)
    ),
    CatalogEntry(FORECASTS, jobs=(DAILY,), partitioned=True),
    CatalogEntry(EXTERNAL_JOBS, jobs=(DAILY,), partitioned=True, needed=lambda spec: spec.external is not None),
    CatalogEntry(RECONCILED_FORECASTS, jobs=(DAILY,), partitioned=True, needed=lambda spec: spec.hierarchy is not None),
    CatalogEntry(FORECAST_ACCURACY, jobs=(DAILY, RESCORE), partitioned=True),
    CatalogEntry(DATA_DRIFT, jobs=(DAILY,), partitioned=True),
    CatalogEntry(ANOMALIES, jobs=(DAILY, RESCORE), partitioned=True),
    CatalogEntry(FORECAST_CHANGE, jobs=(DAILY,), partitioned=True),
    CatalogEntry(REPORT, kind="page", jobs=(DAILY,), partitioned=True),
    CatalogEntry(TRAINING_SET, jobs=(RETRAIN,)),
    CatalogEntry(
        RANDOM_FOREST, kind="model", jobs=(RETRAIN,), shown=False, needed=lambda spec: is_forest(spec.model.kind)
    ),
    CatalogEntry(MODEL, kind="model", jobs=(RETRAIN,), shown=False, needed=lambda spec: not is_forest(spec.model.kind)),
    CatalogEntry(BACKTEST, jobs=(RETRAIN,)),
    CatalogEntry(MODEL_VERSION, jobs=(RETRAIN,)),
    CatalogEntry(CHAMPION, jobs=(RETRAIN, DECIDE)),
    CatalogEntry(ACCURACY_SCORES, kind="log"),
    CatalogEntry(EXTERNAL_FORECASTS, kind="log", needed=lambda spec: spec.external is not None),
    CatalogEntry(DECISIONS, kind="log"),
    CatalogEntry(ALERTS, kind="log"),
    CatalogEntry(MEANINGS, kind="log"),
    CatalogEntry(REVISIONS, kind="log", shown=False),
    CatalogEntry(RETENTION, kind="log", shown=False),
    CatalogEntry(RETRAINING_DECISIONS, kind="log"),
    CatalogEntry(RETRAINING_LAUNCHES, kind="log"),
    CatalogEntry(REGISTRATIONS, kind="log", shown=False),
    CatalogEntry(REGISTRY_CALLS, kind="log", shown=False),
    CatalogEntry(ENDINGS, kind="log"),
    CatalogEntry(SPENDING, kind="log"),
    CatalogEntry(LATEST_FACTS, kind="log", shown=False),
    CatalogEntry(ADJUSTMENTS, kind="log"),
    CatalogEntry(PUBLISHED_FORECASTS, kind="log", shown=False),
)
"""In the order in which they are shown."""
NO_TABLES = ("source", "model")
"""Kinds that no table is kept of."""


def assets_of(spec: ForecastSpec, job: str | None = None) -> list[CatalogEntry]:
    """Return the assets of a forecast, all or those that one of its jobs makes."""
    return [one for one in ENTRIES if one.kind != "log" and one.needed(spec) and (job is None or job in one.jobs)]


def model_asset(spec: ForecastSpec) -> str:
    """Return the name of the asset that is the fitted model: that of release 0.1.0 where it is a forest."""
    return RANDOM_FOREST if is_forest(spec.model.kind) else MODEL


def tables_of(spec: ForecastSpec) -> list[str]:
    """Return the names of all tables of a forecast, logs included."""
    return [one.name for one in ENTRIES if one.kind not in NO_TABLES and one.needed(spec)]


def job_name(spec: ForecastSpec, job: str) -> str:
    """Return the name of one of a forecast's jobs: `<forecast>_retrain`, ...; the round has that of its partitions.

    It is `<forecast>_hourly`, `<forecast>_daily`, `<forecast>_weekly`, ...
    """
    return f"{spec.name}_{spec.partition_kind if job == DAILY else job}"


def job_names(spec: ForecastSpec, job: str) -> list[str]:
    """Return the names that runs of a job have: its own, and that of release 0.1.0 where it was another.

    There, each round was called `<forecast>_daily`.
    """
    return list(dict.fromkeys([job_name(spec, job), f"{spec.name}_{job}"]))


def schedule_name(job: str) -> str:
    """Return the name of the schedule of a job."""
    return f"{job}_schedule"


def step_name(forecast: str, step: str) -> str:
    """Return the name of the step that makes an asset, `<forecast>__<asset>`, where Dagster takes its config."""
    return f"{forecast}__{step}"


def step_of(step_key: str | None) -> str:
    """Return a step's name without the forecast's: of `demo__training_set`, `training_set`."""
    return (step_key or "").rpartition("__")[2]


def asset_of(step_key: str | None) -> str:
    """Return which asset a step makes; if several, the first."""
    step = step_of(step_key)
    return next((one.name for one in ENTRIES if one.step == step), step)
