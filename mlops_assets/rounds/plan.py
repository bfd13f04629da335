"""What a round is going to run, said before it begins, and how long each step takes, about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from mlops_assets.catalog.names import (
    ANOMALIES,
    BACKTEST,
    CHAMPION,
    DATA_DRIFT,
    FORECAST_ACCURACY,
    FORECAST_CHANGE,
    FORECASTS,
    INGEST,
    MODEL,
    MODEL_VERSION,
    RANDOM_FOREST,
    REPORT,
    TRAINING_SET,
    assets_of,
    job_name,
    job_names,
)
from mlops_assets.catalog.run_tags import partition_of
from mlops_assets.rounds.runner import Listener, Step
from mlops_assets.spec import ForecastSpec

USUAL = {
    INGEST: (0.5, 0.01),
    TRAINING_SET: (1.0, 0.0),
    RANDOM_FOREST: (5.0, 0.0),
    MODEL: (5.0, 0.0),
    BACKTEST: (4.5, 0.0),
    MODEL_VERSION: (4.0, 0.0),
    CHAMPION: (1.0, 0.0),
    DATA_DRIFT: (0.5, 0.03),
    FORECASTS: (0.8, 0.05),
    ANOMALIES: (0.2, 0.02),
    FORECAST_ACCURACY: (0.4, 0.16),
    FORECAST_CHANGE: (0.3, 0.03),
    REPORT: (1.5, 0.0),
}
"""Seconds that a step takes, and more of them for each partition: of the example, on two cores."""
_OTHERS = (0.5, 0.05)


@dataclass(frozen=True)
class Ahead:
    """A run of a job that a round is going to make.

    Attributes:
        job: `names.DAILY`, ...
        steps: of the job, in no order.
        partitions: how many.
    """

    job: str
    steps: Sequence[str]
    partitions: int = 1

    @property
    def usual(self) -> float:
        """Seconds that it takes, usually."""
        return sum(_usual(step, self.partitions) for step in self.steps)


def steps_of(spec: ForecastSpec, job: str, without: Iterable[str] = ()) -> list[str]:
    """Return the steps of a job, in the order of the catalogue."""
    every = dict.fromkeys(one.step or one.name for one in assets_of(spec, job))
    return [step for step in every if step not in set(without)]


def announce(
    spec: ForecastSpec, ahead: Sequence[Ahead], keys: Sequence[str], instance: dg.DagsterInstance, listen: Listener
) -> None:
    """Tell a listener of each step that is going to run, and for how long, about.

    A run takes as much longer than usual as the job's latest one did.

    Args:
        spec: the forecast.
        ahead: the runs, in order.
        keys: of all its partitions, oldest first.
        instance: knows the latest runs.
        listen: is told of each step, as `planned`.
    """
    pace = {job: _pace(spec, job, keys, instance) for job in {one.job for one in ahead}}
    for one in ahead:
        for step in one.steps:
            seconds = _usual(step, one.partitions) * pace[one.job]
            listen(Step(job_name(spec, one.job), step, "planned", seconds))


def _usual(step: str, partitions: int) -> float:
    seconds, each = USUAL.get(step, _OTHERS)
    return seconds + each * partitions


def _pace(spec: ForecastSpec, job: str, keys: Sequence[str], instance: dg.DagsterInstance) -> float:
    """Return how many times as long as usual the latest run of a job took; 1 of one that never ran."""
    filters = [dg.RunsFilter(job_name=name, statuses=[dg.DagsterRunStatus.SUCCESS]) for name in job_names(spec, job)]
    for record in (one for found in filters for one in instance.get_run_records(found, limit=1)):
        if record.start_time is None or record.end_time is None:
            continue
        first, _, last = partition_of(record.dagster_run.tags).partition("...")
        made = {key.path[-1] for key in record.dagster_run.asset_selection or ()}
        steps = [one.step or one.name for one in assets_of(spec, job) if not made or one.name in made]
        partitions = sum(first <= key <= (last or first) for key in keys)
        usual = Ahead(job, list(dict.fromkeys(steps)), max(1, partitions)).usual
        return (record.end_time - record.start_time) / usual if usual else 1.0
    return 1.0
