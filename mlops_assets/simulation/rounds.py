"""The rounds of a simulated forecast: the stages of a day on the world's clock, without Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.alerts import messages
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.names import ANOMALIES, DATA_DRIFT, FORECAST_ACCURACY, FORECASTS, OBSERVATIONS, QUARANTINE
from mlops_assets.catalog.partitions import partition_of, periods, with_steps
from mlops_assets.lifecycle.meanings import Meanings, require_present
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.clock import naive_utc
from mlops_assets.simulation.forecast import Forecast, RefusedRowsError
from mlops_assets.stages import findings, ingest
from mlops_assets.stages.deliver import Deliverer
from mlops_assets.stages.external.asking import plan
from mlops_assets.stages.external.together import with_services
from mlops_assets.stages.predict import ledger_of
from mlops_assets.stages.score import keep_scores
from mlops_assets.stages.shards.accuracy import Accuracy
from mlops_assets.stages.shards.forecasts import Forecasts
from mlops_assets.stages.watching import anomalies, drift


@dataclass
class Taken:
    """What a reading of the source has brought.

    Attributes:
        rows: that were stored, in the canonical columns.
        read: the partitions whose rows are those of the source now.
        quarantined: rows that were set aside.
        revised: rows that were stored anew with another value.
    """

    rows: list[pd.DataFrame] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    quarantined: int = 0
    revised: int = 0


def take(forecast: Forecast, keys: Sequence[str], run_id: str, taken: Taken) -> None:
    """Read consecutive partitions of the source and store them, as the assets `observations` and `quarantine` do.

    Args:
        forecast: whose.
        keys: of the partitions.
        run_id: of the run that does it.
        taken: what it brings is added to this.

    Raises:
        RefusedRowsError: too many rows are rejected.
        SourceError: the source cannot be read.
        ContractError: a column is absent.
    """
    spec, graph, stores = forecast.spec, forecast.graph, forecast.stores
    tables, now = stores.tables, stores.clock.now()
    checked, source = forecast.read(keys)
    intake = ingest.take_in(graph, tables, checked, keys)
    quarantined = ingest.quarantine_of(checked, graph, keys)
    tables.write_all([spec.name, QUARANTINE], {key: quarantined[quarantined["partition"] == key] for key in keys})
    taken.quarantined += len(quarantined)
    if (refused := findings.refused(spec, checked, intake, keys)) is not None:
        alert = findings.refused_alert(spec, *refused, source, run_id, stores.notifications)
        stores.notifications.send(tables, alert)
        raise RefusedRowsError(alert.what)
    Meanings(tables, spec.name).note(spec, now)
    for alert in findings.alerts_of(spec, intake, source, run_id, stores.notifications):
        stores.notifications.send(tables, alert)
    partitions = partition_of(intake.rows["timestamp"], graph.partitions, keys)
    if keys[-1] not in set(partitions) | set(intake.untouched) and with_steps(spec, keys[-1:]):
        stores.notifications.send(tables, messages.empty(spec.name, keys[-1], source, stores.notifications))
    replaced = [key for key in keys if key not in intake.untouched]
    found = Revisions(graph, tables).settle(OBSERVATIONS, intake.rows, replaced, naive_utc(now))
    parts = partition_of(found.rows["timestamp"], graph.partitions, keys)
    tables.write_all([spec.name, OBSERVATIONS], {k: found.rows[parts == k] for k in replaced}, **graph.observed)
    taken.rows.append(found.rows)
    taken.read.update(replaced)
    taken.revised += len(found.superseded)


def fill(forecast: Forecast, key: str, taken: Taken) -> None:
    """Read the partitions before one again that were never read, or in vain, as a round does before its own."""
    stores, spec = forecast.stores, forecast.spec
    filled = ingest.fill(forecast.graph, stores.tables, stores.clock, key)
    if came := [one for one, rows in filled.items() if rows]:
        taken.rows.append(stores.tables.read([spec.name, OBSERVATIONS], came))
    taken.read.update(filled)


def predict(forecast: Forecast, key: str, run_id: str) -> pd.DataFrame:
    """Forecast from a partition and store that in the ledger, as the asset `forecasts` does; return its rows."""
    spec, graph, stores = forecast.spec, forecast.graph, forecast.stores
    now = stores.clock.now()
    observations = forecast.observations(key, reach_of(spec) + 1)
    require_present(stores.tables, spec, observations.partitions)
    make = Forecasts(graph, stores.engine, observations, None, [key])
    made = Deliverer(graph, forecast.life, now)([key], make)[key]
    rows = pd.concat((ledger_of(rows, run_id, naive_utc(now)) for rows in made.batches), ignore_index=True)
    if spec.external is not None:
        rows = with_services(graph, stores.tables, [key], rows, now, run_id)
    (rows,) = Publisher(stores.tables, spec).passing([rows], [key], naive_utc(now))
    forecast.write(FORECASTS, rows, key, partition_expr="origin", allow_new_columns=True)
    if spec.external is not None:
        stores.jobs.ledger.intend(*plan(graph, stores.jobs, stores.tables, [key], now, f"run {run_id}"))
    return rows


def score(forecast: Forecast, keys: Sequence[str]) -> None:
    """Score forecasts of some partitions, as the asset `forecast_accuracy` does."""
    spec, graph, stores = forecast.spec, forecast.graph, forecast.stores
    reach = periods(spec, spec.horizon) + 1
    for key in keys:
        ledger = forecast.stored(FORECASTS, key, reach)
        if not ledger.partitions:
            continue
        found = Accuracy(graph, stores.engine, forecast.observations(key, 1), ledger, [key], scores_only=True)
        scores = {partition: one.scores() for partition, one in found.partitions.items()}
        keep_scores(stores.tables, spec, scores, naive_utc(stores.clock.now()))
        rows = pd.concat(found.batches, ignore_index=True)
        forecast.write(FORECAST_ACCURACY, rows, key, partition_expr="timestamp", allow_new_columns=True)


def watch(forecast: Forecast, key: str) -> None:
    """Look at a partition's data, as the assets `anomalies` and, where a policy goes by it, `data_drift` do."""
    spec, stores = forecast.spec, forecast.stores
    observations = forecast.observations(key, reach_of(spec) + 1)
    ledger = forecast.stored(FORECASTS, key, periods(spec, spec.horizon) + 1)
    found = anomalies.detect(forecast.graph, stores.engine, observations, ledger, [key])[key]
    forecast.write(ANOMALIES, found, key)
    if words := anomalies.sentence(found):
        stores.notifications.send(stores.tables, messages.anomalies(spec.name, key, words, stores.notifications))
    if any(rules.drift is not None for rules in spec.rules_of_retraining):
        forecast.write(
            DATA_DRIFT, drift.detect(forecast.graph, stores.tables, forecast.observations(key), [key]).table(), key
        )
