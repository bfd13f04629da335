"""How forecasts are, as Prometheus takes it: what `mlops-assets metrics` and the read API's `/metrics` give."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import partitions_of, windows_of
from mlops_assets.errors import MissingExtraError, MlopsAssetsError, UsageError
from mlops_assets.jobs.job import OPEN
from mlops_assets.report.documents import ATTENTION, EMPTY, OK, state_of
from mlops_assets.report.overview import Overview
from mlops_assets.report.problems import CHECKS, Case
from mlops_assets.report.sources import Sources
from mlops_assets.spec import BrokenSpec

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

PREFIX = "mlops_assets_"
BROKEN = "broken"
"""State of a forecast whose spec cannot be used."""
STATES = (OK, ATTENTION, EMPTY, BROKEN)

Sample = tuple[tuple[str, ...], float]
"""Values of a metric's own labels, and its number."""
Samples = dict[str, list[Sample]]
"""Name of a metric -> its samples for one forecast."""


@dataclass(frozen=True)
class Known:
    """What is known of a forecast.

    Attributes:
        sources: where the facts come from.
        state: its state.
    """

    sources: Sources
    state: Overview

    @property
    def scores(self) -> Mapping[str, float | None]:
        """Of the latest scored partition."""
        return self.state.accuracy.scores if self.state.accuracy is not None else {}

    @cached_property
    def failing(self) -> frozenset[str]:
        """Names of the checks that do not hold."""
        case = Case(self.sources.spec, self.state, self.sources.clock.now())
        return frozenset(one.check.name for one in case.found)

    def over(self, asset: str) -> float | None:
        """Return when the latest stored partition of an asset ended, in seconds since 1970; None without one."""
        key = self.state.last.get(asset)
        try:
            windows = windows_of(partitions_of(self.sources.spec), [key] if key else [])
        except UsageError:  # of another kind of partition than the spec's now, as the check `changed_spec` says
            return None
        return _seconds(windows.over[0]) if len(windows.over) else None


@dataclass(frozen=True)
class Metric:
    """A number that is told of each forecast.

    Attributes:
        name: in Prometheus, without the prefix.
        help: what it is, with its unit.
        read: returns its samples for a forecast.
        labels: besides `forecast`.
    """

    name: str
    help: str
    read: Callable[[Known], Iterable[Sample]]
    labels: tuple[str, ...] = ()


def _one(read: Callable[[Known], float | None]) -> Callable[[Known], Iterator[Sample]]:
    def samples(known: Known) -> Iterator[Sample]:
        value = read(known)
        if value is not None:
            yield (), float(value)

    return samples


def _among(present: str) -> list[Sample]:
    return [((one,), float(one == present)) for one in STATES]


def _states(known: Known) -> Iterator[Sample]:
    yield from _among(state_of(known.state))


def _checks(known: Known) -> Iterator[Sample]:
    for check in CHECKS:
        severity = check.severity(known.sources.spec)
        if severity != "off":
            yield (check.name, check.asset, severity), float(check.name not in known.failing)


def _accuracy(known: Known) -> Iterator[Sample]:
    yield from (((name,), value) for name, value in known.scores.items() if value is not None)


def _limit(known: Known) -> Iterator[Sample]:
    score = known.state.accuracy
    if score is not None and score.limit is not None:
        yield (score.metric,), score.limit


def _holes(known: Known) -> Iterator[Sample]:
    yield (OBSERVATIONS,), float(len(known.state.unobserved))
    yield (FORECASTS,), float(len(known.state.unforecast))


def _jobs(known: Known) -> Iterator[Sample]:
    spec, jobs = known.sources.spec, known.sources.jobs
    if spec.external is None or jobs is None:
        return
    try:
        states = [job.state for job in jobs.ledger.of(spec.name, states=OPEN)]
    except MlopsAssetsError:  # the other numbers are wanted all the same
        return
    yield from (((state,), float(states.count(state))) for state in OPEN)


def _trained_until(known: Known) -> float | None:
    champion = known.state.champion
    if champion is None or champion.trained_until is None:
        return None
    at = pd.Timestamp(champion.trained_until)
    return _seconds(at.tz_localize(known.sources.spec.zone, ambiguous=False, nonexistent="shift_forward"))


def _champion_since(known: Known) -> float | None:
    champion = known.state.champion
    return None if champion is None or champion.since is None else _seconds(pd.Timestamp(champion.since, tz="UTC"))


