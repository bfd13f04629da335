"""What the contract found, in words: the same from check, evaluate, run and Dagster."""

from collections.abc import Iterator, Sequence

import pandas as pd

from mlops_assets.alerts import messages
from mlops_assets.alerts.notifications import Alert, Notifications
from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data import hints
from mlops_assets.forecasting.data.contract import Checked
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ingest import Intake, span_of
from mlops_assets.stages.remarks import unasked_median

_SHOWN = 3
"""Reasons that are told with an example; the others are counted."""


def refusal(spec: ForecastSpec, checked: Checked, source: str, span: str) -> str:
    """Say that more rows are rejected, or repeated, than the spec allows; empty if not.

    Args:
        spec: the forecast.
        checked: what the contract said.
        source: its name, if the message is to have it.
        span: which rows, such as `the rows of 2024-03-01`.
    """
    limits = spec.quarantine
    if not too_many(spec, checked):
        return ""
    if checked.quarantine_share > limits.max_share:
        return (
            f"{_of(source)}{checked.quarantine_share:.1%} of {span} break the contract, more than the "
            f"{limits.max_share:.1%} that quarantine.max_share allows: {in_words(spec, checked)}"
        )
    return (
        f"{_of(source)}{checked.repeated_share:.1%} of the good rows among {span} repeat another one of their "
        f"file, more than the {limits.max_repeated_share:.1%} that quarantine.max_repeated_share allows. "
        f"{in_words(spec, checked)}"
    )


def too_many(spec: ForecastSpec, checked: Checked) -> bool:
    """Whether more rows are rejected, or repeated, than the spec allows."""
    limits = spec.quarantine
    return checked.quarantine_share > limits.max_share or checked.repeated_share > limits.max_repeated_share


def refused(spec: ForecastSpec, checked: Checked, intake: Intake, keys: Sequence[str]) -> tuple[str, Checked] | None:
    """Return of which partitions too many rows are rejected for any to be stored, and what the contract said of them.

    Args:
        spec: the forecast.
        checked: what the contract said of the partitions together.
        intake: what is to be stored of them.
        keys: of the partitions, consecutive.

    Returns:
        None: what has come is stored.
    """
    if too_many(spec, checked):
        return span_of(keys), checked
    return (keys[-1], intake.over[keys[-1]]) if keys[-1] in intake.over else None


def refused_alert(spec: ForecastSpec, span: str, bad: Checked, source: str, run_id: str, links: Notifications) -> Alert:
    """Return what people are told of rows of which none is stored, see `refused`."""
    words = refusal(spec, bad, source, f"the rows of {span}")
    told = f"{words} The run has failed, and the observations stored before are kept"
    return messages.quarantine(spec, span, told, bad, run_id, links)


def alerts_of(spec: ForecastSpec, intake: Intake, source: str, run_id: str, links: Notifications) -> Iterator[Alert]:
    """Yield what people are told of partitions that have lost rows, or have too many rejected ones."""
    for partition, checked in intake.over.items():
        words = refusal(spec, checked, source, f"the rows of {partition}")
        kept = (
            "the observations stored before are kept" if partition in intake.untouched else "its good rows are stored"
        )
        told = f"{words} The others are ingested; {kept}"
        yield messages.quarantine(spec, partition, told, checked, run_id, links)
    for partition, loss in intake.losses.items():
        if partition not in intake.over and (loss.share <= spec.partitions.max_shrink or partition in intake.untouched):
            stays = partition in intake.untouched
            yield messages.fewer_rows(spec.name, partition, str(loss), source, stays, links)


def no_usable_row(spec: ForecastSpec, checked: Checked, source: str, span: str) -> str:
    """Say that nothing is left to learn from."""
    counts = checked.counts
    if not counts["rows_read"]:
        return f"{source} has no row"
    if counts["rows_of_other_times"] == counts["rows_read"]:
        return (
            f"{source}: all {counts['rows_read']:,} rows are of other times than {span}: partitions.start, time_zone?"
        )
    told = in_words(spec, checked)
    return f"{source}: no row of {span} has a target{': ' if told else ''}{told}"


def in_words(spec: ForecastSpec, checked: Checked) -> str:
    """Return why rows were rejected, each reason with its count and a row, and the fields that would mend them."""
    parts = [_reason(checked.quarantined, reason, count) for reason, count in list(checked.reasons.items())[:_SHOWN]]
    more = [f"{reason} ({count:,})" for reason, count in list(checked.reasons.items())[_SHOWN:]]
    told = "; ".join([*parts, *more])
    return " ".join([*([f"{told}."] if told else []), *guesses(spec, checked)])


def guesses(spec: ForecastSpec, checked: Checked) -> list[str]:
    """Return which fields would mend what was rejected, as questions."""
    return [capitalized(hint) for hint in hints.of_rejected(checked, Graph(spec).contract)]


def of_rows(spec: ForecastSpec, checked: Checked, forecast: bool = False) -> list[str]:
    """Return what is to be said of rows that are not refused.

    That is what was taken for what, why some are rejected, and what is odd about the accepted ones with the field that
    would mend it.

    Args:
        spec: the forecast.
        checked: what the contract said.
        forecast: whether there are forecasts of these rows: they say themselves that their point is zero
            (`remarks.silent_point`), and it is not guessed.
    """
    noted = [f"{capitalized(note)}." for note in checked.notes]
    odd = [
        capitalized(hint)
        for hint in hints.of_accepted(checked, Graph(spec).contract, unasked_median(spec) and not forecast)
    ]
    return [*noted, *filter(None, [in_words(spec, checked)]), *odd]


def _of(source: str) -> str:
    return f"{source}: " if source else ""


def capitalized(text: str) -> str:
    """Return a sentence that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def _reason(rows: pd.DataFrame, reason: str, count: int) -> str:
    first = rows[rows["reason"] == reason].iloc[0]
    return f"{reason} ({count:,}), such as row {first['source_row']} of {first['source']}: {first['detail']}"
