"""Amazon Forecast by unmodified boto3, the whole chain against the stand-in."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    ServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets_tests.jobs.providers.conftest import CANARY
from mlops_assets_tests.jobs.providers.shop import ITEMS, Shop, submitted_in_vain, told

EXTERNAL = """\
external:
  service: amazon_forecast
  exchange: {exchange}
  every: week
  amazon_forecast: {{region: eu-west-1, role_arn: 'arn:aws:iam::123456789012:role/forecast', endpoint_url: '{url}'}}
"""


def shop_at(stand_in: StandIn, folder: Path | str, frequency: str = "D", url: str = "") -> Shop:
    return Shop(EXTERNAL.format(url=url or stand_in.url, exchange=folder), folder, frequency)


@pytest.fixture
def shop(stand_in: StandIn, tmp_path: Path) -> Shop:
    return shop_at(stand_in, tmp_path)


@pytest.mark.parametrize("frequency", ["D", "W-SUN", "ME", "h"])
def test_the_whole_chain_ends_in_rows_on_our_grid(stand_in: StandIn, tmp_path: Path, frequency: str):
    shop = shop_at(stand_in, tmp_path, frequency)
    rows, jobs = shop.run()
    assert [job.step for job in jobs] == ["import", "predictor", "forecast", "export"]
    assert sorted(rows.columns) == ["item_id", "mean", "q10", "q50", "q90", "timestamp"]
    assert sorted(set(rows["item_id"])) == sorted(ITEMS)
    assert [*rows[rows["item_id"] == "shoes"]["timestamp"]] == [*shop.steps]
    kinds = pd.Series([thing.kind for thing in stand_in.world.things()]).value_counts().to_dict()
    assert kinds == {
        "Dataset": 3, "DatasetImportJob": 3, "DatasetGroup": 1, "AutoPredictor": 1, "Forecast": 1,
        "ForecastExportJob": 1,
    }  # fmt: skip


def test_what_is_imported_is_what_is_known(shop: Shop, stand_in: StandIn):
    shop.provider.submit(shop.jobs()[0], shop)
    held = {thing.request["DatasetType"]: thing.held for thing in stand_in.world.things("Dataset")}
    assert len(held["TARGET_TIME_SERIES"]) == 3 * 60 - 1, "an unknown target is left out"
    assert held["RELATED_TIME_SERIES"]["timestamp"].max() == shop.steps[-1]
    assert [*held["ITEM_METADATA"].columns] == ["item_id", "colour"]


def test_the_predictor_is_trained_once_a_week(shop: Shop):
    def keys(origin: str) -> list[str]:
        request = replace(shop.request, origin=pd.Timestamp(origin), partition=origin, data_version=origin)
        return [f"{step.reuse} {step.parameters}" for step in shop.provider.steps(request)]

    monday, sunday, next_monday = keys("2026-03-02"), keys("2026-03-08"), keys("2026-03-09")
    assert monday[1] == sunday[1]
    assert monday[1] != next_monday[1]
    assert monday[0] != sunday[0]


def test_a_second_round_reuses_the_group_and_the_predictor(shop: Shop, stand_in: StandIn):
    _, done = shop.run()
    later = replace(shop.request, data_version="data-2")
    steps = shop.provider.steps(later)
    job = replace(done[0], job_key="f" * 32, parameters=steps[0].parameters)
    imported = shop.provider.submit(job, shop)
    again = replace(done[2], job_key="e" * 32, earlier={"import": imported, "predictor": done[1].external_id})
    shop.provider.submit(again, shop)
    with pytest.raises(RefusedByServiceError, match="the data of 2026-03-01 00:00:00 have been replaced by those of"):
        shop.provider.submit(replace(done[2], job_key="d" * 32), shop)
    counts = told(stand_in.world.calls())
    assert (counts["forecast.CreateAutoPredictor"], counts["forecast.CreateForecast"]) == (1, 2)
    assert len(stand_in.world.things("DatasetGroup")) == 1


@pytest.mark.parametrize("step", ["import", "predictor", "forecast", "export"])
def test_a_lost_answer_leaves_a_thing_that_is_adopted(shop: Shop, stand_in: StandIn, step: str):
    earlier: dict[str, str] = {}
    for one in shop.jobs():
        job = replace(one, earlier=dict(earlier))
        if job.step == step:
            last = {"import": "CreateDatasetImportJob", "predictor": "CreateAutoPredictor"}.get(step, "Create*")
            stand_in.world.faults.all.append(Fault("lost", times=1, operation=f"forecast.{last}"))
            with pytest.raises(UnsureError):
                shop.provider.submit(job, shop)
            before = len(stand_in.world.things())
            if step == "import":
                with pytest.raises(NotThereError, match="of 3 imports only 1"):
                    shop.provider.describe(job)
                assert len(shop.provider.submit(job, shop).split()) == 3
                assert len(stand_in.world.things()) == before + 2
                return
            found = shop.provider.describe(job)
            assert found.external_id == shop.provider.submit(job, shop)
            assert len(stand_in.world.things()) == before
            return
        earlier[job.step] = shop.provider.submit(job, shop)


def test_a_thing_of_ours_is_found_on_a_later_page(shop: Shop, stand_in: StandIn):
    job = shop.jobs()[0]
    for number in range(25):
        stand_in.world.add(
            "DatasetImportJob", f"other_{number}", f"arn:aws:forecast:x:1:dataset-import-job/{number}", {}
        )
    with pytest.raises(NotThereError, match="no import shop_"):
        shop.provider.describe(job)
    arns = shop.provider.submit(job, shop)
    assert sorted(shop.provider.describe(job).external_id.split()) == sorted(arns.split())


@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        (Fault("throttle"), BusyError, "ThrottlingException: Rate exceeded"),
        (Fault("expired"), UnreachableError, "it does not let us in; see AWS_ACCESS_KEY_ID"),
        (Fault("not_json"), WrongAnswerError, "its answer makes no sense"),
        (Fault("lost"), UnsureError, "its answer did not come"),
    ],
)
def test_a_call_that_goes_wrong_says_what_to_do_next(
    shop: Shop, stand_in: StandIn, fault: Fault, expected: type[ServiceError], message: str
):
    error = submitted_in_vain(shop, stand_in, fault, expected)
    assert message in str(error)
    assert CANARY not in str(error)


def test_what_is_not_active_yet_is_busy(shop: Shop, stand_in: StandIn):
    stand_in.world.latency = 60
    first, second = shop.jobs()[:2]
    first = replace(first, external_id=shop.provider.submit(first, shop))
    assert shop.provider.describe(first).state == "running"
    training = replace(second, external_id=shop.provider.submit(second, shop))
    waiting = replace(shop.jobs()[2], earlier={"import": first.external_id, "predictor": training.external_id})
    with pytest.raises(BusyError, match="ResourceInUseException"):
        shop.provider.submit(waiting, shop)
    shop.provider.cancel(training)
    assert shop.provider.describe(training).state == "failed"


def test_nobody_there_is_no_attempt(stand_in: StandIn, tmp_path: Path):
    shop = shop_at(stand_in, tmp_path, url="http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="it cannot be reached"):
        shop.provider.submit(shop.jobs()[0], shop)


def test_failures_lies_and_states_that_nobody_knows(shop: Shop, stand_in: StandIn):
    job = shop.jobs()[0]
    job = replace(job, external_id=shop.provider.submit(job, shop))
    stand_in.world.faults.all[:] = [Fault("fail")]
    assert shop.provider.describe(job).reason == "out of luck; out of luck; out of luck"
    stand_in.world.faults.all[:] = [Fault("unknown_state")]
    with pytest.raises(WrongAnswerError, match="the import is in the state 'LEVITATING'"):
        shop.provider.describe(job)
    with pytest.raises(NotThereError, match="ResourceNotFoundException"):
        shop.provider.describe(replace(job, external_id="arn:aws:forecast:eu-west-1:1:dataset-import-job/a/b x y"))


def test_an_export_without_files_is_a_lie(shop: Shop, stand_in: StandIn):
    stand_in.world.faults.all.append(Fault("lie"))
    with pytest.raises(WrongAnswerError, match="the export is there, and no file of it"):
        shop.run()


@pytest.mark.parametrize(("fault", "rows"), [("short_rows", 9), ("doubled_rows", 24), ("unknown_items", 13)])
def test_wrong_rows_come_as_they_are(shop: Shop, stand_in: StandIn, fault: str, rows: int):
    stand_in.world.faults.all.append(Fault(fault))
    assert len(shop.run()[0]) == rows


def test_rows_of_another_time_stay_what_they_are(shop: Shop, stand_in: StandIn):
    stand_in.world.faults.all.append(Fault("other_forecast"))
    assert not set(shop.run()[0]["timestamp"]) & set(shop.steps)


def test_the_chain_goes_through_a_real_s3(stand_in: StandIn, bucket: str):
    shop = shop_at(stand_in, bucket)
    rows, jobs = shop.run()
    assert len(rows) == 12
    assert f"s3://tables/prefix/shop/{jobs[0].external_name}/target_time_series.csv" in [
        thing.request["DataSource"]["S3Config"]["Path"] for thing in stand_in.world.things("DatasetImportJob")
    ]
