"""What a question asks for: which items, from when to when, as it was known at which moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time

import pandas as pd

from mlops_assets.reading.questions import QuestionError, shown
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.rows import Only
from mlops_assets.settings import moment
from mlops_assets.spec import ForecastSpec

Moment = str | datetime
"""In ISO 8601, or a datetime (pandas' too)."""
ZONES = pd.Timedelta(days=2)
"""More than two clocks on Earth differ by."""
_DAY = len("2013-12-31")


@dataclass(frozen=True)
class Asked:
    """Which rows a question is about.

    Attributes:
        items: ids, none twice; None: all.
        since: the first timestamp, naive, in the spec's zone; None: no bound.
        until: the last one.
        as_of: what was known at this moment, naive, in UTC; None: what is known now.
    """

    items: tuple[str, ...] | None = None
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    as_of: pd.Timestamp | None = None

    @classmethod
    def of(
        cls,
        spec: ForecastSpec,
        clock: Clock,
        items: str | Collection[str] | None = None,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
    ) -> Asked:
        """Read a question.

        Args:
            spec: the forecast.
            clock: says what is still to come.
            items: an id, or some.
            start: in the spec's zone where it names no offset.
            end: the same; a day without a time is meant until its end.
            as_of: in UTC where it names no offset.

        Raises:
            QuestionError: it is no moment, the end lies before the start, or `as_of` is still to come.
        """
        since = None if start is None else timestamp_of(start, "start", spec)
        until = None if end is None else timestamp_of(end, "end", spec, last=True)
        if since is not None and until is not None and until < since:
            raise QuestionError(f"end={end} lies before start={start}", parameter="end")
        ids = None if items is None else tuple(dict.fromkeys([items] if isinstance(items, str) else map(str, items)))
        return cls(ids, since, until, None if as_of is None else _past(as_of, clock))

    @property
    def only(self) -> Only:
        """The rows, as stores take them."""
        return Only(self.items, self.since, self.until)

    @property
    def bounded(self) -> bool:
        """Whether a time is named."""
        return self.since is not None or self.until is not None

    def within(self, since: pd.Timestamp | None, until: pd.Timestamp | None = None) -> Asked:
        """Return the same question about another time."""
        return replace(self, since=since, until=until)

    def about(self, items: Sequence[str] | None) -> Asked:
        """Return the same question about other items."""
        return replace(self, items=None if items is None else tuple(items))


def timestamp_of(value: Moment, parameter: str, spec: ForecastSpec, last: bool = False) -> pd.Timestamp:
    """Read a timestamp as tables have it: naive, in the spec's zone.

    Args:
        value: what was given.
        parameter: its name, for the message.
        spec: the forecast.
        last: whether a day without a time means its end.

    Raises:
        QuestionError: it is none.
    """
    try:
        found = pd.Timestamp(value)
        if not 1677 < found.year < 2262:  # NaT too
            raise ValueError
    except (ValueError, TypeError):
        raise QuestionError(
            f"{parameter}={shown(value)!r} is not a timestamp such as 2013-12-31 or 2013-12-31T06:00",
            parameter=parameter,
        ) from None
    whole_day = isinstance(value, str) and len(value.strip()) == _DAY
    whole_day |= isinstance(value, date) and not isinstance(value, datetime)
    if last and whole_day:
        found = pd.Timestamp(datetime.combine(found.date(), time.max))
    return (found if found.tzinfo is None else found.tz_convert(spec.zone).tz_localize(None)).as_unit("us")


def moment_of(value: Moment, parameter: str) -> pd.Timestamp:
    """Read a moment, naive, in UTC; QuestionError if it is none."""
    try:
        return naive_utc(moment(value if isinstance(value, str) else value.isoformat())).as_unit("us")
    except ValueError as error:
        raise QuestionError(f"{parameter}={shown(value)!r} is {error}", parameter=parameter) from None


def _past(value: Moment, clock: Clock) -> pd.Timestamp:
    at, now = moment_of(value, "as_of"), naive_utc(clock.now())
    if at > now:
        raise QuestionError(
            f"as_of={value}: that moment is still to come, it is {now:%Y-%m-%d %H:%M} UTC", parameter="as_of"
        )
    return at
