"""The sensor `jobs`: asks services, holds no run, and starts one for each result."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.automation.collecting import build_collect_job
from mlops_assets.automation.polling import TRIES, build_polling_sensor
from mlops_assets.catalog.run_tags import JOB_KEY
from mlops_assets_tests.stages.external.service import DAY, EXTERNAL, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


class Ticks:
    """The sensor over a shop, with the cursor that it leaves behind."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.cursor = shop, None
        self.instance = dg.DagsterInstance.ephemeral()
        (self.sensor,) = build_polling_sensor([shop.spec], [build_collect_job(shop.spec)])

    def __call__(self) -> Any:
        resources = {"tables": self.shop.tables, "jobs": self.shop.jobs}
        with dg.build_sensor_context(self.instance, cursor=self.cursor, resources=resources) as context:
            found = self.sensor(context)
            self.cursor = context.cursor
        return found


def test_a_forecast_without_a_service_has_no_such_sensor(shop: Shop):
    assert build_polling_sensor([shop.spec.model_copy(update={"external": None})], []) == []


def test_a_result_that_is_there_starts_one_run(shop: Shop):
    tick = Ticks(shop)
    assert tick().skip_message == "no job is due"
    assert tick.cursor is None
    shop.round()
    assert tick().skip_message == "looked at 1 jobs; none has ended"
    assert json.loads(tick.cursor) == {"demo": "2024-05-11T06:00:00"}
    shop.at("2024-05-11T07:00")
    (request,) = tick()
    (job,) = shop.jobs.ledger.of("demo")
    assert (request.job_name, request.run_key) == ("demo_collect", f"{job.job_key} succeeded 1")
    assert request.run_config == {"ops": {"demo__collect": {"config": {"job_key": job.job_key}}}}
    assert (request.tags[JOB_KEY], job.partition, job.state) == (job.job_key, DAY, "succeeded")


def test_a_run_that_failed_is_tried_again_and_not_for_ever(shop: Shop):
    tick = Ticks(shop)
    shop.round()
    tick()
    for number in range(1, TRIES + 3):
        shop.at(f"2024-05-11T{6 + number:02}:00")
        found = tick()
        if number <= TRIES:
            assert found[0].run_key.endswith(f" succeeded {number}")
            run = tick.instance.create_run_for_job(
                build_collect_job(shop.spec), run_config=found[0].run_config, tags=found[0].tags
            )
            shop.at(f"2024-05-11T{6 + number:02}:30")
            assert "none has ended" in tick().skip_message  # it is under way
            tick.instance.report_run_failed(run)
        else:
            assert "none has ended" in found.skip_message


@pytest.mark.parametrize(
    ("deadline", "begun"), [("10h", [0, 3, 9, 40, 140]), ("2h", [0, 3, 9, 40, 65])], ids=["far", "near"]
)
def test_tries_are_spread_over_hours_and_one_is_at_the_deadline(tmp_path: Path, deadline: str, begun: list[int]):
    shop = Shop(tmp_path, external={**EXTERNAL, "deadline": deadline})
    tick = Ticks(shop)
    shop.round()
    tick()
    found = []
    for minute in (0, 1, 3, 6, 9, 20, 40, 65, 100, 140, 600):
        shop.at((pd.Timestamp("2024-05-11T07:00") + pd.Timedelta(minutes=minute)).isoformat())
        if isinstance(asked := tick(), list):
            found.append(minute)
            run = tick.instance.create_run_for_job(
                build_collect_job(shop.spec), run_config=asked[0].run_config, tags=asked[0].tags
            )
            tick.instance.report_run_failed(run)
    assert found == begun


def test_a_job_that_came_to_nothing_starts_a_run_that_tells(shop: Shop):
    tick = Ticks(shop)
    shop.service.done = False
    shop.round()
    tick()
    shop.at("2024-05-11T17:00")
    (request,) = tick()
    (job,) = shop.jobs.ledger.of("demo")
    assert request.run_key == f"{job.job_key} expired 1"
