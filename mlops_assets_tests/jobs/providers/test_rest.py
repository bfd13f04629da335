"""Any HTTP service by YAML only, through real HTTP; what it does wrong is told as what is to be done next."""

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
from mlops_assets.jobs.stand_in.world import Answer, Call
from mlops_assets_tests.jobs.providers.conftest import CANARY
from mlops_assets_tests.jobs.providers.shop import ITEMS, Shop, submitted_in_vain, told

REST = """\
external:
  service: rest
  exchange: nowhere
  rest:
    headers: {{Authorization: 'Bearer ${{SHOP_TOKEN}}'}}
    timeout: 0.4
    submit:
      url: {url}/v1/forecasts
      body:
        name: '{{name}}'
        frequency: '{{frequency}}'
        horizon: '{{horizon}}'
        quantiles: '{{quantiles}}'
        origin: '{{origin}}'
        {data}
      id: job.id
      idempotency_header: Idempotency-Key
    describe:
      url: {url}/v1/forecasts/{{id}}
      {by_name}
      reason: error.message
      cost: {{seconds: usage.seconds}}
    cancel: {{url: '{url}/v1/forecasts/{{id}}'}}
    result: {result}
"""
PAGES = "{{url: '{url}/v1/forecasts/{{id}}/result', records: rows, next: next}}"
BY_NAME = "by_name: '{url}/v1/forecasts?name={{name}}'\n      id: items.0.id"
NOW = """\
external:
  service: rest
  exchange: nowhere
  rest:
    submit:
      url: {url}/v1/forecast
      body: {{name: '{{name}}', frequency: D, horizon: '{{horizon}}', quantiles: '{{quantiles}}', data: '{{rows}}'}}
    result: {{records: rows}}
"""


def declared(text: str, url: str, *, data: str = "data: '{rows}'", by_name: str = BY_NAME, result: str = PAGES) -> str:
    return text.format(url=url, data=data, by_name=by_name.format(url=url), result=result.format(url=url))


@pytest.fixture
def shop(stand_in: StandIn, tmp_path: Path) -> Shop:
    return Shop(declared(REST, stand_in.url), tmp_path, SHOP_TOKEN=CANARY)


def test_a_forecast_comes_back_as_it_was_asked_for(shop: Shop, stand_in: StandIn):
    rows, (job,) = shop.run()
    assert list(rows.columns) == ["item_id", "timestamp", "mean", "q10", "q50", "q90"]
    assert sorted(set(rows["item_id"])) == sorted(ITEMS)
    assert [*rows[rows["item_id"] == "hats"]["timestamp"]] == [*shop.steps]
    assert shop.provider.describe(job).cost == {"seconds": 0.0}
    assert told(stand_in.world.calls()) == {"rest.submit": 1, "rest.describe": 2, "rest.result": 1}


def test_data_may_go_through_the_exchange_and_come_back_through_it(stand_in: StandIn, tmp_path: Path):
    text = declared(
        REST,
        stand_in.url,
        data="data_url: '{data_url}'\n        result_url: '{result_url}'",
        result="{{file: result.csv}}",
    )
    by_url, (job,) = Shop(text, tmp_path, SHOP_TOKEN=CANARY).run()
    assert sorted(file.name for file in (tmp_path / "shop" / job.external_name).iterdir()) == [
        "history.csv",
        "result.csv",
    ]
    in_line, _ = Shop(declared(REST, stand_in.url), tmp_path, SHOP_TOKEN=CANARY).run()
    pd.testing.assert_frame_equal(by_url, in_line)


def test_a_service_that_answers_at_once_is_a_job_too(stand_in: StandIn, tmp_path: Path):
    shop = Shop(NOW.format(url=stand_in.url), tmp_path)
    (job,) = shop.jobs()
    with pytest.raises(NotThereError):
        shop.provider.describe(job)
    rows, _ = shop.run()
    assert len(rows) == 12
    assert shop.provider.describe(job).external_id == job.external_name


