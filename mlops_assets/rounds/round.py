"""What a round of a forecast does: ingest what is missing, train if needed, forecast, score, tell what failed."""

import logging
from collections.abc import Sequence
from datetime import datetime, timezone

import dagster as dg

from mlops_assets.alerts.failures import FIRST_SPAN, first_line, tell_failures
from mlops_assets.alerts.overdue import tell_decision, tell_lost
from mlops_assets.catalog.asset_graph import asset_keys
from mlops_assets.catalog.declared import in_force
from mlops_assets.catalog.names import (
    DAILY,
    INGEST,
    OBSERVATIONS,
    REPORT,
    RESCORE,
    RETRAIN,
    TRAINING_SET,
    assets_of,
    job_name,
    step_name,
)
from mlops_assets.catalog.partitions import (
    before,
    complete_from,
    complete_keys,
    holding,
    partitions_of,
    ranges,
    window_of,
    with_steps,
)
from mlops_assets.catalog.run_tags import COMMAND, REASON
from mlops_assets.definitions import assemble, build_environment
from mlops_assets.environments import Stores, open_stores
from mlops_assets.errors import NotYetError, UsageError
from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.lifecycle.decisions import Decisions, waiting
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import champion_failed
from mlops_assets.lifecycle.meanings import changed_since_training, require_present
from mlops_assets.lifecycle.retention import Retained, scorable
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.rounds.external import take_a_look
from mlops_assets.rounds.history import first_missing, spans
from mlops_assets.rounds.outcome import Outcome, outcome_of
from mlops_assets.rounds.plan import Ahead, announce, steps_of
from mlops_assets.rounds.processes import end_dead_runs
from mlops_assets.rounds.runner import Listener, RunFailedError, Runner, Step
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.holes import LONGEST_GAP, unforecast
from mlops_assets.stages.rescore import judged, old_scores, reread_keys
from mlops_assets.tracking.errors import TrackingError

RANGE = "..."
log = logging.getLogger(__name__)


def resolve_partitions(spec: ForecastSpec, partition: str | None, settings: Settings) -> list[str]:
    """Return the keys that `--partition` names: one, or all of `FIRST...LAST`; by default the latest complete one.

    Raises:
        UsageError: there is no such partition.
        NotYetError: it has not ended yet.
    """
    now = Clock.of(settings).now()
    keys = complete_keys(spec, now)
    if not keys:
        raise NotYetError(f"{spec.name}: the first partition, from {spec.partitions.start}, has not ended yet")
    if partition is None:
        return keys[-1:]
    first, _, last = partition.partition(RANGE)
    for key in (first, last or first):
        if key not in keys:
            _require_over(spec, key, now)
            raise UsageError(
                f"{spec.name} has no partition {key!r}; they run from {keys[0]} to {keys[-1]}"
                f"{_without_steps(spec, key)}",
                advice=[f"mlops-assets run {spec.name} --partition {keys[-1]}"],
            )
    start, stop = keys.index(first), keys.index(last or first)
    if stop < start:
        raise UsageError(f"{partition}: {last} comes before {first}")
    return keys[start : stop + 1]


def _require_over(spec: ForecastSpec, key: str, now: datetime) -> None:
    """Raise a NotYetError if a partition is one of the forecast's, and only not complete yet."""
    try:
        known = bool(with_steps(spec, [key])) and not (spec.partitions.end and key >= spec.partitions.end)
    except UsageError:
        return
    if known and (complete := complete_from(spec, key)) > now:
        local = complete.astimezone(spec.zone)
        raise NotYetError(f"partition {key} of {spec.name} is complete at {local:%Y-%m-%d %H:%M} ({spec.time_zone})")


def _without_steps(spec: ForecastSpec, key: str) -> str:
    """Say so if a partition holds no timestamp of the grid, as a weekend of business days."""
    try:
        return "" if with_steps(spec, [key]) else f", and {key} holds no timestamp of frequency {spec.frequency}"
    except UsageError:
        return ""


