"""Calendars: events read from files, and what observations know of them."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.errors import MissingExtraError
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.forecasting.data.events import features
from mlops_assets.forecasting.data.joins import item_keys
from mlops_assets.forecasting.data.numbers import PLAIN, read_numbers
from mlops_assets.forecasting.data.parsing import read_item_ids, read_moments, read_texts
from mlops_assets.forecasting.formatting import counted, few
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import FileSource, ForecastSpec
from mlops_assets.spec.joined import Calendar

_DAY = pd.Timedelta(days=1)
_MARGIN = pd.Timedelta(days=400)
"""Around the time in question; events that recur for ever are looked at within it."""
_TOLD = 3
_COLUMNS = ["start", "end", "value", "key"]


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
    return f"{', '.join(calendar.paths.values())}, {counted(len(events), 'event')}, known until {last:%Y-%m-%d}"


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
            strange = sorted({*read_events(spec, calendar, window)["key"].dropna()} - {*known.dropna()})
            if strange:
                by = "/".join(calendar.by)
                said.append(f"calendar {calendar.name}: no item has the {by} of some events: {few(strange, _TOLD)}")
    return said


def end_of(calendar: Calendar, events: pd.DataFrame) -> pd.Timestamp:
    """Return until when a calendar is known, the end excluded."""
    last = events["end"].max()
    return last if calendar.until is None else max(last, pd.Timestamp(calendar.until) + _DAY)


def read_events(spec: ForecastSpec, calendar: Calendar, window: Window) -> pd.DataFrame:
    """Read a calendar's files.

    Args:
        spec: says where, and in which time zone.
        calendar: the one.
        window: of events that recur for ever, only those within it are told.

    Returns:
        A row for each event: start, end (naive, in the spec's zone, the end excluded), value, key (whose it is, as
        `joins.item_keys` has it; None: everybody's).

    Raises:
        SourceError: a file cannot be read, or has a row that is no event; the message names the first of them.
        MissingExtraError: iCalendar without its library.
    """
    frames = []
    for key, path in calendar.paths.items():
        read = _of_icalendar if calendar.says_when else _of_table
        events = read(spec, calendar, path, window)
        frames.append(events if key is None else events.assign(key=key))
    found = pd.concat(frames, ignore_index=True).sort_values("start", kind="stable", ignore_index=True)
    if found.empty:
        of_kinds = f" of the kinds {', '.join(calendar.kinds)}" if calendar.kinds else ""
        raise SourceError(f"calendar {calendar.name}: no event{of_kinds} in {', '.join(calendar.paths.values())}")
    return found


def _with(spec: ForecastSpec, calendar: Calendar, frame: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    times = frame["timestamp"]
    window = Window(times.min() - _MARGIN, times.max() + _MARGIN)
    events = read_events(spec, calendar, window)
    keys = frame["item_id"].map(item_keys(items, calendar.by, spec.columns.item_id)) if calendar.by else None
    parts = []
    for key, rows in frame.groupby(keys, dropna=False) if keys is not None else [(None, frame)]:
        spans = events[(events["key"] == key) | events["key"].isna()]
        parts.append(features(calendar.name, rows["timestamp"], spans, spec.frequency, spec.columns.stamp == "end"))
    made = pd.concat(parts).reindex(frame.index)
    known = (times >= events["start"].min().normalize()) & (times < end_of(calendar, events))
    return frame.assign(**{str(name): values.where(known) for name, values in made.items()})


def _of_table(spec: ForecastSpec, calendar: Calendar, path: str, window: Window) -> pd.DataFrame:
    fields = calendar.model_dump(include={"encoding", "delimiter", "complete"})
    reader = open_source(spec, FileSource(kind="file", path=path, **fields))
    start = calendar.start or calendar.date or "date"
    end = calendar.end or start
    by = calendar.by if isinstance(calendar.path, str) else []
    columns = list(dict.fromkeys([start, end, *by, *filter(None, [calendar.value, calendar.kind])]))
    raw = read_all(reader, columns, start, Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1)))
    if calendar.kinds and calendar.kind is not None:
        raw = raw[read_texts(raw[calendar.kind]).isin(calendar.kinds)].reset_index(drop=True)
    begins, ends = (read_moments(raw[name], spec.zone, calendar.date_format)[0] for name in (start, end))
    form = calendar.date_format or "ISO 8601"
    if calendar.end is not None:
        empty = raw[end].isna() | (raw[end].astype(str).str.strip() == "")
        ends = ends.where(~empty, begins)
    _refuse(reader.name, raw, [(name, f"is not {form}", moments) for name, moments in ((start, begins), (end, ends))])
    values = pd.Series(1.0, index=raw.index)
    if calendar.value is not None:
        values = read_numbers(raw[calendar.value], PLAIN, booleans=True, sources=raw[ROW_SOURCE]).values
        _refuse(reader.name, raw, [(calendar.value, "is no number", values)])
    if (begins == begins.dt.normalize()).all() and (ends == ends.dt.normalize()).all():
        ends = ends + _DAY
    backwards = ends <= begins
    _refuse(reader.name, raw, [(end, f"is before {start}", ends.mask(backwards))])
    keys = read_item_ids([raw[name] for name in by]) if by else None
    if keys is not None:
        _refuse(reader.name, raw, [(name, "is empty", read_texts(raw[name])) for name in by])
    return pd.DataFrame({"start": begins, "end": ends, "value": values, "key": keys}, columns=_COLUMNS)


def _refuse(name: str, raw: pd.DataFrame, columns: Sequence[tuple[str, str, pd.Series]]) -> None:
    """Raise SourceError, with the first rows of which something is missing in a column that was read."""
    wrong = []
    if ROW_PROBLEM in raw:
        torn = raw[raw[ROW_PROBLEM].notna()]
        wrong = [f"row {number}: {words}" for number, words in zip(torn[ROW_NUMBER], torn[ROW_PROBLEM], strict=True)]
    for column, what, read in columns if not wrong else ():
        for place in read.index[read.isna()]:
            wrong.append(f"row {raw[ROW_NUMBER][place]}: column {column}: {raw[column][place]!r} {what}")
    if wrong:
        more = f"; and {len(wrong) - _TOLD} more" if len(wrong) > _TOLD else ""
        raise SourceError(f"{name}: {'; '.join(wrong[:_TOLD])}{more}")


def _of_icalendar(spec: ForecastSpec, calendar: Calendar, path: str, window: Window) -> pd.DataFrame:
    file = spec.folder / Path(path).expanduser()
    try:
        import icalendar
        import recurring_ical_events
    except ImportError:
        raise MissingExtraError.of(f"{file}: reading iCalendar", "icalendar", "icalendar", "or write a CSV") from None
    try:
        parsed = icalendar.Calendar.from_ical(file.read_bytes())
        found: list[Any] = recurring_ical_events.of(parsed).between(window.start, window.end)
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror}); see calendars in the spec") from None
    except ValueError as error:
        raise SourceError(f"{file}: no iCalendar that can be read: {error}") from None
    rows = [
        {"start": _naive(event.start, spec), "end": _naive(event.end, spec), "value": 1.0}
        for event in found
        if not calendar.kinds or str(event.get("SUMMARY", "")) in calendar.kinds
    ]
    events = pd.DataFrame(rows, columns=_COLUMNS).astype({"start": "datetime64[us]", "end": "datetime64[us]"})
    return events[events["end"] > events["start"]]


def _naive(moment: date, spec: ForecastSpec) -> pd.Timestamp:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return pd.Timestamp(moment).tz_convert(spec.zone).tz_localize(None)
    return pd.Timestamp(moment)