def test_pages_are_read_to_the_end(shop: Shop, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("mlops_assets.jobs.stand_in.rest_api._PAGE_ROWS", 5)
    rows, _ = shop.run()
    assert len(rows) == 12
    assert told(stand_in.world.calls())["rest.result"] == 3


def test_an_answer_that_is_lost_leaves_a_job_that_is_found_by_its_name(shop: Shop, stand_in: StandIn):
    stand_in.world.faults.all.append(Fault("lost", times=1))
    (job,) = shop.jobs()
    with pytest.raises(UnsureError):
        shop.provider.submit(job, shop)
    found = shop.provider.describe(job)
    assert found.state == "succeeded"
    assert found.external_id == stand_in.world.things("rest")[0].id
    assert shop.provider.submit(job, shop) == found.external_id, "the same name is the same job"
    assert len(stand_in.world.things("rest")) == 1


def test_without_a_question_by_name_the_key_of_the_request_makes_it_the_same_job(stand_in: StandIn, tmp_path: Path):
    shop = Shop(declared(REST, stand_in.url, by_name=""), tmp_path, SHOP_TOKEN=CANARY)
    (job,) = shop.jobs()
    with pytest.raises(NotThereError):
        shop.provider.describe(job)
    assert shop.provider.submit(job, shop) == shop.provider.submit(job, shop)


def test_what_was_never_made_is_not_there(shop: Shop):
    (job,) = shop.jobs()
    with pytest.raises(NotThereError, match="knows no job"):
        shop.provider.describe(job)
    with pytest.raises(NotThereError, match="404"):
        shop.provider.describe(replace(job, external_id="job-gone"))


def test_it_is_stopped(shop: Shop, stand_in: StandIn):
    stand_in.world.latency = 60
    (job,) = shop.jobs()
    job = replace(job, external_id=shop.provider.submit(job, shop))
    assert shop.provider.describe(job).state == "running"
    shop.provider.cancel(job)
    assert shop.provider.describe(job).state == "failed"


@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        (Fault("throttle"), BusyError, "429 Too Many Requests"),
        (Fault("expired"), UnreachableError, "is SHOP_TOKEN (of external.rest.headers) still valid?"),
        (Fault("not_json"), WrongAnswerError, "its answer is no JSON: <html>the service is being moved"),
        (Fault("slow", seconds=0.7), UnsureError, "it does not answer in time"),
    ],
)
def test_a_call_that_goes_wrong_says_what_to_do_next(
    shop: Shop, stand_in: StandIn, fault: Fault, expected: type[ServiceError], message: str
):
    error = submitted_in_vain(shop, stand_in, fault, expected)
    assert message in str(error)
    assert CANARY not in str(error)
    assert getattr(error, "after", None) == (1.0 if fault.fault == "throttle" else None)


def test_nobody_there_is_no_attempt(stand_in: StandIn, tmp_path: Path):
    shop = Shop(declared(REST, "http://127.0.0.1:9"), tmp_path, SHOP_TOKEN=CANARY)
    with pytest.raises(UnreachableError, match="it cannot be reached"):
        shop.provider.submit(shop.jobs()[0], shop)


def test_a_request_that_is_wrong_is_refused_in_the_services_words(stand_in: StandIn, tmp_path: Path):
    shop = Shop(declared(REST, stand_in.url, data="data: [1]"), tmp_path, SHOP_TOKEN=CANARY)
    with pytest.raises(RefusedByServiceError, match=r"422 .*the request is not right"):
        shop.provider.submit(shop.jobs()[0], shop)


def test_a_token_that_cannot_be_a_header_is_named_and_not_shown(stand_in: StandIn, tmp_path: Path):
    shop = Shop(declared(REST, stand_in.url), tmp_path, SHOP_TOKEN=f"{CANARY}\nX-Other: 1")
    with pytest.raises(UnreachableError, match=r"SHOP_TOKEN .of external.rest.headers. is not one line") as error:
        shop.provider.submit(shop.jobs()[0], shop)
    assert CANARY not in str(error.value)