def run_round(
    spec: ForecastSpec,
    keys: list[str],
    settings: Settings,
    instance: dg.DagsterInstance,
    retrain: bool,
    listen: Listener,
    catch_up: bool = False,
) -> Outcome:
    """Run the round of some partitions, and say what it has made.

    History that is not stored yet is ingested first. A model is trained, on data up to the first of the partitions, if
    there is no champion, if the spec has changed since the latest training, or if `retrain` says so. With `catch_up`,
    forecasts are made too from partitions that earlier ticks of the schedule asked for in vain.

    Forecasts are made also where nothing can be trained: by the champion, or by whom `stages.deliver` finds in its
    place. A training that nobody has asked for and that fails is a warning then, and an alert.

    Raises:
        ChangedSpecError: observations are stored that were ingested under another spec; nothing was done.
        NotKeptError: forecasts of the partitions were removed, and are not made again.
        RunFailedError: a Dagster run failed; of a training that `retrain` asked for, after the forecasts were made.
        UndeliveredError: nothing was forecast, for only a champion may.
        TrackingError: MLflow cannot be reached, and a training was asked for or only a champion may forecast.
    """
    # Of this forecast alone: a fault of another is no reason not to run it.
    definitions = assemble([in_force(spec, settings)], build_environment(settings), automated=False)
    with open_stores(settings) as stores:
        require_present(stores.tables, spec)
        Retained(stores.tables, spec).require_ledger(keys)
        gap = first_missing(stores, spec, keys[-1], listen)
        end_dead_runs(instance)
        reason = _why_train(stores, spec, instance, retrain, listen)
        decided = len(Decisions(stores.tables, spec.name).all())
        missed = unforecast(spec, stores.tables, keys[0], stores.clock.now()) if catch_up else []
        every, begin = complete_keys(spec, stores.clock.now()), min(gap or keys[0], keys[0])
        wanted = every[every.index(begin) : every.index(keys[-1]) + 1]
        due = spans(stores.tables, spec, wanted) if gap is not None or reason else []
    rounds = list(ranges([*before(spec, keys[0], LONGEST_GAP), *keys], {*missed, *keys}))
    ingested = [INGEST] if gap is not None or reason else []
    ahead = [Ahead(DAILY, ingested, _count(every, span)) for span in due]
    ahead += [Ahead(RETRAIN, steps_of(spec, RETRAIN))] if reason else []
    ahead += [Ahead(DAILY, steps_of(spec, DAILY, without=ingested), _count(every, span)) for span in rounds]
    announce(spec, ahead, every, instance, listen)
    run = Runner(definitions, instance, listen)
    began, failed, looked = datetime.now(timezone.utc), None, []
    try:
        if gap is None and (earlier := reread_keys(spec, keys[0])):
            run(job_name(spec, RESCORE), keys=[earlier[0], earlier[-1]])
        for first, last in due:
            ingest(run, spec, first, last)
        if reason:
            failed = _try_to_train(run, spec, _until(spec, settings, keys, listen), reason, retrain, listen)
        for span in rounds:
            if gap is not None or reason:
                forecast(run, spec, span)
            else:
                run(job_name(spec, DAILY), keys=span)
        if spec.external is not None:
            with open_stores(settings) as stores:
                looked = take_a_look(spec, stores, instance, listen)
        rescore(run, spec, [*before(spec, keys[0], LONGEST_GAP), *keys], settings)
        if any(one.job.state == "collected" for one in looked):
            run(job_name(spec, DAILY), keys=keys[-1:], selection=[dg.AssetKey([spec.name, REPORT])])
    finally:
        _tell(spec, settings, instance, began)
    if failed is not None:
        raise failed
    with open_stores(settings) as stores:
        return outcome_of(spec, keys, stores, decided)


def _count(keys: Sequence[str], span: Sequence[str]) -> int:
    """Return how many partitions there are from the first of a span to its last."""
    return keys.index(span[-1]) - keys.index(span[0]) + 1


def _why_train(
    stores: Stores, spec: ForecastSpec, instance: dg.DagsterInstance, retrain: bool, listen: Listener
) -> str:
    """Return why to train; empty if nothing is a reason, or MLflow is away: a round delivers without it."""
    try:
        stores.tracking.close_orphans(spec.name, instance)
        return "asked for on the command line" if retrain else why_train(stores, spec)
    except TrackingError as error:
        if retrain or spec.deliver == "champion_only":
            raise
        listen(Step(job_name(spec, RETRAIN), "training", "warning", message=f"left out: {error}"))
        return ""


def _try_to_train(
    run: Runner, spec: ForecastSpec, until: str, reason: str, retrain: bool, listen: Listener
) -> RunFailedError | None:
    """Train; return what is to be raised once the forecasts are made: the failure of a training that was asked for."""
    try:
        train(run, spec, until, reason)
    except RunFailedError as error:
        if retrain:
            return error
        whoever = (
            "the champion" if spec.deliver == "champion_only" else "the champion, an earlier one or seasonal naive"
        )
        words = f"{error.message}. The next round tries again; until then {whoever} forecasts"
        listen(Step(job_name(spec, RETRAIN), "training", "warning", message=words))
    return None


def _until(spec: ForecastSpec, settings: Settings, keys: list[str], listen: Listener) -> str:
    """Return the partition to train up to: the first of the round, or the first that has enough history before it."""
    with open_stores(settings) as stores:
        until = first_trainable(spec, stores.tables, keys)
    if until > keys[0]:
        words = (
            f"data up to {keys[0]} are too few to learn from: trained on data up to {until}. Forecasts of what a model "
            "has seen are marked in_sample, and count in no score"
        )
        listen(Step(job_name(spec, RETRAIN), TRAINING_SET, "warning", message=words))
    return until