def _seconds(at: pd.Timestamp) -> float:
    return at.timestamp()


METRICS = (
    Metric("forecast_state", "1 for the state that the forecast is in.", _states, ("state",)),
    Metric("problems", "Things that a person should look at.", _one(lambda known: len(known.state.problems))),
    Metric("warnings", "Things worth knowing.", _one(lambda known: len(known.state.warnings))),
    Metric("check_passed", "1 where a check holds.", _checks, ("check", "asset", "severity")),
    Metric(
        "newest_forecast_timestamp_seconds",
        "When the latest partition that is forecast from had ended.",
        _one(lambda known: known.over(FORECASTS)),
    ),
    Metric(
        "newest_observations_timestamp_seconds",
        "When the latest partition that is observed had ended.",
        _one(lambda known: known.over(OBSERVATIONS)),
    ),
    Metric("holes", "Partitions that should be stored and are not.", _holes, ("asset",)),
    Metric("accuracy", "Scores of the latest scored partition.", _accuracy, ("metric",)),
    Metric("accuracy_limit", "The lowest value of a metric that asks for a retraining.", _limit, ("metric",)),
    Metric(
        "quarantined_rows",
        "Rows in quarantine, of the latest of seven partitions that has some.",
        _one(lambda known: known.state.quarantine.rows if known.state.quarantine is not None else 0),
    ),
    Metric("jobs_open", "Jobs of the outside service that have not ended.", _jobs, ("state",)),
    Metric(
        "champion_version",
        "Version of the model that forecasts.",
        _one(lambda known: known.state.champion.version if known.state.champion is not None else None),
    ),
    Metric("champion_since_timestamp_seconds", "When it came in.", _one(_champion_since)),
    Metric(
        "champion_trained_until_timestamp_seconds", "The last timestamp that it has learnt from.", _one(_trained_until)
    ),
    Metric("versions_waiting", "Versions that wait for approval.", _one(lambda known: len(known.state.waiting))),
    Metric(
        "drift",
        "The largest drift of any feature, of the latest partition.",
        _one(lambda known: known.state.drift.drift if known.state.drift is not None else None),
    ),
    Metric(
        "anomalies",
        "Observations of the latest partition that were hardly expected.",
        _one(lambda known: known.state.anomalies.rows if known.state.anomalies is not None else None),
    ),
    Metric(
        "failed_runs",
        "Runs that failed of late, five at most.",
        _one(lambda known: len(known.state.failed_runs)),
    ),
    Metric(
        "month_cpu_seconds",
        "Processor time that the latest month's runs took.",
        _one(lambda known: known.state.spent[0].cpu_hours * 3600 if known.state.spent else None),
    ),
    Metric(
        "stores_unreachable",
        "Stores that did not answer; what they would have told is missing.",
        _one(lambda known: len(known.state.unreachable)),
    ),
)
"""Everything that is told, in this order."""
INFO = "build_info"


def samples_of(sources: Sources, state: Overview) -> Samples:
    """Return the samples of a forecast."""
    known = Known(sources, state)
    return {metric.name: list(metric.read(known)) for metric in METRICS}


_OF_BROKEN: Samples = {"forecast_state": _among(BROKEN), "problems": [((), 1.0)]}


def text(forecasts: Mapping[str, Samples], broken: Iterable[BrokenSpec] = ()) -> str:
    """Return metrics in Prometheus's text format.

    Args:
        forecasts: name -> its samples.
        broken: specs that cannot be used: of their forecasts that, and nothing else, is known.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """
    try:
        from prometheus_client import generate_latest
        from prometheus_client.core import GaugeMetricFamily
    except ImportError:
        raise MissingExtraError.of("metrics for Prometheus", "prometheus-client", "metrics") from None
    every = {**forecasts, **dict.fromkeys((one.name for one in broken), _OF_BROKEN)}

    class Collected:
        def collect(self) -> "Iterator[GaugeMetricFamily]":
            info = GaugeMetricFamily(PREFIX + INFO, "The release that tells all this.", labels=["version"])
            info.add_metric([version("mlops-assets")], 1.0)
            yield info
            for metric in METRICS:
                family = GaugeMetricFamily(PREFIX + metric.name, metric.help, labels=["forecast", *metric.labels])
                for name, samples in every.items():
                    for labels, value in samples.get(metric.name, ()):
                        family.add_metric([name, *labels], value)
                if family.samples:
                    yield family

    return generate_latest(Collected()).decode()
