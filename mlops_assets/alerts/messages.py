"""The words of every alert: what has happened, where to look, what to do."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import pandas as pd

from mlops_assets.alerts.notifications import Alert, Event, Notifications
from mlops_assets.catalog.names import (
    ANOMALIES,
    CHAMPION,
    DAILY,
    DECISIONS,
    FORECAST_ACCURACY,
    FORECASTS,
    OBSERVATIONS,
    RESCORE,
    RETRAIN,
    RETRAINING_DECISIONS,
    SPEC,
    job_name,
    schedule_name,
)
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.forecasting.decisions.policy import Answer
from mlops_assets.forecasting.decisions.rules import CHALLENGE, KEEP_ASIDE, REPLACE, RETRAINING
from mlops_assets.forecasting.decisions.triggers import BIAS
from mlops_assets.forecasting.formatting import few
from mlops_assets.lifecycle.approvers import Request
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lost import Lost
from mlops_assets.spec import BrokenSpec, ForecastSpec

RUN_FAILURE = "run failure"
"""Kind of the alert that tells of a failed run; its key is the run's id."""
ALERTED = "alert"
"""Metadata of a `dagster.Failure` that an alert of its own kind has told: it is not told again as a failed run."""


@dataclass(frozen=True)
class FailedRun:
    """A run that failed, in the end.

    Attributes:
        run_id: of the run.
        job: its name.
        partition: key, or `FIRST...LAST`; "" without.
        tries: runs that were tried, with Dagster's automatic retries.
        steps: what failed and why: asset -> message; empty if the run as a whole did.
        message: why the run failed, where no step did.
        ingests: whether it was to do nothing but ingest.
        command: that has asked for it, where no other makes it again.
    """

    run_id: str
    job: str
    partition: str = ""
    tries: int = 1
    steps: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    ingests: bool = False
    command: str = ""


def run_failure(forecast: str, run: FailedRun, links: Notifications) -> Alert:
    """Tell of a failed run; one alert for each."""
    place = f" of {run.partition}" if run.partition else ""
    tries = f" after {run.tries} tries" if run.tries > 1 else ""
    failed = "; ".join(f"{asset}{place} failed{tries}: {message}" for asset, message in run.steps.items())
    advised = "; ".join(dict.fromkeys(re.findall(r"\(try: ([^()]*)\)", failed)))
    first = f"Run {advised}" if advised else "Read the error of the step in the run's log"
    return Alert(
        event=RUN_FAILURE,
        forecast=forecast,
        key=run.run_id,
        what=failed or f"{run.job}{place} failed{tries}: {run.message}",
        where=links.run_link(run.run_id),
        to_do=f"{first}. When its cause is gone, re-execute the run from its failure there, or run "
        f"mlops-assets {run.command or _command(forecast, run)}. The tables keep what was good before.",
    )


def _command(forecast: str, run: FailedRun) -> str:
    """Return the command that does what a failed run was to do."""
    partition = f" --partition {run.partition}" if run.partition else ""
    job = run.job.removeprefix(f"{forecast}_")
    if job == RETRAIN:
        return f"run {forecast} --retrain"
    # A round of a long history would forecast from each partition of it, and what is scored again was forecast before.
    if job == RESCORE or (run.ingests and "..." in run.partition):
        return f"ingest {forecast}{partition}"
    return f"run {forecast}{partition}"


_DECIDES = {
    CHALLENGE: "the gate decides on what comes of it.",
    REPLACE: "what comes of it takes the champion's place, if it is sound.",
    KEEP_ASIDE: "what comes of it stands beside the champion until a person approves it.",
}


def breach(forecast: str, answer: Answer, links: Notifications) -> Alert:
    """Tell that the present champion's forecasts have become too bad, or biased; one alert for each breach."""
    version, _, since = answer.breach.removesuffix(f" ({answer.policy})").partition(" ")
    whose = "" if answer.policy == RETRAINING else f" of the policy {answer.policy}"
    median = f" (median of the last partitions: {answer.level:.4f})" if pd.notna(answer.level) else ""
    asked = f"A retraining ({answer.action}) is asked for" if answer.retrain else "No retraining yet"
    return Alert(
        event="bias" if answer.rule == BIAS else "breach",
        forecast=forecast,
        key=answer.breach,
        what=f"version {version.removeprefix('v')} breaches the rule {answer.rule}{whose} since {since}{median}. "
        f"{asked}: {answer.reason}",
        where=f"{links.asset_link(forecast, FORECAST_ACCURACY, answer.partition)} "
        f"(tables {forecast}/{FORECAST_ACCURACY} and {forecast}/{RETRAINING_DECISIONS})",
        to_do=f"If a retraining is asked for, nothing: {_DECIDES[answer.becomes]} Look at which items and leads are "
        "off; if the data are wrong and not the model, mend the source and ingest those partitions again.",
    )


