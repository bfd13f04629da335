"""The schedule of the daily round."""

from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from mlops_assets.automation.schedules import build_schedules


def tick(spec, moment: datetime):
    (schedule,) = build_schedules(spec)
    return schedule(dg.build_schedule_context(scheduled_execution_time=moment))


def test_a_tick_asks_for_the_latest_complete_partition(world):
    request = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=ZoneInfo("UTC")))
    assert (request.partition_key, request.run_key) == ("2024-05-10", "2024-05-10")


def test_the_zone_of_the_spec_decides_when_a_day_is_over(world):
    spec = world(time_zone="America/New_York").spec
    request = tick(spec, datetime(2024, 5, 11, 3, tzinfo=ZoneInfo("UTC")))
    assert request.partition_key == "2024-05-09"


def test_before_the_first_partition_ends_it_says_so(world):
    skip = tick(world().spec, datetime(2024, 3, 1, 6, tzinfo=ZoneInfo("UTC")))
    assert "2024-03-01" in skip.skip_message


def test_no_schedule_in_the_spec_means_none(world):
    assert build_schedules(world(schedule=None).spec) == []
