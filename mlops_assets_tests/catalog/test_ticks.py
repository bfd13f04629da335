"""A schedule ticks when Dagster lets it, also on days on which the clocks are set."""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from mlops_assets.catalog.ticks import Ticks

ZONES = {
    "Europe/Berlin": ("2024-03-31", "2024-10-27"),
    "America/New_York": ("2024-03-10", "2024-11-03"),
    "America/Santiago": ("2024-04-07", "2024-09-08"),
    "UTC": ("2024-06-05",),
}
LINES = ("0 6 * * *", "30 2 * * *", "0 * * * *", "*/15 * * * *", "@daily", "0 2 * * 0", "10,40 1-3 * * *", "0 0 1 * *")


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("line", LINES)
def test_ticks_are_those_of_dagster(line: str, zone: str):
    since = "2024-03-30"
    theirs = dg.TimeWindowPartitionsDefinition(since, "%Y-%m-%d", cron_schedule=line, timezone=zone)
    ours = Ticks(line, ZoneInfo(zone), datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(zone)))
    for day in ZONES[zone]:
        for quarters in range(-40, 160, 13):
            now = datetime.fromisoformat(day).replace(tzinfo=timezone.utc) + timedelta(minutes=15 * quarters)
            if now < ours.since:
                continue
            before, after = theirs.get_prev_partition_window(now), theirs.get_next_partition_window(now, False)
            assert after is not None
            assert ours.next(now).timestamp() == after.start.timestamp(), now
            last = ours.last(now)
            assert (last and last.timestamp()) == (before and before.end.timestamp()), now