def futility(forecast: str, answer: Answer, links: Notifications) -> Alert:
    """Tell that a policy has given up on a breach."""
    return Alert(
        event="futility",
        forecast=forecast,
        key=answer.breach,
        what=answer.reason,
        where=f"{links.asset_link(forecast, CHAMPION)} (tables {forecast}/{RETRAINING_DECISIONS} and "
        f"{forecast}/{DECISIONS}; mlops-assets history {forecast})",
        to_do="Look at what has changed in the data: a new level, a covariate that is gone, a broken source. Then "
        f"change the spec or the source and run mlops-assets run {forecast} --retrain.",
    )


def decided(forecast: str, number: int, decision: Entry, registry: str, links: Notifications) -> Alert | None:
    """Tell of a challenger that was refused or waits for a person; None for any other outcome.

    Args:
        forecast: its name.
        number: of the decision.
        decision: its outcome and reason, and the version of the challenger.
        registry: address of the version in MLflow's web UI, "" if it has none.
        links: makes the links.
    """
    approve = f"mlops-assets approve {forecast} {decision.version}"
    to_do: dict[Event, str] = {
        "refused": (
            "Read the rules that failed. The champion stays in office; if there is none yet, seasonal naive forecasts "
            f"until a version passes: mend the data or the spec, or {approve} --force --by YOU --reason WHY."
        ),
        "awaiting approval": (
            f"{approve} --by YOU --reason WHY, or reject; or materialize "
            f"{forecast}/{CHAMPION} with decision: approve in its config; or set the version's tag approval in MLflow."
        ),
    }
    event: Event | None = next((one for one in to_do if str(one) == decision.outcome), None)
    if event is None:
        return None
    return Alert(
        event=event,
        forecast=forecast,
        key=f"decision {number}",
        what=f"version {decision.version}: {decision.reason}",
        where=f"{links.asset_link(forecast, CHAMPION)} (table {forecast}/{DECISIONS})" + (registry and f", {registry}"),
        to_do=to_do[event],
    )


def unproven(request: Request, tag: str, signature: str, links: Notifications) -> Alert:
    """Tell that somebody decides in MLflow without proving who they are; one alert for each such tag.

    Args:
        request: what the tag asks for.
        tag: the words.
        signature: that stands beside them; empty without one.
        links: makes the links.
    """
    return Alert(
        event="unproven",
        forecast=request.forecast,
        key=sha256(f"{request.version} {tag} {signature}".encode()).hexdigest()[:16],
        what=f"the tag approval of version {request.version} says {tag!r}, and no signature in the tag "
        f"approval_signature shows that this is {request.by}: nothing was decided",
        where=links.asset_link(request.forecast, CHAMPION),
        to_do=f"If {request.by} means it: mlops-assets sign {request.forecast} {request.version} prints both tags. "
        "If not, somebody else may write to MLflow.",
    )


def lost_champion(forecast: str, lost: Lost, links: Notifications) -> Alert:
    """Tell that somebody else forecasts in the champion's place, which is lost; one alert for each champion.

    Args:
        forecast: its name.
        lost: the champion, and what has become of it.
        links: makes the links.
    """
    return Alert(
        event="lost champion",
        forecast=forecast,
        key=f"version {lost.version}, decision {lost.decision}",
        what=f"{lost.reason}. Another forecasts in its place: its kept copy, an earlier champion, or seasonal naive "
        "(columns source, model_version and delivered_because)",
        where=f"{links.asset_link(forecast, FORECASTS)} (table {forecast}/{FORECASTS}; the run's warning says why)",
        to_do=f"If a server did not answer, nothing: the next round takes the champion again. If its files are lost, "
        f"mlops-assets run {forecast} --retrain trains a new version.",
    )


def no_answer(
    forecast: str, service: str, partition: str, state: str, reason: str, champion: bool, links: Notifications
) -> Alert:
    """Tell that an external service has not made the forecast of a partition; one alert for each.

    Args:
        forecast: its name.
        service: that was asked.
        partition: that it was to forecast from.
        state: how its job has ended.
        reason: why.
        champion: whether its forecast was to be delivered.
        links: makes the links.
    """
    ours = "our forecast is delivered in its place (delivered_because: late, or unloadable where our champion is lost)"
    instead = ours if champion else "ours is not concerned"
    return Alert(
        event="late" if champion else "no answer",
        forecast=forecast,
        key=f"{service} {partition}",
        what=f"{service} has made no forecast from {partition} ({state}: {reason}); {instead}",
        where=f"{links.asset_link(forecast, FORECASTS, partition)} (table {forecast}/{FORECASTS}; "
        f"mlops-assets jobs list)",
        to_do="Read the reason. If the service is at fault for long, "
        f"mlops-assets external {forecast} --role shadow --reason WHY waits for it no more.",
    )


def quarantine(spec: ForecastSpec, span: str, words: str, checked: Checked, run_id: str, links: Notifications) -> Alert:
    """Tell that too many rows break the contract, or repeat others; once for each partition and set of rows.

    Args:
        spec: the forecast.
        span: the partition, or the first and last of them.
        words: why the rows are refused and what is stored instead, in whole sentences.
        checked: what the contract said; the reasons and records of the rows say whether they are those of before.
        run_id: the run that has read them.
        links: makes the links.
    """
    forecast, rows = spec.name, checked.quarantined
    texts = sorted(f"{reason} {record}" for reason, record in zip(rows["reason"], rows["record"], strict=True))
    texts += [f"{len(checked.repeated)} repeated"] if len(checked.repeated) else []
    digest = sha256("\n".join(texts).encode()).hexdigest()[:12]
    return Alert(
        event="quarantine",
        forecast=forecast,
        key=f"{span} {digest}",
        what=words,
        where=f"{links.run_link(run_id)}; mlops-assets quarantine {forecast} shows each rejected row with its reason",
        to_do="Mend the source, or the spec if it is the contract that is wrong (columns, frequency, "
        "quarantine.max_share), and ingest the partition again.",
    )


