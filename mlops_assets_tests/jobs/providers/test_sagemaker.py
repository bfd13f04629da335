"""A batch transform of SageMaker by unmodified boto3, against the stand-in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets_tests.jobs.providers.shop import ITEMS, Shop, told

EXTERNAL = """\
external:
  service: sagemaker
  exchange: nowhere
  sagemaker: {{region: eu-west-1, model: deepar-shop, endpoint_url: '{url}', dynamic_features: [price]}}
"""


@pytest.fixture
def shop(stand_in: StandIn, tmp_path: Path) -> Shop:
    return Shop(EXTERNAL.format(url=stand_in.url), tmp_path)


def test_lines_come_back_as_rows_of_their_items(shop: Shop, stand_in: StandIn, tmp_path: Path):
    rows, (job,) = shop.run()
    assert list(rows.columns) == ["item_id", "timestamp", "mean", "q10", "q50", "q90"]
    assert [*dict.fromkeys(rows["item_id"])] == sorted(ITEMS)
    hats, shoes = (rows[rows["item_id"] == item]["mean"].to_numpy() for item in ("hats", "shoes"))
    assert np.allclose(shoes, 2 * hats)
    sent = (tmp_path / "shop" / job.external_name / "input.jsonl").read_text().splitlines()
    line = json.loads(sent[0])
    assert (line["start"], len(line["target"]), line["target"][5]) == ("2026-01-01 00:00:00", 60, None)
    assert [len(values) for values in line["dynamic_feat"]] == [64]
    assert told(stand_in.world.calls()) == {"sagemaker.CreateTransformJob": 1, "sagemaker.DescribeTransformJob": 1}
    assert "_" not in job.external_id


def test_a_name_that_is_taken_is_asked_for_by_name(shop: Shop, stand_in: StandIn):
    (job,) = shop.jobs()
    with pytest.raises(NotThereError, match="Could not find requested job"):
        shop.provider.describe(job)
    shop.provider.submit(job, shop)
    with pytest.raises(UnsureError, match="must be unique"):
        shop.provider.submit(job, shop)
    assert shop.provider.describe(job).state == "succeeded"
    assert len(stand_in.world.things()) == 1


def test_it_is_stopped_throttled_and_may_fail(shop: Shop, stand_in: StandIn):
    (job,) = shop.jobs()
    stand_in.world.faults.all[:] = [Fault("throttle", times=1)]
    with pytest.raises(BusyError):
        shop.provider.submit(job, shop)
    stand_in.world.latency = 60
    job = replace(job, external_id=shop.provider.submit(job, shop))
    assert shop.provider.describe(job).state == "running"
    shop.provider.cancel(job)
    assert shop.provider.describe(job).reason == "Stopped"
    stand_in.world.things()[0].stopped, stand_in.world.latency = False, 0
    stand_in.world.faults.all[:] = [Fault("fail")]
    assert shop.provider.describe(job).reason == "out of luck"
    stand_in.world.faults.all[:] = [Fault("unknown_state")]
    with pytest.raises(WrongAnswerError, match="'Levitating'"):
        shop.provider.describe(job)


def test_a_feature_that_there_is_not_is_named(stand_in: StandIn, tmp_path: Path):
    shop = Shop(EXTERNAL.format(url=stand_in.url).replace("[price]", "[price, weather]"), tmp_path)
    with pytest.raises(RefusedByServiceError, match="no known covariate weather"):
        shop.provider.submit(shop.jobs()[0], shop)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("short_rows", "hats has not 4 steps"),
        ("doubled_rows", "hats has not 4 steps"),
        ("lie", "there is no such file"),
    ],
)
def test_lines_that_do_not_fit_are_no_forecast(shop: Shop, stand_in: StandIn, fault: str, message: str):
    stand_in.world.faults.all.append(Fault(fault))
    with pytest.raises(WrongAnswerError, match=message):
        shop.run()
