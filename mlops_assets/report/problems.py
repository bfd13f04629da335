"""What a person should look at, a function for each kind of problem."""

from collections.abc import Iterator
from datetime import datetime

from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import expected
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.decisions.rules import RETRAINING
from mlops_assets.forecasting.formatting import few
from mlops_assets.report.overview import Overview
from mlops_assets.spec import ForecastSpec

FAILED_DAYS = 7
"""Days for which a failed run is something to look at."""


def problems(spec: ForecastSpec, state: Overview, now: datetime) -> tuple[str, ...]:
    """Return what is wrong with a forecast, in sentences; the gravest first.

    Args:
        spec: the forecast.
        state: its state.
        now: the moment, with its time zone.
    """
    if not state.assets and not state.unreachable:
        return (f"nothing is stored yet: mlops-assets run {spec.name}",)
    return (
        *state.unreachable,
        *_changed_spec(state),
        *_no_champion(spec, state),
        *filter(None, [state.rolled_back]),
        *_stale(spec, state, now),
        *_holes(state),
        *_no_answer(state),
        *_bad_accuracy(state),
        *_biased(spec, state),
        *_breach(state),
        *_waiting(state),
        *_quarantined(state),
        *filter(None, [state.missing_ahead, state.outliers, state.silent_point]),
        *_anomalous(state),
        *_drifted(state),
        *_failed(state),
    )


def _changed_spec(state: Overview) -> Iterator[str]:
    if state.changed_spec:
        yield f"{state.changed_spec}: mlops-assets reingest {state.forecast}"


def _no_champion(spec: ForecastSpec, state: Overview) -> Iterator[str]:
    if state.champion is None and not state.unreachable:
        who = "seasonal naive forecasts, or an earlier champion" if spec.deliver == "always" else "nothing is forecast"
        why = state.standing or f"mlops-assets history {state.forecast} says why"
        yield f"there is no champion, so {who}: {why}"
    elif state.standing:
        yield state.standing


def _stale(spec: ForecastSpec, state: Overview, now: datetime) -> Iterator[str]:
    due = expected(spec, now)
    if due is None:
        return
    for name in (OBSERVATIONS, FORECASTS):
        last = state.last.get(name)
        if last is not None and last < due[0]:
            yield f"{name} are stale: {due[0]} should be there, {last} is the last"


def _holes(state: Overview) -> Iterator[str]:
    if state.unobserved:
        again = f"mlops-assets ingest {state.forecast} --partition {state.unobserved[0]}"
        yield f"no observations of {few(state.unobserved)}: the next round reads them again, and so does {again}"
    if state.unforecast:
        yield f"no forecasts from {few(state.unforecast)}: the next round makes them, and so does mlops-assets run " + (
            state.forecast
        )


def _no_answer(state: Overview) -> Iterator[str]:
    one = state.external
    if one is not None and "late" in one.delivered.get("delivered_because", ""):
        yield (
            f"{one.service}, which is champion, has not made the latest forecast: ours is delivered; "
            f"python -m mlops_assets jobs list says why"
        )


def _bad_accuracy(state: Overview) -> Iterator[str]:
    score = state.accuracy
    if score is not None and score.limit is not None and score.value is not None and score.value > score.limit:
        yield f"{label(score.metric)} of {score.partition} is {score.value:.3f}, above {score.limit:.3f}"


def _biased(spec: ForecastSpec, state: Overview) -> Iterator[str]:
    bias = state.accuracy.scores.get("bias") if state.accuracy is not None else None
    limit = spec.retraining.bias
    if state.accuracy is not None and bias is not None and limit is not None and abs(bias) > limit:
        side = "high" if bias > 0 else "low"
        yield f"the forecasts of {state.accuracy.partition} are {abs(bias):.1%} too {side}, {limit:.1%} are allowed"


def _breach(state: Overview) -> Iterator[str]:
    present = f"v{state.champion.version} " if state.champion is not None else "none"
    for answer in state.policies:
        if (answer.breach or "").startswith(present):  # not one of a past champion
            name = "" if answer.policy == RETRAINING else f" {answer.policy}"
            said = f"{answer.action}: {answer.reason}"
            yield f"the retraining policy{name} saw a breach ({answer.rule}) at {answer.partition}: {said}"


def _waiting(state: Overview) -> Iterator[str]:
    if state.waiting:
        yield f"waiting for approval: version {', '.join(map(str, state.waiting))}"


def _quarantined(state: Overview) -> Iterator[str]:
    bad = state.quarantine
    if bad is not None and bad.partition == state.last.get(OBSERVATIONS):
        yield f"{bad.rows} rows of {bad.partition} are in quarantine"


def _anomalous(state: Overview) -> Iterator[str]:
    if state.anomalies is not None and state.anomalies.words:
        yield f"anomalies of {state.anomalies.partition}: {state.anomalies.words}"


def _drifted(state: Overview) -> Iterator[str]:
    if state.drift is not None:
        yield from (f"drift: {sentence}" for sentence in state.drift.drifted[:3])


def _failed(state: Overview) -> Iterator[str]:
    if state.failed_runs:
        newest = state.failed_runs[0]
        yield f"a run has failed within {FAILED_DAYS} days ({newest.ended} UTC): {newest.what} ({newest.link})"
