"""A job of Databricks through its Jobs API 2.2, against the stand-in; the fields are those that are published.

https://docs.databricks.com/api/workspace/jobs/runnow, .../jobs/getrun, .../jobs/cancelrun

All stand in the dataclasses and enums of Databricks' own databricks-sdk 0.162.0 (`databricks.sdk.service.jobs`), too.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    ServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.databricks_api import operation
from mlops_assets.jobs.stand_in.faults import Fault
from mlops_assets.jobs.stand_in.world import Call
from mlops_assets_tests.jobs.providers.conftest import CANARY
from mlops_assets_tests.jobs.providers.shop import Shop, submitted_in_vain, told

EXTERNAL = """\
external:
  service: databricks
  exchange: nowhere
  databricks:
    host: {url}
    token: ${{DATABRICKS_TOKEN}}
    job_id: 11223344
    parameters: {{team: shop}}
    result: {result}
"""
RUN_NOW = {
    "job_id", "idempotency_token", "job_parameters", "only", "performance_target", "pipeline_params", "queue",
}  # fmt: skip
"""The fields of a request to run-now that are not deprecated."""
RUN = {
    "job_id", "run_id", "creator_user_name", "number_in_job", "original_attempt_run_id", "state", "status", "schedule",
    "job_clusters", "cluster_spec", "cluster_instance", "job_parameters", "overriding_parameters", "start_time",
    "setup_duration", "execution_duration", "cleanup_duration", "end_time", "run_duration", "queue_duration", "trigger",
    "trigger_info", "run_name", "run_page_url", "run_type", "tasks", "description", "attempt_number", "job_run_id",
    "has_more", "git_source", "repair_history", "effective_performance_target", "iterations", "next_page_token",
}  # fmt: skip
"""The fields of a run."""
STATES = {"BLOCKED", "PENDING", "QUEUED", "RUNNING", "TERMINATING", "TERMINATED", "WAITING"}
"""Of `status.state`."""
CODES = {"SUCCESS", "RUN_EXECUTION_ERROR", "USER_CANCELED"}
"""Of `status.termination_details.code`, those that the stand-in has."""
TYPES = {"SUCCESS", "INTERNAL_ERROR", "CLIENT_ERROR", "CLOUD_FAILURE"}
"""Of `status.termination_details.type`."""


def shop_at(stand_in: StandIn, folder: Path | str, result: str = "result.csv") -> Shop:
    return Shop(EXTERNAL.format(url=stand_in.url, result=result), folder, DATABRICKS_TOKEN=CANARY)


@pytest.fixture
def shop(stand_in: StandIn, tmp_path: Path) -> Shop:
    return shop_at(stand_in, tmp_path)


@pytest.mark.parametrize("result", ["result.csv", "result.parquet"])
def test_a_run_reads_and_writes_the_exchange(stand_in: StandIn, tmp_path: Path, result: str):
    rows, (job,) = shop_at(stand_in, tmp_path, result).run()
    assert len(rows) == 12
    (run,) = stand_in.world.things()
    told_to_it = run.request["job_parameters"]
    assert set(run.request) <= RUN_NOW
    assert run.request["idempotency_token"] == job.external_name
    assert (told_to_it["team"], told_to_it["horizon"], told_to_it["quantiles"]) == ("shop", "4", "0.1,0.5,0.9")
    assert told_to_it["result_url"] == f"{tmp_path}/shop/{job.external_name}/{result}"
    assert all(isinstance(value, str) for value in told_to_it.values())
    assert told(stand_in.world.calls()) == {"databricks.run-now": 1, "databricks.runs/get": 1}


def test_a_real_s3_lies_between(stand_in: StandIn, bucket: str):
    assert len(shop_at(stand_in, bucket).run()[0]) == 12


@pytest.mark.parametrize("fault", [None, Fault("fail"), Fault("hang")])
def test_a_run_is_told_of_in_published_fields(shop: Shop, stand_in: StandIn, fault: Fault | None):
    (job,) = shop.jobs()
    run = shop.provider.submit(job, shop)
    stand_in.world.faults.all[:] = [fault] if fault else []
    asked = operation(stand_in.world, Call("GET", "/api/2.2/jobs/runs/get", {"run_id": run}, {}, {}))
    assert asked is not None
    body = asked.run().body
    assert set(body) <= RUN
    status = body["status"]
    assert status["state"] in STATES
    details = status.get("termination_details", {"code": "SUCCESS", "type": "SUCCESS"})
    assert (details["code"] in CODES, details["type"] in TYPES) == (True, True)
    expected = {None: "succeeded", "fail": "failed", "hang": "running"}[fault and fault.fault]
    found = shop.provider.describe(replace(job, external_id=run))
    assert found.state == expected
    assert found.reason == ("RUN_EXECUTION_ERROR: out of luck" if expected == "failed" else "")


@pytest.mark.parametrize(
    ("state", "expected"),
    [(state, "running") for state in sorted(STATES - {"TERMINATED"})] + [("TERMINATED", "failed"), ("NEW", "")],
)
def test_every_published_state_is_known_and_no_other(
    shop: Shop, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, state: str, expected: str
):
    status = {"state": state, "termination_details": {"code": "CLUSTER_ERROR", "type": "CLOUD_FAILURE"}}
    client = "mlops_assets.jobs.providers.web_client.WebClient.read"
    monkeypatch.setattr(client, lambda *_, **__: {"run_id": 7, "status": status})
    job = replace(shop.jobs()[0], external_id="7")
    if expected:
        assert shop.provider.describe(job).state == expected
    else:
        with pytest.raises(WrongAnswerError, match="the run is in the state 'NEW'"):
            shop.provider.describe(job)


def test_the_same_token_is_the_same_run(shop: Shop, stand_in: StandIn):
    (job,) = shop.jobs()
    stand_in.world.faults.all.append(Fault("lost", times=1))
    with pytest.raises(UnsureError):
        shop.provider.submit(job, shop)
    with pytest.raises(NotThereError, match="the same token gives the same run"):
        shop.provider.describe(job)
    assert shop.provider.submit(job, shop) == stand_in.world.things()[0].id
    assert len(stand_in.world.things()) == 1


def test_a_run_that_is_gone_is_not_there_and_one_that_goes_on_is_cancelled(shop: Shop, stand_in: StandIn):
    (job,) = shop.jobs()
    with pytest.raises(NotThereError, match="Run 5 does not exist"):
        shop.provider.describe(replace(job, external_id="5"))
    stand_in.world.latency = 60
    job = replace(job, external_id=shop.provider.submit(job, shop))
    shop.provider.cancel(job)
    assert shop.provider.describe(job).reason == "USER_CANCELED: cancelled by a user"


@pytest.mark.parametrize(
    ("fault", "expected", "message"),
    [
        (Fault("throttle"), BusyError, "429 Too Many Requests"),
        (Fault("expired"), UnreachableError, "is DATABRICKS_TOKEN (of external.databricks.token) still valid?"),
        (Fault("not_json"), WrongAnswerError, "no JSON"),
    ],
)
def test_a_call_that_goes_wrong_says_what_to_do_next(
    shop: Shop, stand_in: StandIn, fault: Fault, expected: type[ServiceError], message: str
):
    error = submitted_in_vain(shop, stand_in, fault, expected)
    assert message in str(error)
    assert CANARY not in str(error)


def test_a_job_that_wrote_nothing_has_lied(shop: Shop, stand_in: StandIn):
    stand_in.world.faults.all.append(Fault("lie"))
    with pytest.raises(WrongAnswerError, match="there is no such file"):
        shop.run()
