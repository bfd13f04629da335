"""A training of a simulated forecast: the stages from the training set to the gate's decision, without Dagster."""

import logging
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.alerts.messages import decided
from mlops_assets.catalog.names import BACKTEST, MODEL_VERSION, OBSERVATIONS, TRAINING_SET, model_asset
from mlops_assets.catalog.partitions import latest_complete
from mlops_assets.catalog.run_tags import becomes_of
from mlops_assets.forecasting.model import kinds
from mlops_assets.lifecycle.claims import Registrations
from mlops_assets.lifecycle.decisions import Decisions, Entry, highest
from mlops_assets.lifecycle.launches import Launch, Launches
from mlops_assets.lifecycle.meanings import require_present
from mlops_assets.lifecycle.versions import keep
from mlops_assets.resources.stored import StoredTable
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.stages import backtest, judge, register, train
from mlops_assets.stages.shards import learning
from mlops_assets.stages.shards.history import Histories

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Step:
    """What registering asks of the step that does it; see `tracking.runs.Step`."""

    run: dg.DagsterRun
    instance: dg.DagsterInstance
    log: Any = _LOG


def claim(forecast: Forecast, run: dg.DagsterRun) -> bool:
    """Claim a retraining for its run, as the asset `training_set` does; return whether it is this run's."""
    tables, name = forecast.stores.tables, forecast.spec.name
    launch = Launch.of(run, max(tables.partitions([name, OBSERVATIONS])))
    return launch is None or not Launches(tables, name).claim(launch, forecast.instance)


def train_and_judge(forecast: Forecast, run: dg.DagsterRun, until: str = "") -> tuple[int, Entry]:
    """Train, backtest, register and judge, each as its asset does; return the decision with its number.

    Args:
        forecast: whose.
        run: says why.
        until: key of the last partition to learn from; empty: the latest complete one.

    Raises:
        DataError: there is too little to learn from.
    """
    spec, graph, stores, life = forecast.spec, forecast.graph, forecast.stores, forecast.life
    tables, name = stores.tables, spec.name
    require_present(tables, spec)
    last = until or latest_complete(spec, stores.clock.now())
    histories = Histories(graph, stores.engine, forecast.observations(last or ""))
    task = train.task_of(run, spec)
    rows = learning.training_set(graph, histories, last, task).rows
    forecast.write(TRAINING_SET, rows)
    fitting = train.fitting_of(run, life, spec, task, _LOG)
    model, facts = train.fit(rows, fitting)
    state = {"forecaster": kinds.state_of(model), "facts": facts}
    stores.models.save([name, model_asset(spec)], state)
    learnt = pd.Timestamp(rows["timestamp"].max())
    tables.write_batches([name, BACKTEST], backtest.backtest(spec, life, histories, learnt, fitting).batches)
    tested = StoredTable(tables, [name, BACKTEST])
    largest = register.largest(histories, learnt)
    training = register.Training(
        spec,
        largest,
        rows.head(register.ROWS),
        register.with_right_intervals(spec, state, tested),
        register.Summary.of(backtest.rows_by_item(tested, spec.task), spec.task, {*largest["item_id"]}),
    )
    before = highest(Decisions(tables, name).all())
    claims, step = Registrations(tables, name), Step(run, forecast.instance)
    version, _ = register.register(training, stores.tracking, claims, step, before)
    keep(stores.models, name, version, training.model["forecaster"])
    forecast.write(MODEL_VERSION, register.row_of(name, version))
    rivals, require = judge.Rivals(tested, histories), judge.required(spec, run)
    opinion = judge.Judge(spec, life, version, rivals, require, becomes_of(run))
    number, entry = life.decide(version, opinion, judge.trigger(run, version))
    if (alert := decided(name, number, entry, "", stores.notifications)) is not None:
        stores.notifications.send(tables, alert)
    return number, entry