def first_trainable(spec: ForecastSpec, tables: Tables, keys: list[str]) -> str:
    """Return the first of some partitions up to which there is enough history for a training and its backtest.

    Args:
        spec: the forecast.
        tables: where the observations are.
        keys: of the partitions, consecutive; where none has enough, the last is returned.
    """
    from mlops_assets.forecasting.evaluation.backtest import steps_needed

    key = [spec.name, OBSERVATIONS]
    first = next((one for one in tables.partitions(key) if tables.row_counts(key, [one])[one]), keys[0])
    begins = window_of(partitions_of(spec), first).start
    enough = steps_after(begins, steps_needed(spec.task, spec.backtest.windows, spec.backtest.step), spec.frequency)[-1]
    return max(keys[0], min(holding(spec, enough), keys[-1]))


def run_ingestion(
    spec: ForecastSpec,
    keys: list[str],
    settings: Settings,
    instance: dg.DagsterInstance,
    allow_shrink: bool,
    listen: Listener,
) -> None:
    """Read some partitions again, or for the first time, and score what that changes; forecasts stay as they are.

    Raises:
        RunFailedError: a Dagster run failed.
    """
    run = Runner(assemble([spec], build_environment(settings), automated=False), instance, listen)
    began = datetime.now(timezone.utc)
    with open_stores(settings) as stores:
        due = spans(stores.tables, spec, keys)
    announce(spec, [Ahead(DAILY, [INGEST], _count(keys, span)) for span in due], keys, instance, listen)
    try:
        for first, last in due:
            ingest(run, spec, first, last, allow_shrink)
        rescore(run, spec, keys, settings)
    finally:
        _tell(spec, settings, instance, began)


def _tell(spec: ForecastSpec, settings: Settings, instance: dg.DagsterInstance, began: datetime) -> None:
    """Tell people what has failed: where no daemon runs, nobody else does."""
    try:
        with open_stores(settings) as stores:
            tell_failures(spec, stores.tables, stores.notifications, instance, began - FIRST_SPAN)
            tell_decision(spec, stores.tables, stores.notifications)
            tell_lost(spec.name, stores.tables, stores.notifications)
            stores.notifications.resend(stores.tables, spec.name)
    except Exception as error:  # the run's own error matters more
        log.warning(
            "alerts of %s could not be told: %s", spec.name, first_line(spec, f"{type(error).__name__}: {error}")
        )


def ingest(
    run: Runner, spec: ForecastSpec, first: str, last: str, allow_shrink: bool = False, command: str = ""
) -> None:
    """Ingest the partitions from `first` to `last`.

    Args:
        run: the runner.
        spec: the forecast.
        first: key of the first partition.
        last: key of the last.
        allow_shrink: whether stored rows may be replaced by fewer.
        command: that asks for it, where only that does it again.
    """
    run(
        job_name(spec, DAILY),
        keys=[first, last],
        selection=[dg.AssetKey([spec.name, one.name]) for one in assets_of(spec, DAILY) if one.step == INGEST],
        config={"ops": {step_name(spec.name, INGEST): {"config": {"allow_shrink": allow_shrink}}}},
        tags={COMMAND: command} if command else {},
    )


def rescore(run: Runner, spec: ForecastSpec, keys: list[str], settings: Settings) -> None:
    """Score those of some partitions again whose observations or forecasts are newer than their scores.

    Those of which forecasts were removed keep the scores that they have.
    """
    keys = scorable(spec, keys, Clock.of(settings).now())
    for first, last in ranges(keys, old_scores(spec, keys, run.instance)):
        run(job_name(spec, RESCORE), keys=[first, last], selection=judged(spec))


def train(run: Runner, spec: ForecastSpec, until: str, reason: str) -> None:
    """Train, judge and register a model on what is stored until a partition."""
    run(
        job_name(spec, RETRAIN),
        selection=asset_keys(spec, RETRAIN),
        config={"ops": {step_name(spec.name, TRAINING_SET): {"config": {"until": until}}}},
        tags={REASON: reason},
    )


def forecast(run: Runner, spec: ForecastSpec, keys: Sequence[str], without: Sequence[str] = ()) -> None:
    """Forecast from consecutive partitions that are ingested, score what they allow, and what else the round makes.

    Args:
        run: the runner.
        spec: the forecast.
        keys: the partitions.
        without: names of assets of the round to leave out.
    """
    names = [one.name for one in assets_of(spec, DAILY) if one.step != INGEST and one.name not in without]
    run(job_name(spec, DAILY), keys=keys, selection=[dg.AssetKey([spec.name, name]) for name in names])


def why_train(stores: Stores, spec: ForecastSpec) -> str:
    """Return why to train first: no champion, none that can forecast, another spec; empty if nothing is a reason."""
    life = Lifecycle.of(stores, spec.name)
    life.repair()
    if life.champion() is None:
        return "there is no champion"
    if champion_failed(stores.tables, spec.name) and not waiting(life.log.all()):
        return "the champion could not make the latest forecasts"
    versions = life.registry.versions()
    return changed_since_training(stores.tables, spec, versions[0]) if versions else "there is no version"
