"""When a schedule ticks: a line of cron, by the wall clock of a zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from zoneinfo import ZoneInfo

from croniter import croniter

_MOMENT = timedelta(seconds=1)
"""Less than any two ticks are apart."""
_SET_BACK = timedelta(hours=3)
"""More than any clock is set back by."""


@dataclass(frozen=True)
class Ticks:
    """The ticks of a schedule, as Dagster makes them.

    A time that the clock skips ticks when it would have come. Of one that comes twice the second time does, and both
    where the schedule ticks in every hour.

    Attributes:
        cron: five fields, such as `0 6 * * *`.
        zone: whose clock it is.
        since: the moment (aware) that no tick lies before.
    """

    cron: str
    zone: ZoneInfo
    since: datetime

    def last(self, now: datetime) -> datetime | None:
        """Return the last tick until a moment (aware), in the zone; None before the second one, which ends a round."""
        until, found = _instant(now), None
        for first, tick in self._from(until + _MOMENT, back=True):
            if tick <= until:
                found = tick if found is None else max(found, tick)
            if found is not None and first < found - _SET_BACK:  # a time that comes later is not after it
                break
        return found.astimezone(self.zone) if found is not None and found > self._first else None

    def next(self, now: datetime) -> datetime:
        """Return the first tick from a moment (aware) on, in the zone."""
        since, found = _instant(now), None
        for first, tick in self._from(since - _SET_BACK):
            if found is not None and first >= found:
                break
            if tick >= since:
                found = tick if found is None else min(found, tick)
        assert found is not None, "cron has no end"
        return found.astimezone(self.zone)

    @cached_property
    def _first(self) -> datetime:
        return _instant(self.next(self.since))

    @cached_property
    def _every_hour(self) -> bool:
        return croniter.expand(self.cron)[0][1] == ["*"]

    def _from(self, start: datetime, back: bool = False) -> Iterator[tuple[datetime, datetime]]:
        """Yield, from a moment on, when the clock shows the time of each tick first, and when it ticks, in UTC."""
        line = croniter(self.cron, start.astimezone(self.zone))
        while True:
            tick: datetime = line.get_prev(datetime) if back else line.get_next(datetime)
            first, second = _instant(tick), _instant(tick.replace(fold=1))
            yield first, first if self._every_hour else max(first, second)


def _instant(moment: datetime) -> datetime:
    """Return a moment in UTC, where moments compare by when they are, not by what the clock of their zone shows."""
    return moment.astimezone(timezone.utc)
