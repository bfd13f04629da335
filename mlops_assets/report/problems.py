"""What a person should look at: every check of a forecast, once, judged from its state.

`status`, the report and Dagster's asset checks are drawn from this table, so that they cannot disagree.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from mlops_assets.alerts.overdue import Late, late
from mlops_assets.catalog.names import (
    ANOMALIES,
    CHAMPION,
    DATA_DRIFT,
    FORECAST_ACCURACY,
    FORECASTS,
    OBSERVATIONS,
    QUARANTINE,
    REPORT,
)
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.decisions.rules import RETRAINING
from mlops_assets.forecasting.formatting import few
from mlops_assets.report.overview import AnomaliesState, Overview
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.rules import Checks, Severity

FAILED_DAYS = 7
"""Days for which a failed run is something to look at."""


@dataclass(frozen=True)
class Case:
    """What is judged: the state of a forecast at a moment, which has its time zone."""

    spec: ForecastSpec
    state: Overview
    now: datetime

    @cached_property
    def late(self) -> list[Late]:
        """The assets whose latest partition should be there and is not."""
        return late(self.spec, self.state.last, self.now)

    @cached_property
    def found(self) -> "tuple[Finding, ...]":
        """What does not hold, as `findings` returns it."""
        return findings(self)


@dataclass(frozen=True)
class Check:
    """Something that should hold of one of a forecast's assets.

    Attributes:
        name: of the check, and of its severity in the spec.
        asset: that it is about.
        judge: says what does not hold, in sentences.
        blocks: whether nothing should be made of an asset of which it does not hold.
    """

    name: str
    asset: str
    judge: Callable[[Case], Iterator[str]]
    blocks: bool = False

    @property
    def description(self) -> str:
        """What should hold, in a sentence."""
        return Checks.model_fields[self.name].description or self.name

    def severity(self, spec: ForecastSpec) -> Severity:
        """Return how grave it is to a forecast that it does not hold."""
        return getattr(spec.checks, self.name)


@dataclass(frozen=True)
class Finding:
    """One sentence on what does not hold, and how grave that is."""

    check: Check
    words: str
    severity: Severity


def findings(case: Case) -> tuple[Finding, ...]:
    """Return what does not hold of a forecast; the gravest first, and nothing that its spec has switched off."""
    if not case.state.assets and not case.state.unreachable:
        words = f"nothing is stored yet: mlops-assets run {case.spec.name}"
        return (Finding(NOTHING_YET, words, "error"), *_judged(case, ["contract"]))
    return tuple(_judged(case, Checks.model_fields))


def _judged(case: Case, names: Collection[str]) -> Iterator[Finding]:
    yield from (
        Finding(check, words, severity)
        for check in CHECKS
        if check.name in names and (severity := check.severity(case.spec)) != "off"
        for words in check.judge(case)
    )


def problems(case: Case) -> tuple[str, ...]:
    """Return what a person should look at, in sentences; the gravest first."""
    return tuple(one.words for one in case.found if one.severity == "error")


def warnings(case: Case) -> tuple[str, ...]:
    """Return what is worth knowing and nothing to look at, in sentences."""
    return tuple(one.words for one in case.found if one.severity == "warn")


def _unreachable(case: Case) -> Iterator[str]:
    yield from case.state.unreachable


def _changed_spec(case: Case) -> Iterator[str]:
    if case.state.changed_spec:
        yield f"{case.state.changed_spec}: mlops-assets reingest {case.state.forecast}"


def _no_champion(case: Case) -> Iterator[str]:
    spec, state = case.spec, case.state
    if state.champion is None and not state.unreachable:
        who = "seasonal naive forecasts, or an earlier champion" if spec.deliver == "always" else "nothing is forecast"
        why = state.standing or f"mlops-assets history {state.forecast} says why"
        yield f"there is no champion, so {who}: {why}"
    elif state.standing:
        yield state.standing


def _rolled_back(case: Case) -> Iterator[str]:
    yield from filter(None, [case.state.rolled_back])


def _stale(asset: str) -> Callable[[Case], Iterator[str]]:
    def judge(case: Case) -> Iterator[str]:
        for one in case.late:
            if one.asset == asset:
                yield f"{asset} are stale: {one.due} should be there, {one.last} is the last"

    return judge


def _unobserved(case: Case) -> Iterator[str]:
    if missing := case.state.unobserved:
        again = f"mlops-assets ingest {case.state.forecast} --partition {missing[0]}"
        yield f"no observations of {few(missing)}: the next round reads them again, and so does {again}"


def _unforecast(case: Case) -> Iterator[str]:
    if missing := case.state.unforecast:
        again = f"mlops-assets run {case.state.forecast}"
        yield f"no forecasts from {few(missing)}: the next round makes them, and so does {again}"


def _not_stored(asset: str) -> Callable[[Case], Iterator[str]]:
    def judge(case: Case) -> Iterator[str]:
        yield from filter(None, [case.state.unstored.get(asset)])

    return judge


def _no_answer(case: Case) -> Iterator[str]:
    one = case.state.external
    if one is not None and "late" in one.delivered.get("delivered_because", ""):
        yield (
            f"{one.service}, which is champion, has not made the latest forecast: ours is delivered; "
            f"python -m mlops_assets jobs list says why"
        )


def _bad_accuracy(case: Case) -> Iterator[str]:
    score = case.state.accuracy
    if score is not None and score.limit is not None and score.value is not None and score.value > score.limit:
        yield f"{label(score.metric)} of {score.partition} is {score.value:.3f}, above {score.limit:.3f}"


def _biased(case: Case) -> Iterator[str]:
    score, limit = case.state.accuracy, case.spec.retraining.bias
    bias = score.scores.get("bias") if score is not None else None
    if score is not None and bias is not None and limit is not None and abs(bias) > limit:
        side = "high" if bias > 0 else "low"
        yield f"the forecasts of {score.partition} are {abs(bias):.1%} too {side}, {limit:.1%} are allowed"


def _worse_than_naive(case: Case) -> Iterator[str]:
    score = case.state.accuracy
    if score is not None and _lasts(case, score.worse_than_naive):
        yield (
            f"forecasts are worse than seasonal naive in {_of_late(case, score.worse_than_naive)}: "
            f"skill {score.skill:.2f} in {score.partition}"
        )


def _bad_intervals(case: Case) -> Iterator[str]:
    score = case.state.accuracy
    if score is not None and _lasts(case, score.outside_coverage):
        yield (
            f"intervals do not hold in {_of_late(case, score.outside_coverage)}: {score.coverage:.0%} of the actuals "
            f"of {score.partition} lie within, further than {case.spec.gate.coverage_tolerance:.0%} from what they say"
        )


def _lasts(case: Case, partitions: tuple[str, ...]) -> bool:
    """Whether something is so of the latest scored partition, and of as many before it as make a breach."""
    score = case.state.accuracy
    return score is not None and score.partition in partitions and len(partitions) >= case.spec.retraining.breaches


def _of_late(case: Case, partitions: tuple[str, ...]) -> str:
    return f"{len(partitions)} of the last {case.spec.retraining.window} partitions that were scored"


def _breach(case: Case) -> Iterator[str]:
    state = case.state
    present = f"v{state.champion.version} " if state.champion is not None else "none"
    for answer in state.policies:
        if (answer.breach or "").startswith(present):  # not one of a past champion
            name = "" if answer.policy == RETRAINING else f" {answer.policy}"
            said = f"{answer.action}: {answer.reason}"
            yield f"the retraining policy{name} saw a breach ({answer.rule}) at {answer.partition}: {said}"


def _waiting(case: Case) -> Iterator[str]:
    if case.state.waiting:
        yield f"waiting for approval: version {', '.join(map(str, case.state.waiting))}"


def _refused(case: Case) -> Iterator[str]:
    yield from filter(None, [case.state.refused])


def refused_rows(forecast: str, read: str) -> Iterator[str]:
    """Say that the rows of a partition that was read last were not stored; nothing if there is none."""
    if read:
        yield (
            f"the rows of {read} were read and not stored, for too many of them break the contract: "
            f"mlops-assets quarantine {forecast} --partition {read} lists them"
        )


def _not_taken_in(case: Case) -> Iterator[str]:
    return refused_rows(case.state.forecast, case.state.refused_rows)


def _quarantined(case: Case) -> Iterator[str]:
    bad = case.state.quarantine
    if bad is not None and bad.partition == case.state.last.get(OBSERVATIONS):
        yield f"{bad.rows} rows of {bad.partition} are in quarantine"


def _missing_ahead(case: Case) -> Iterator[str]:
    yield from filter(None, [case.state.missing_ahead])


def _outlying(case: Case) -> Iterator[str]:
    yield from filter(None, [case.state.outliers])


def _silent(case: Case) -> Iterator[str]:
    yield from filter(None, [case.state.silent_point])


def anomalous(found: AnomaliesState | None) -> Iterator[str]:
    """Say what the latest partition has that was hardly expected."""
    if found is not None and found.words:
        yield f"anomalies of {found.partition}: {found.words}"


def _drifted(case: Case) -> Iterator[str]:
    if case.state.drift is not None:
        yield from (f"drift: {sentence}" for sentence in case.state.drift.drifted[:3])


def _failed(case: Case) -> Iterator[str]:
    if case.state.failed_runs:
        newest = case.state.failed_runs[0]
        yield f"a run has failed within {FAILED_DAYS} days ({newest.ended} UTC): {newest.what} ({newest.link})"


NOTHING_YET = Check("completeness", FORECASTS, _unforecast)
CHECKS = (
    Check("stores", REPORT, _unreachable),
    Check("same_spec", OBSERVATIONS, _changed_spec),
    Check("champion", CHAMPION, _no_champion),
    Check("published", FORECASTS, _rolled_back),
    Check("contract", OBSERVATIONS, _not_taken_in, blocks=True),
    Check("freshness", OBSERVATIONS, _stale(OBSERVATIONS)),
    Check("freshness", FORECASTS, _stale(FORECASTS)),
    Check("read_back", OBSERVATIONS, _not_stored(OBSERVATIONS)),
    Check("read_back", FORECASTS, _not_stored(FORECASTS)),
    Check("completeness", OBSERVATIONS, _unobserved),
    NOTHING_YET,
    Check("external_service", FORECASTS, _no_answer),
    Check("accuracy", FORECAST_ACCURACY, _bad_accuracy),
    Check("better_than_naive", FORECAST_ACCURACY, _worse_than_naive),
    Check("interval_coverage", FORECAST_ACCURACY, _bad_intervals),
    Check("bias", FORECAST_ACCURACY, _biased),
    Check("breach", FORECAST_ACCURACY, _breach),
    Check("approval", CHAMPION, _waiting),
    Check("gate", CHAMPION, _refused),
    Check("quarantine", QUARANTINE, _quarantined),
    Check("known_covariates", FORECASTS, _missing_ahead),
    Check("outliers", OBSERVATIONS, _outlying),
    Check("zero_median", FORECASTS, _silent),
    Check("anomalies", ANOMALIES, lambda case: anomalous(case.state.anomalies)),
    Check("drift", DATA_DRIFT, _drifted),
    Check("runs", REPORT, _failed),
)
"""The gravest first."""
