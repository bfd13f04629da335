"""The schedule of the daily round: what a tick asks for, and what it makes up for."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.schedules import build_schedules
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets_tests.worlds import declare

UTC = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    """An instance with storage, as a schedule needs it."""
    with dg.DagsterInstance.local_temp(str(tmp_path_factory.mktemp("home"))) as made:
        yield made


@pytest.fixture
def tick(instance):
    """Evaluate the schedule at a moment: what it asks for, see `asked`, or why it does not."""

    def evaluate(spec, moment: datetime, tables=None):
        schedule = build_schedules(spec)[0]
        resources = {"tables": tables or MemoryTables()}
        with dg.build_schedule_context(instance, scheduled_execution_time=moment, resources=resources) as context:
            found = schedule(context)
        return [asked(request) for request in found] if isinstance(found, list) else found

    return evaluate


def asked(request):
    """The partition, or the first and last of them, and the run key."""
    first, last = (request.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    return request.partition_key or f"{first}...{last}", request.run_key


def forecast_from(*keys):
    """Tables in which some partitions of demo are ingested and forecast from."""
    tables = MemoryTables()
    for name in ("observations", "forecasts"):
        tables.write_all(["demo", name], {key: pd.DataFrame({"item_id": ["a"]}) for key in keys})
    return tables


def test_a_tick_asks_for_the_latest_complete_partition(world, tick):
    requests = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC))
    assert requests == [("2024-05-10", "2024-05-10")]


def test_the_zone_of_the_spec_decides_when_a_day_is_over(world, tick):
    spec = world(time_zone="America/New_York").spec
    assert tick(spec, datetime(2024, 5, 11, 3, tzinfo=UTC))[0][0] == "2024-05-09"


def test_before_the_first_partition_ends_it_says_so(world, tick):
    skip = tick(world().spec, datetime(2024, 3, 1, 6, tzinfo=UTC))
    assert "2024-03-01" in skip.skip_message


def test_no_schedule_in_the_spec_means_none(world):
    assert build_schedules(world(schedule=None).spec) == []


def test_names_say_which_round_it_is(tmp_path):
    ends = {"start": "2024-01-01", "end": "2024-06-01"}
    for frequency, kind, word in [("h", "hourly", "hourly"), ("D", None, "daily"), ("W-SUN", None, "weekly")]:
        spec = declare(tmp_path, frequency=frequency, partitions={**ends, **({"kind": kind} if kind else {})})
        (schedule, *_), (job, *_) = build_schedules(spec), build_jobs(spec)
        assert (schedule.name, job.name, schedule.job_name) == (f"demo_{word}_schedule", f"demo_{word}", f"demo_{word}")
        assert str(schedule.description).startswith(f"Runs the {word} round of demo for the latest complete partition")
        assert str(job.description).startswith(f"The {word} round of demo: ingest one partition")


WEEKLY = {"frequency": "W-SUN", "partitions": {"start": "2024-01-01", "end": "2024-06-01"}}


def test_the_name_that_every_round_had_in_release_0_1_0_goes_on_alone_while_it_is_running(tmp_path, instance):
    spec, moment = declare(tmp_path, **WEEKLY), datetime(2024, 5, 14, 6, tzinfo=UTC)

    def ask(schedule) -> Any:
        resources = {"tables": MemoryTables()}
        with dg.build_schedule_context(instance, scheduled_execution_time=moment, resources=resources) as context:
            return schedule(context)

    new, old = build_schedules(spec)
    jobs = {one.name: one for one in build_jobs(spec)}
    assert {one.default_status.name for one in (new, old)} == {"STOPPED"}
    assert (old.name, old.job_name) == ("demo_daily_schedule", "demo_daily")
    assert jobs["demo_daily"].selection == jobs["demo_weekly"].selection
    here = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "__repository__")
    state = InstigatorState(
        RemoteInstigatorOrigin(here, "demo_daily_schedule"),
        InstigatorType.SCHEDULE,
        InstigatorStatus.RUNNING,
        ScheduleInstigatorData("0 6 * * *", moment.timestamp()),
    )
    instance.add_instigator_state(state)
    assert [asked(request)[0] for request in ask(old)] == ["2024-05-05"]
    assert "left to demo_daily_schedule of here" in ask(new).skip_message
    instance.update_instigator_state(state.with_status(InstigatorStatus.STOPPED))
    requests = ask(new)
    assert [asked(request)[0] for request in requests] == ["2024-05-05"]

    @dg.job
    def demo_daily():
        pass

    run = instance.create_run_for_job(demo_daily, tags=requests[0].tags, status=dg.DagsterRunStatus.SUCCESS)
    assert "an earlier tick has asked" in ask(new).skip_message, "whichever name asked for it"
    instance.delete_run(run.run_id)


@pytest.mark.parametrize("said", [True, False])
def test_a_forecast_that_says_what_runs_has_no_old_names(tmp_path, said):
    spec = declare(tmp_path, **WEEKLY, automation=said)
    assert [one.name for one in build_schedules(spec)] == ["demo_weekly_schedule"] * said
    assert "demo_daily" not in {one.name for one in build_jobs(spec)}


def test_a_daemon_that_slept_makes_up_for_all_ticks_in_one_run(world, tick):
    tables = forecast_from("2024-05-05", "2024-05-06")
    requests = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC), tables)
    assert requests == [("2024-05-07...2024-05-10", "2024-05-07 2024-05-10 with 2024-05-10")]


def test_a_partition_is_asked_for_by_one_tick_however_its_round_ends(world, tick, instance):
    @dg.job
    def demo_daily():
        pass

    spec, tables = world().spec, forecast_from("2024-05-06")
    with dg.build_schedule_context(
        instance, scheduled_execution_time=datetime(2024, 5, 11, 6, tzinfo=UTC), resources={"tables": tables}
    ) as context:
        found: Any = build_schedules(spec)[0](context)
    (request,) = found
    run = instance.create_run_for_job(demo_daily, tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    later = datetime(2024, 5, 11, 6, 1, tzinfo=UTC)
    assert "an earlier tick has asked for 2024-05-10" in tick(spec, later, tables).skip_message
    instance.report_run_failed(run)
    assert "an earlier tick has asked for 2024-05-10" in tick(spec, later, tables).skip_message
    next_day = datetime(2024, 5, 12, 6, tzinfo=UTC)
    assert tick(spec, next_day, tables) == [("2024-05-07...2024-05-11", "2024-05-07 2024-05-11 with 2024-05-11")]
    instance.delete_run(run.run_id)


def test_holes_between_forecasts_are_runs_of_their_own(world, tick):
    tables = forecast_from("2024-05-02", "2024-05-05", "2024-05-07", "2024-05-08", "2024-05-09")
    requests = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC), tables)
    assert requests == [
        ("2024-05-03...2024-05-04", "2024-05-03 2024-05-04 with 2024-05-10"),
        ("2024-05-06", "2024-05-06 2024-05-06 with 2024-05-10"),
        ("2024-05-10", "2024-05-10"),
    ]


def test_a_round_that_is_under_way_is_not_asked_for_again(world, tick, instance):
    tables = forecast_from("2024-05-05", "2024-05-06")

    @dg.job
    def demo_daily():
        pass

    tags = {"dagster/asset_partition_range_start": "2024-05-07", "dagster/asset_partition_range_end": "2024-05-09"}
    run = instance.create_run_for_job(demo_daily, status=dg.DagsterRunStatus.STARTED, tags=tags)
    requests = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC), tables)
    assert requests == [("2024-05-10", "2024-05-10")]
    instance.report_run_failed(run)
    assert tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC), tables)[0][0] == "2024-05-07...2024-05-10"


@pytest.mark.parametrize(
    ("schedule", "partitions"),
    [("0 6 * * 1", ["2024-04-28", "2024-05-05", "2024-05-12"]), ("0 6 1 * *", ["2024-04-30", "2024-05-12"])],
)
def test_only_what_a_tick_asked_for_is_made_up_for(world, tick, schedule, partitions):
    spec = world(schedule=schedule).spec
    requests = tick(spec, datetime(2024, 5, 13, 6, tzinfo=UTC), forecast_from("2024-04-23"))
    assert [partition for partition, _ in requests] == partitions


def test_tables_that_do_not_answer_take_no_round_away(world, tick):
    from mlops_assets.resources.databases import DatabaseUnavailableError

    class Dead(MemoryTables):
        def partitions(self, key):
            raise DatabaseUnavailableError("nobody answers")

    requests = tick(world().spec, datetime(2024, 5, 11, 6, tzinfo=UTC), Dead())
    assert requests == [("2024-05-10", "2024-05-10")]
