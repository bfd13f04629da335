"""Files of calendars: the events of a table or of iCalendar, read once as long as a file stays as it is."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.errors import MissingExtraError
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.forecasting.data.numbers import PLAIN, read_numbers
from mlops_assets.forecasting.data.parsing import read_item_ids, read_moments, read_texts
from mlops_assets.forecasting.model import extensions
from mlops_assets.sources.base import SourceError, read_all, require
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import FileSource, ForecastSpec
from mlops_assets.spec.joined import Calendar

_DAY = pd.Timedelta(days=1)
_TOLD = 3
_LOOKED_AT = 200
"""Events after a window among which the next one of the wanted kinds is looked for."""


@dataclass(frozen=True)
class Events:
    """What a calendar says.

    Attributes:
        spans: a row for each event: start, end (naive, in the spec's zone, the end excluded), value, key (whose it is,
            as `joins.item_keys` has it; None: everybody's).
        begin: since when the calendar is known: its first event, also one that only later repetitions are told of.
    """

    spans: pd.DataFrame
    begin: pd.Timestamp


@dataclass(frozen=True)
class _File:
    """A calendar's file as it was at a moment; equal to another where the same events would be read.

    Attributes:
        path: as the spec has it.
        state: time of modification (ns) and size; None of what is no file of this machine, and read each time.
        window: of events that recur for ever, and of a function's, those within it are told; None of a table.
        options: all that the spec says of the calendar, with its folder and time zone.
        spec: the forecast.
        calendar: the one.
    """

    path: str
    state: tuple[int, int] | None
    window: Window | None
    options: tuple[str, ...]
    spec: ForecastSpec = field(compare=False)
    calendar: Calendar = field(compare=False)

    @classmethod
    def of(cls, spec: ForecastSpec, calendar: Calendar, path: str, window: Window) -> "_File":
        """Look at a file; the window is widened to whole years, so that many frames ask for the same."""
        years = Window(pd.Timestamp(window.start.year, 1, 1), pd.Timestamp(window.end.year + 1, 1, 1))
        options = (str(spec.folder), str(spec.zone), calendar.model_dump_json())
        try:
            found = (spec.folder / Path(path).expanduser()).stat()
        except OSError:
            state = None
        else:
            state = (found.st_mtime_ns, found.st_size)
        return cls(path, state, years if calendar.says_when or calendar.events else None, options, spec, calendar)

    def read(self) -> Events:
        """Read it, unless it was read as it is."""
        return _read(self) if self.state is None else _read_once(self)


def read_events(spec: ForecastSpec, calendar: Calendar, window: Window) -> Events:
    """Read a calendar's files.

    Args:
        spec: says where, and in which time zone.
        calendar: the one.
        window: of events that recur for ever, only those within it are told.

    Raises:
        SourceError: a file cannot be read, or has a row that is no event; the message names the first of them.
        MissingExtraError: iCalendar without its library.
    """
    read = {key: _File.of(spec, calendar, path, window).read() for key, path in calendar.paths.items()}
    parts = [one.spans if key is None else one.spans.assign(key=key) for key, one in read.items()]
    spans = pd.concat(parts).sort_values("start", kind="stable", ignore_index=True)
    if spans.empty:
        of_kinds = f" of the kinds {', '.join(calendar.kinds)}" if calendar.kinds else ""
        raise SourceError(f"calendar {calendar.name}: no event{of_kinds} in {', '.join(calendar.paths.values())}")
    return Events(spans, min(one.begin for one in read.values()))


def _read(file: _File) -> Events:
    if file.window is not None and file.calendar.events is not None:
        return Events(_of_table(file.spec, file.calendar, file.path, file.window), file.window.start)
    if file.window is not None:
        return _of_icalendar(file.spec, file.calendar, file.path, file.window)
    spans = _of_table(file.spec, file.calendar, file.path)
    return Events(spans, spans["start"].min() if len(spans) else pd.Timestamp.max)


_read_once = lru_cache(maxsize=64)(_read)


def _of_table(spec: ForecastSpec, calendar: Calendar, path: str, window: Window | None = None) -> pd.DataFrame:
    start = calendar.start or calendar.date or "date"
    end = calendar.end or start
    by = [] if isinstance(calendar.path, dict) else calendar.by
    columns = list(dict.fromkeys([start, end, *by, *filter(None, [calendar.value, calendar.kind])]))
    name, raw = _of_function(calendar, columns, window) if window else _of_file(spec, calendar, path, columns)
    if calendar.kinds and calendar.kind is not None:
        raw = raw[read_texts(raw[calendar.kind]).isin(calendar.kinds)].reset_index(drop=True)
    begins, ends = (read_moments(raw[name], spec.zone, calendar.date_format)[0] for name in (start, end))
    form = calendar.date_format or "ISO 8601"
    if calendar.end is not None:
        empty = raw[end].isna() | (raw[end].astype(str).str.strip() == "")
        ends = ends.where(~empty, begins)
    _refuse(name, raw, [(edge, f"is not {form}", moments) for edge, moments in ((start, begins), (end, ends))])
    values = pd.Series(1.0, index=raw.index)
    if calendar.value is not None:
        values = read_numbers(raw[calendar.value], PLAIN, booleans=True, sources=raw[ROW_SOURCE]).values
        _refuse(name, raw, [(calendar.value, "is no number", values)])
    if (begins == begins.dt.normalize()).all() and (ends == ends.dt.normalize()).all():
        ends = ends + _DAY
    backwards = ends <= begins
    _refuse(name, raw, [(end, f"is before {start}", ends.mask(backwards))])
    keys = read_item_ids([raw[column] for column in by]) if by else None
    if keys is not None:
        _refuse(name, raw, [(column, "is empty", read_texts(raw[column])) for column in by])
    return pd.DataFrame({"start": begins, "end": ends, "value": values, "key": keys})


def _of_file(spec: ForecastSpec, calendar: Calendar, path: str, columns: Sequence[str]) -> tuple[str, pd.DataFrame]:
    """Return a file's name and its rows."""
    fields = calendar.model_dump(include={"encoding", "delimiter", "complete"})
    reader = open_source(spec, FileSource(kind="file", path=path, **fields))
    whole = Window(pd.Timestamp(1700, 1, 1), pd.Timestamp(2200, 1, 1))
    return reader.name, read_all(reader, columns, columns[0], whole)


def _of_function(calendar: Calendar, columns: Sequence[str], window: Window) -> tuple[str, pd.DataFrame]:
    """Return the name of a function of somebody's own, and the rows that it gives for a window."""
    name = str(calendar.events)
    function = extensions.resolve(extensions.CALENDARS, name)
    rows = extensions.called(extensions.CALENDARS, name, function, window.start, window.end, **calendar.parameters)
    if not isinstance(rows, pd.DataFrame):
        raise extensions.ExtensionError(f"the calendar {name!r} gives {type(rows).__name__}, not a pandas.DataFrame")
    require(name, columns, list(map(str, rows.columns)))
    return name, rows[list(columns)].assign(**{ROW_SOURCE: name, ROW_NUMBER: range(1, len(rows) + 1)})


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


def _of_icalendar(spec: ForecastSpec, calendar: Calendar, path: str, window: Window) -> Events:
    """Read the events of a window, and the next one after it: until then it is known that there is none."""

    def wanted(events: Iterable[Any]) -> Iterator[Any]:
        return (one for one in events if not calendar.kinds or str(one.get("SUMMARY", "")) in calendar.kinds)

    file = spec.folder / Path(path).expanduser()
    try:
        import icalendar
        import recurring_ical_events
    except ImportError:
        raise MissingExtraError.of(f"{file}: reading iCalendar", "icalendar", "icalendar", "or write a CSV") from None
    try:
        parsed = icalendar.Calendar.from_ical(file.read_bytes())
        query: Any = recurring_ical_events.of(parsed)
        found = [*wanted(query.between(window.start, window.end))]
        later = (one for one in query.after(window.end) if _naive(one.start, spec) >= window.end)
        found += islice(wanted(islice(later, _LOOKED_AT)), 1)
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error.strerror}); see calendars in the spec") from None
    except ValueError as error:
        raise SourceError(f"{file}: no iCalendar that can be read: {error}") from None
    edges = {edge: [_naive(getattr(event, edge), spec) for event in found] for edge in ("start", "end")}
    spans = pd.DataFrame(edges, dtype="datetime64[us]").assign(value=1.0, key=None)
    first = min((_naive(event.start, spec) for event in wanted(parsed.walk("VEVENT"))), default=window.end)
    return Events(spans[spans["end"] > spans["start"]], first)


def _naive(moment: date, spec: ForecastSpec) -> pd.Timestamp:
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return pd.Timestamp(moment).tz_convert(spec.zone).tz_localize(None)
    return pd.Timestamp(moment)
