"""The same over real HTTP, with a service that goes wrong in every way that the stand-in knows."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.automation.collecting import build_collect_job, collect_request
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets_tests.stages.external.service import DAY, Shop

ROWS = 4 * 7
OURS = "seasonal_naive"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, stand_in: StandIn) -> Shop:
    """A shop whose service is champion."""
    made = Shop(tmp_path, stand_in.url)
    made.switch("champion")
    return made


def test_what_the_service_has_made_is_delivered(shop: Shop, stand_in: StandIn) -> None:
    shop.round()
    shop.look()
    assert shop.roles() == {OURS: ({"shadow"}, {"waiting"}, ROWS), "rest": ({"delivered"}, {"champion"}, ROWS)}
    assert stand_in.world.calls()[0] == {
        "operation": "rest.submit",
        "job": shop.jobs.ledger.of()[0].external_name,
        "count": 1,
    }


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        ("hang", "expired", "not done by its deadline"),
        ("fail", "failed", ""),
        ("lie", "refused", "though it said that the job is done"),
        ("unknown_state", "expired", "levitating"),
        ("short_rows", "refused", "4 of 4 items have less than 7 steps"),
        ("doubled_rows", "refused", "are twice"),
        ("unknown_items", "refused", "never observed"),
        ("other_forecast", "refused", "not within the 7 steps after 2024-05-10"),
    ],
)
def test_a_service_that_goes_wrong_is_late_and_leaves_no_row(
    shop: Shop, stand_in: StandIn, fault: str, state: str, reason: str
) -> None:
    stand_in.world.faults.all.append(Fault(fault))
    shop.round()
    shop.look()
    shop.look(hours=10)
    (job,) = shop.jobs.ledger.of()
    assert job.state == state
    assert reason in job.error
    assert shop.roles() == {OURS: ({"delivered"}, {"late"}, ROWS)}
    assert not shop.tables.exists(["demo", "external_forecasts"])
    assert shop.tables.read(["demo", "alerts"])["event"].tolist() == ["late"]


def test_a_run_of_dagster_fetches_what_is_there_and_tells_that_the_forecasts_have_changed(
    shop: Shop, stand_in: StandIn
) -> None:
    stand_in.world.faults.all.append(Fault("not_json", operation="rest.result", times=1))
    shop.round()
    shop.look()
    (job,) = shop.jobs.ledger.of()
    assert job.state == "succeeded", "half an answer may be whole the next time"
    resources = {name: getattr(shop, name) for name in ("tables", "notifications", "clock", "jobs")}
    request = collect_request(shop.spec, job.job_key, job.state)
    for first in (True, False):
        with dg.DagsterInstance.ephemeral() as instance:
            done = build_collect_job(shop.spec).execute_in_process(
                run_config=request.run_config, resources=resources, instance=instance, tags=request.tags
            )
            key = dg.AssetKey(["demo", "forecasts"])
            event = instance.get_latest_materialization_event(key)
        assert done.success
        assert shop.roles()["rest"] == ({"delivered"}, {"champion"}, ROWS)
        if first:
            assert event is not None
            assert event.asset_materialization is not None
            assert event.asset_materialization.partition == DAY
        else:
            assert event is None, "it was dealt with"
