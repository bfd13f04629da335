"""What is stored of forecasts, read and adjusted."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from mlops_assets.api.declared import load_spec, or_default

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mlops_assets.adjustments.adjuster import Change
    from mlops_assets.adjustments.value_added import By
    from mlops_assets.api.declared import Forecast
    from mlops_assets.reading.asked import Moment
    from mlops_assets.settings import Settings


def observations(forecast: Forecast, *, as_of: str | None = None, settings: Settings | None = None) -> pd.DataFrame:
    """Return the stored observations, as they are known now or as they were known at a moment.

    Args:
        forecast: a name, a path or a spec.
        as_of: the moment, in ISO 8601, in UTC where it names no offset. Default: now.
        settings: where they are kept. Default: the environment's.

    Returns:
        item_id, timestamp, target, the covariates, and since when the row is known (`known_at`, UTC).

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        RevisionsError: nothing is stored, or nothing was known then.
    """
    from mlops_assets.analysis import revisions

    settings = or_default(settings)
    return revisions.observations(load_spec(forecast, settings), settings, as_of)


def read_forecasts(
    forecast: Forecast,
    items: str | Collection[str] | None = None,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    origin: Moment | None = None,
    as_of: Moment | None = None,
    leads: int | Collection[int] | None = None,
    version: Literal["system", "published"] = "published",
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Return stored forecasts. Only what is asked for is read; no model is.

    Args:
        forecast: a name, a path or a spec.
        items: an id, or some, or sums of a hierarchy such as `sum:north`. Default: all items.
        start: first timestamp, in the spec's zone. With neither `start` nor `end` nor `origin`: what the latest origin
            looks ahead to.
        end: last timestamp; a day is meant until its end.
        origin: made from where: a timestamp, `latest`, or `all`. Default: of each item and timestamp the latest.
        as_of: only what had been made by this moment, in UTC where it names no offset.
        leads: only so many steps ahead.
        version: `published`: as people have adjusted it; `system`: as it was made.
        settings: where they are kept. Default: the environment's.

    Returns:
        item_id, origin, timestamp, lead, mean, the quantiles, naive, source, model_version, created_at (UTC),
        adjustment.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item or origin, nothing was forecast by then, or a time is none.
    """
    from mlops_assets.reading.opening import open_reader

    settings = or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return reader.forecasts(items, start, end, origin, as_of, leads=leads, version=version)


def read_accuracy(
    forecast: Forecast,
    by: Literal["all", "item", "lead", "origin", "period", "segment", "version"] = "all",
    items: str | Collection[str] | None = None,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    as_of: Moment | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """Return how good the stored forecasts were, beside seasonal naive.

    Args:
        forecast: a name, a path or a spec.
        by: one row for each of these, or one for all.
        items: of these. Default: all.
        start: first timestamp that was forecast. With neither `start` nor `end`: those of the latest partitions, and
            by period those of all.
        end: last timestamp that was forecast.
        as_of: the forecasts that had been made by this moment, beside the actuals as they were known then.
        settings: where they are kept. Default: the environment's.

    Returns:
        What it is by, rows, every metric, naive_mase and skill.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item, or a time is none.
    """
    from mlops_assets.reading.opening import open_reader

    settings = or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return reader.accuracy(by, items, start, end, as_of)


def plot_forecast(
    forecast: Forecast,
    items: str | Collection[str] | None = None,
    *,
    origin: Moment | None = None,
    as_of: Moment | None = None,
    settings: Settings | None = None,
) -> Figure:
    """Draw stored forecasts beside the history that was known, and beside what came.

    Args:
        forecast: a name, a path or a spec.
        items: six at most. Default: the largest.
        origin: made from where. Default: the latest.
        as_of: as they were known at this moment.
        settings: where they are kept. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
        QuestionError: there is no such item or origin, or nothing was forecast by then.
    """
    from mlops_assets.reading.opening import open_reader
    from mlops_assets.reading.outputs.picture import picture

    settings = or_default(settings)
    with open_reader(load_spec(forecast, settings), settings) as reader:
        return picture(reader, items, origin, as_of)


def adjust(
    forecast: Forecast,
    item: str,
    since: str,
    until: str | None = None,
    *,
    value: float | None = None,
    factor: float | None = None,
    delta: float | None = None,
    reason: str,
    note: str = "",
    by: str | None = None,
    ends: Literal["until", "origin"] = "until",
    replaces: int | None = None,
    dry_run: bool = False,
    settings: Settings | None = None,
) -> Change:
    """Adjust what is published of a forecast; the system's stays beside it, and the log says who did it.

    Args:
        forecast: a name, a path or a spec.
        item: id of an item, or a sum: `sum:north` of the spec's hierarchy; `sum:*`: all items.
        since: the first timestamp, in ISO 8601, in the spec's zone.
        until: the last one, included; a day is meant until its end. Default: as `since`.
        value: what is expected at each timestamp; of a sum, of all its items together.
        factor: what the forecast is multiplied by.
        delta: what is added at each timestamp.
        reason: why, in a word, by which it is counted whether it has helped.
        note: why, in a sentence.
        by: who. Default: who is logged in; with `MLOPS_APPROVERS`, whose key `MLOPS_KEY` has.
        ends: `until`: it holds for later forecasts too, until its period has passed; `origin`: for the latest alone.
        replaces: number of the adjustment in whose place it is.
        dry_run: only show what would come of it.
        settings: where things are kept. Default: the environment's.

    Raises:
        UnknownNameError, SpecError: as `load_spec` does; there is no such item, sum or reason.
        AdjustmentError: it cannot be adjusted so; LockedError: somebody has locked it.
        UnprovenError: who does it has to prove who they are, and has not.
    """
    from mlops_assets.adjustments.adjuster import Adjuster, Wanted
    from mlops_assets.adjustments.log import AdjustmentError
    from mlops_assets.environments import open_stores

    amounts = {"value": value, "factor": factor, "delta": delta}
    given = [(kind, amount) for kind, amount in amounts.items() if amount is not None]
    if len(given) != 1:
        raise AdjustmentError("give one of value, factor and delta")
    ((kind, amount),) = given
    settings = or_default(settings)
    spec = load_spec(forecast, settings)
    wanted = Wanted(item, since, until, kind, amount, reason, note, ends, replaces)
    with open_stores(settings) as stores:
        who = by or "" if dry_run else stores.approvers.by_key(by, settings.key).name
        return Adjuster(stores.tables, spec, stores.clock).adjust(wanted, who, dry_run)


def value_added(forecast: Forecast, by: By = "all", *, settings: Settings | None = None) -> pd.DataFrame:
    """Return whether people have helped: the errors of what was published beside those of the system, on the same rows.

    Args:
        forecast: a name, a path or a spec.
        by: a row for each `person`, `reason`, `lead`, `kind` or `item`, or one for `all`.
        settings: where things are kept. Default: the environment's.

    Returns:
        What it is by, rows, adjustments, naive_error, system_error, published_error, value_added (above zero, people
        help), share (of the system's error) and better (share of the rows in which the published forecast is nearer).

    Raises:
        UnknownNameError, SpecError: as `load_spec` does.
    """
    from mlops_assets.adjustments.value_added import value_added
    from mlops_assets.environments import open_stores

    settings = or_default(settings)
    spec = load_spec(forecast, settings)
    with open_stores(settings) as stores:
        return value_added(stores.tables, spec, by)
