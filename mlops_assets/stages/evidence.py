"""What the retraining policy looks at, read from tables, registry and runs; and the log of what it said."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import window_of
from mlops_assets.forecasting.decisions.policy import Answer, Champion, Evidence, as_row
from mlops_assets.forecasting.evaluation.ledger import summary
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.lifecycle.launches import Launches
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.tracking import Tracking

NEEDED = ["item_id", "timestamp", "origin", "lead", "target", "mean", "naive", "mase_scale", "rmsse_scale"]
NEEDED += ["model_version", "in_sample"]
_LOG_TYPES = {
    "number": "int64",
    "champion": "int64",
    "attempt": "int64",
    "value": "float64",
    "level": "float64",
    "at": "datetime64[us]",
}


def gather(
    spec: ForecastSpec, tables: Tables, tracking: Tracking, clock: Clock, instance: dg.DagsterInstance
) -> Evidence:
    """Collect what there is to judge at the present moment.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    life = Lifecycle(tables, tracking, clock, spec.name)
    version = life.champion()
    champion = None
    if version is not None and version.trained_until is not None:
        champion = Champion(version.number, version.trained_until, life.registry.metrics(version))
    stored = tables.partitions([spec.name, "observations"])
    windows = Graph(spec).partitions
    launches = Launches(tables, spec.name).results(life.log.all(), instance)
    return Evidence(
        champion=champion,
        stored=stored,
        until=window_of(windows, stored[-1]).end if stored else None,
        accuracy=accuracy_history(tables, spec, champion),
        log=answers(tables, spec.name),
        launches=launches,
        drift=drift_history(tables, spec.name) if spec.retraining.drift is not None else None,
        new_rows=new_rows(tables, spec, champion, stored) if spec.retraining.new_rows is not None else None,
    )


def accuracy_history(tables: Tables, spec: ForecastSpec, champion: Champion | None = None) -> pd.DataFrame:
    """Return the scores of each partition of `forecast_accuracy` and model version, oldest first.

    Args:
        tables: where the accuracy is stored.
        spec: the forecast.
        champion: only as many of the latest partitions as the policy's window needs of this one; None: all, of all.

    Returns:
        Columns partition, model_version, origin (the latest), rows and the scores of `accuracy.summary`. Forecasts
        whose model had seen the actuals do not count.
    """
    key = [spec.name, "forecast_accuracy"]
    found: list[dict[str, Any]] = []
    enough = spec.retraining.window + 1  # one more tells whether a breach goes on
    for partition in sorted(tables.partitions(key), reverse=True):
        if champion is not None and (partition < _seen(champion) or enough == 0):
            break
        rows = tables.read(key, partitions=[partition], columns=[*NEEDED, *spec.task.quantile_columns])
        for version, own in rows[~rows["in_sample"].astype(bool)].groupby("model_version"):
            scores = {"origin": own["origin"].max(), **summary(own, spec.task)}
            found.append({"partition": partition, "model_version": int(str(version)), **scores})
            enough -= champion is not None and champion.version == version
    if not found:
        return pd.DataFrame(columns=["partition", "model_version", "rows", spec.retraining.metric])
    return pd.DataFrame(found).sort_values(["partition", "model_version"], ignore_index=True)


def _seen(champion: Champion) -> str:
    return f"{champion.trained_until:%Y-%m-%d}"


def new_rows(tables: Tables, spec: ForecastSpec, champion: Champion | None, stored: Sequence[str]) -> int:
    """Return how many observations came after the champion's training."""
    later = [key for key in stored if champion is not None and key >= _seen(champion)]
    if champion is None or not later:
        return 0
    rows = tables.read([spec.name, "observations"], partitions=later, columns=["timestamp"])
    return int((rows["timestamp"] > champion.trained_until).sum())


def drift_history(tables: Tables, name: str) -> pd.DataFrame | None:
    """Return the largest drift of each partition of `data_drift` (partition, drift); None if nobody has measured it."""
    key = [name, "data_drift"]
    if not tables.exists(key):
        return None
    largest = tables.read(key, columns=["partition", "drift"]).groupby("partition")["drift"].max()
    return pd.DataFrame({"partition": largest.index, "drift": largest.to_numpy()})


def answers(tables: Tables, name: str) -> pd.DataFrame:
    """Return what the policy has said, oldest first: the table `<name>/retraining_decisions`."""
    key = [name, "retraining_decisions"]
    if not tables.exists(key):
        return pd.DataFrame(columns=["number", "partition", "champion", "action", "rule", "breach", "level", "state"])
    return tables.read(key).sort_values("number", ignore_index=True)


def write_answer(
    tables: Tables, name: str, number: int, answer: Answer, evidence: Evidence, state: str, clock: Clock
) -> bool:
    """Append an answer to the log; False if somebody else has written this row meanwhile.

    Args:
        tables: where the log is; its partitions are numbered, so that of writers at the same time one succeeds.
        name: of the forecast.
        number: of the row: one more than there were before anything was looked at.
        answer: what the policy said.
        evidence: on which grounds.
        state: what `state_of` said before.
        clock: the present moment.
    """
    row = {
        "number": number,
        "at": naive_utc(clock.now()),
        **as_row(answer, evidence.champion),
        "until": max(evidence.stored, default=""),
        "state": state,
    }
    frame = pd.DataFrame([row]).astype(_LOG_TYPES)
    return tables.create([name, "retraining_decisions"], frame, f"{number:06d}")


def state_of(spec: ForecastSpec, tables: Tables, instance: dg.DagsterInstance) -> str:
    """Return, cheaply, all on which an answer can depend: as long as it is the same there is nothing new to judge."""
    name = spec.name
    latest = [
        max(tables.partitions([name, table]), default="")
        for table in ("forecast_accuracy", "observations", "data_drift")
    ]
    decisions = Decisions(tables, name).all()
    results = Launches(tables, name).results(decisions, instance)["result"]
    rules = spec.retraining.model_dump_json()
    return "|".join([*latest, str(len(decisions)), *results, rules])