def test_a_variable_is_filled_in_where_the_spec_has_it_and_never_where_the_service_asks_for_it(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = declared(REST, stand_in.url, data="data: '{rows}'\n        api_key: '${SHOP_TOKEN}'")
    shop = Shop(text, tmp_path, SHOP_TOKEN=CANARY)
    asked: list[str] = []

    def result(world: object, thing: object, call: Call) -> Answer:
        asked.append(str(call))
        return Answer({"rows": [], "next": "/v1/forecasts/a/result?token=${SHOP_TOKEN}" if len(asked) == 1 else None})

    monkeypatch.setattr("mlops_assets.jobs.stand_in.rest_api._result", result)
    with pytest.raises(WrongAnswerError):
        shop.run()
    assert stand_in.world.things()[0].request["api_key"] == CANARY
    assert "'token': '${SHOP_TOKEN}'" in asked[1]


def test_what_a_service_repeats_of_a_secret_is_not_shown(stand_in: StandIn, tmp_path: Path):
    text = declared(REST, stand_in.url, data="data: '{rows}'\n        horizon: '${SHOP_TOKEN}'").replace(
        "        horizon: '{horizon}'\n", ""
    )
    with pytest.raises(RefusedByServiceError) as error:
        Shop(text, tmp_path, SHOP_TOKEN=CANARY).run()
    assert CANARY not in str(error.value)
    assert "invalid literal for int() with base 10: '***'" in str(error.value)


def test_a_job_that_fails_says_why_and_one_in_an_unknown_state_is_a_wrong_answer(shop: Shop, stand_in: StandIn):
    (job,) = shop.jobs()
    job = replace(job, external_id=shop.provider.submit(job, shop))
    stand_in.world.faults.all.append(Fault("fail"))
    assert (shop.provider.describe(job).state, shop.provider.describe(job).reason) == ("failed", "out of luck")
    stand_in.world.faults.all[:] = [Fault("unknown_state")]
    with pytest.raises(WrongAnswerError, match=r"its state is 'levitating', which is none of external.rest.describe"):
        shop.provider.describe(job)


def test_a_service_that_lies_has_no_rows(shop: Shop, stand_in: StandIn):
    stand_in.world.faults.all.append(Fault("lie"))
    (job,) = shop.jobs()
    job = replace(job, external_id=shop.provider.submit(job, shop))
    assert shop.provider.describe(job).state == "succeeded"
    with pytest.raises(WrongAnswerError, match="though it said that the job is done"):
        shop.provider.collect(job)


@pytest.mark.parametrize(
    ("fault", "rows"), [("short_rows", 9), ("doubled_rows", 24), ("unknown_items", 13), ("other_forecast", 12)]
)
def test_wrong_rows_come_as_they_are(shop: Shop, stand_in: StandIn, fault: str, rows: int):
    """Whether they are the forecast that was asked for is for who stores them to judge."""
    stand_in.world.faults.all.append(Fault(fault))
    found, _ = shop.run()
    assert len(found) == rows
    assert (found["timestamp"].max() > shop.steps[-1]) == (fault == "other_forecast")


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (PAGES.replace("rows", "row"), "it has no list of rows at 'row'"),
        (PAGES.replace("rows,", "rows, columns: {{mean: yhat}},"), "no column yhat; it has: item_id, timestamp, mean"),
        (PAGES.replace("rows,", "rows, columns: {{timestamp: item_id, item_id: timestamp}},"), "not times and numbers"),
    ],
)
def test_a_table_that_is_none_is_said(stand_in: StandIn, tmp_path: Path, result: str, message: str):
    shop = Shop(declared(REST, stand_in.url, result=result), tmp_path, SHOP_TOKEN=CANARY)
    with pytest.raises(WrongAnswerError, match=message):
        shop.run()


def test_links_lead_to_no_other_host(stand_in: StandIn, tmp_path: Path):
    shop = Shop(declared(REST, stand_in.url), tmp_path, SHOP_TOKEN=CANARY)
    client = shop.provider._client  # pyright: ignore
    with pytest.raises(WrongAnswerError, match=r"leads to http://evil.example, which is not asked"):
        client.follow(stand_in.url, "http://evil.example/rows", "the service")
