"""Calendars: events read from files, and what observations know of them."""

from datetime import datetime

import pandas as pd

from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.data.events import features
from mlops_assets.forecasting.data.joins import item_keys
from mlops_assets.forecasting.formatting import counted, few
from mlops_assets.sources.calendar_files import Events, read_events
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.joined import Calendar

_DAY = pd.Timedelta(days=1)
_MARGIN = pd.Timedelta(days=400)
"""Around the time in question; events that recur for ever are looked at within it."""
_TOLD = 3


def with_calendars(spec: ForecastSpec, frame: pd.DataFrame, items: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a frame with the columns that the spec's calendars make.

    What lies before a calendar's first event, or after its end, is not known: there they are missing.

    Args:
        spec: names the calendars.
        frame: item_id and timestamp among its columns.
        items: canonical frame that says which calendar's events are an item's. Default: the same.

    Raises:
        SourceError: a file cannot be read, or has a row that is no event.
        MissingExtraError: iCalendar without its library.
    """
    if frame.empty:
        return frame.assign(**{name: pd.Series(dtype=float) for name in spec.calendar_columns})
    for calendar in spec.calendars:
        frame = _with(spec, calendar, frame, frame if items is None else items)
    return frame


def probe(spec: ForecastSpec, calendar: Calendar, now: datetime) -> str:
    """Read a calendar, and say in words what was found; raises as `read_events` does."""
    moment = pd.Timestamp(now).tz_convert(spec.zone).tz_localize(None)
    events = read_events(spec, calendar, Window(moment - _MARGIN, moment + _MARGIN))
    last = end_of(calendar, events) - pd.Timedelta(microseconds=1)
    return f"{', '.join(calendar.paths.values())}, {counted(len(events.spans), 'event')}, known until {last:%Y-%m-%d}"


def unmatched(spec: ForecastSpec, items: pd.DataFrame) -> list[str]:
    """Say of which events no item is: those of a value of `by` that no item has; raises as `read_events` does.

    Args:
        spec: names the calendars.
        items: canonical frame of all items.
    """
    window, said = Window(items["timestamp"].min() - _MARGIN, items["timestamp"].max() + _MARGIN), []
    for calendar in spec.calendars:
        if calendar.by:
            known = item_keys(items, calendar.by, spec.columns.item_id)
            strange = sorted({*read_events(spec, calendar, window).spans["key"].dropna()} - {*known.dropna()})
            if strange:
                by = "/".join(calendar.by)
                said.append(f"calendar {calendar.name}: no item has the {by} of some events: {few(strange, _TOLD)}")
    return said


def end_of(calendar: Calendar, events: Events) -> pd.Timestamp:
    """Return until when a calendar is known, the end excluded."""
    last = events.spans["end"].max()
    return last if calendar.until is None else max(last, pd.Timestamp(calendar.until) + _DAY)


def _with(spec: ForecastSpec, calendar: Calendar, frame: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    times = frame["timestamp"]
    window = Window(times.min() - _MARGIN, times.max() + _MARGIN)
    events = read_events(spec, calendar, window)
    keys = frame["item_id"].map(item_keys(items, calendar.by, spec.columns.item_id)) if calendar.by else None
    parts = []
    for key, rows in frame.groupby(keys, dropna=False) if keys is not None else [(None, frame)]:
        spans = events.spans[(events.spans["key"] == key) | events.spans["key"].isna()]
        parts.append(features(calendar.name, rows["timestamp"], spans, spec.frequency, spec.columns.stamp == "end"))
    made = pd.concat(parts).reindex(frame.index)
    known = (times >= events.begin.normalize()) & (times < end_of(calendar, events))
    return frame.assign(**{str(name): values.where(known) for name, values in made.items()})