def fewer_rows(forecast: str, partition: str, loss: str, source: str, stays: bool, links: Notifications) -> Alert:
    """Tell that fewer rows of a partition have come than are stored; once for each loss.

    Args:
        forecast: its name.
        partition: its key.
        loss: what has come and what is stored, in words.
        source: where the rows come from.
        stays: whether the stored rows are kept.
        links: makes the links.
    """
    done = "the stored rows are kept" if stays else "partitions.max_shrink allows it, so they are replaced"
    return Alert(
        event="fewer rows",
        forecast=forecast,
        key=f"{partition} {sha256(loss.encode()).hexdigest()[:12]}",
        what=f"{source}, {partition}: {loss}; {done}",
        where=_partition(forecast, OBSERVATIONS, partition, links),
        to_do="See whether the export is whole, and mend the source. If the rows were deleted on purpose, run "
        f"mlops-assets ingest {forecast} --partition {partition} --allow-shrink.",
    )


def anomalies(forecast: str, partition: str, words: str, links: Notifications) -> Alert:
    """Tell of observations that were hardly expected; once for each partition and set of them."""
    return Alert(
        event="anomalies",
        forecast=forecast,
        key=f"{partition} {sha256(words.encode()).hexdigest()[:12]}",
        what=f"{partition}: {words}",
        where=_partition(forecast, ANOMALIES, partition, links),
        to_do="Look at where the values come from. If they are wrong, mend the source and ingest the partition again; "
        "if they are right, something has happened that the model does not know: a covariate, perhaps.",
    )


def empty(forecast: str, partition: str, source: str, links: Notifications) -> Alert:
    """Tell that a partition has arrived without a row."""
    return Alert(
        event="stale data",
        forecast=forecast,
        key=f"{OBSERVATIONS} {partition} empty",
        what=f"{source} has no row for {partition}: the partition is stored, and empty",
        where=_partition(forecast, OBSERVATIONS, partition, links),
        to_do="If nothing happened then, nothing. Else see why the source is late, and ingest the partition again.",
    )


def holes(forecast: str, asset: str, keys: Sequence[str], links: Notifications) -> Alert:
    """Tell of partitions that are missing although later ones are stored, and that a later round has not filled.

    Args:
        forecast: its name.
        asset: whose partitions are missing.
        keys: of them.
        links: makes the links.
    """
    span = keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"
    way = "ingest" if asset == OBSERVATIONS else "run"
    return Alert(
        event="stale data",
        forecast=forecast,
        key=f"{asset} missing {len(keys)} of {span}",
        what=f"{asset} of {few(keys)} are missing, later ones are stored",
        where=_partition(forecast, asset, keys[0], links),
        to_do="See in Dagster whether their runs have failed; then run "
        f"mlops-assets {way} {forecast} --partition {span}.",
    )


def stale(
    spec: ForecastSpec, asset: str, expected: str, stored: Sequence[str], due: datetime, links: Notifications
) -> Alert:
    """Tell that a partition is not there that should be; one alert for each.

    Args:
        spec: the forecast.
        asset: whose partition is missing.
        expected: its key.
        stored: keys of the stored partitions.
        due: when the round was to be done.
        links: makes the links.
    """
    forecast, schedule = spec.name, schedule_name(job_name(spec, DAILY))
    return Alert(
        event="stale data",
        forecast=forecast,
        key=f"{asset} {expected}",
        what=f"the partition {expected} of {asset} was to be there by {due:%Y-%m-%d %H:%M %Z}; the newest one is "
        f"{max(stored)}",
        where=_partition(forecast, asset, expected, links),
        to_do=f"See whether the schedule {schedule} is on, whether its last run has failed, and whether the source "
        f"has the data; then run mlops-assets run {forecast} --partition {expected}.",
    )


def broken_spec(broken: BrokenSpec, links: Notifications) -> Alert:
    """Tell that a forecast's spec cannot be used; one alert for each fault of it."""
    return Alert(
        event="broken spec",
        forecast=broken.name,
        key=sha256(broken.message.encode()).hexdigest()[:12],
        what=f"nothing of it runs until its spec is mended: {broken.message}",
        where=links.asset_link(broken.name, SPEC),
        to_do="Mend the file (mlops-assets check reads it), then reload the code location in Dagster. The other "
        "forecasts go on, and what is stored of this one is kept.",
    )


def _partition(forecast: str, asset: str, partition: str, links: Notifications) -> str:
    """Return where a partition is seen, and in which table it stands."""
    return f"{links.asset_link(forecast, asset, partition)} (table {forecast}/{asset})"
