"""What the stand-in says of itself, and that its forecasts are always the same."""

import pandas as pd
import pytest
import requests
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.errors import UnknownNameError
from mlops_assets.jobs.stand_in import StandIn
from mlops_assets.jobs.stand_in.faults import FAULTS, Fault
from mlops_assets.jobs.stand_in.seasonal import seasonal_forecasts

BODY = {
    "name": "one",
    "frequency": "D",
    "horizon": 7,
    "quantiles": [0.1, 0.5, 0.9],
    "data": [{"item_id": "a", "timestamp": f"2026-01-{day:02}", "target": day % 7 + day % 3} for day in range(1, 29)],
}


def test_calls_are_counted_by_what_was_asked_of_which_job(stand_in: StandIn):
    for _ in range(2):
        requests.post(f"{stand_in.url}/v1/forecasts", json=BODY, timeout=5)
    requests.get(f"{stand_in.url}/v1/forecasts/nothing", timeout=5)
    assert requests.get(f"{stand_in.url}/calls", timeout=5).json() == [
        {"operation": "rest.submit", "job": "one", "count": 2},
        {"operation": "rest.describe", "job": "nothing", "count": 1},
    ]
    (job,) = requests.get(f"{stand_in.url}/jobs", timeout=5).json()
    assert (job["kind"], job["name"]) == ("rest", "one")


def test_a_job_is_late_without_a_word_on_how_late(stand_in: StandIn):
    """As with `--fault late` on the command line, which made a job that was in time."""
    requests.post(f"{stand_in.url}/faults", json={"fault": "late"}, timeout=5)
    job = requests.post(f"{stand_in.url}/v1/forecasts", json=BODY, timeout=5).json()["job"]["id"]
    assert requests.get(f"{stand_in.url}/v1/forecasts/{job}", timeout=5).json()["status"] != "done"


def test_a_fault_is_told_for_some_jobs_and_some_calls_and_taken_back(stand_in: StandIn):
    fault = {"fault": "throttle", "job": "o*", "times": 1}
    assert requests.post(f"{stand_in.url}/faults", json=fault, timeout=5).status_code == 200

    def status(name: str) -> int:
        return requests.post(f"{stand_in.url}/v1/forecasts", json={**BODY, "name": name}, timeout=5).status_code

    assert [status("two"), status("one"), status("one")] == [202, 429, 202]
    requests.post(f"{stand_in.url}/faults", json={"fault": "expired", "operation": "rest.submit"}, timeout=5)
    assert status("three") == 401
    assert requests.delete(f"{stand_in.url}/faults", timeout=5).json() == []
    assert status("three") == 202


@pytest.mark.parametrize("body", [{"fault": "thottle"}, {"fault": "hang", "jobs": "*"}, [1]])
def test_a_fault_that_is_none_is_said(stand_in: StandIn, body: object):
    answer = requests.post(f"{stand_in.url}/faults", json=body, timeout=5)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/forecasts", "no JSON"),
        ("/v1/forecasts", "[1]"),
        ("/v1/forecasts", '{"data": 7}'),
        ("/api/2.2/jobs/run-now", '{"job_parameters": 3}'),
        ("/nothing", "{}"),
    ],
)
def test_a_request_that_is_not_right_gets_an_answer(stand_in: StandIn, path: str, body: str):
    answer = requests.post(f"{stand_in.url}{path}", data=body, timeout=5)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["message"]


def test_a_job_takes_its_time(stand_in: StandIn):
    stand_in.world.latency = 60
    job = requests.post(f"{stand_in.url}/v1/forecasts", json=BODY, timeout=5).json()["job"]["id"]
    place = f"{stand_in.url}/v1/forecasts/{job}"
    assert requests.get(place, timeout=5).json()["status"] == "running"
    assert requests.get(f"{place}/result", timeout=5).status_code == 404
    stand_in.world.latency = 0
    assert requests.get(place, timeout=5).json()["status"] == "done"


def test_forecasts_are_seasonal_naive_with_quantiles_in_their_order():
    rows = pd.DataFrame(BODY["data"]).assign(timestamp=lambda one: pd.to_datetime(one["timestamp"]))
    found = seasonal_forecasts(rows, "D", 7, [0.1, 0.5, 0.9])
    assert found["mean"].tolist() == rows["target"].tail(7).tolist()
    assert (found["q10"] < found["q50"]).all()
    assert (found["q50"] < found["q90"]).all()
    assert found.equals(seasonal_forecasts(rows.sample(frac=1, random_state=0), "D", 7, [0.1, 0.5, 0.9]))


def test_every_fault_can_be_named_and_no_other():
    assert {Fault.of({"fault": name}).fault for name in FAULTS} == set(FAULTS)
    with pytest.raises(UnknownNameError, match="did you mean hang"):
        Fault.of({"fault": "hangs"})


def test_the_command_says_what_keeps_it_from_starting(stand_in: StandIn):
    port = stand_in.url.rpartition(":")[2]
    taken = CliRunner().invoke(main, ["stand-in", "--port", port])
    assert taken.exit_code == 2
    assert f"port {port} cannot be used" in taken.output
    wrong = CliRunner().invoke(main, ["stand-in", "--fault", "hangs"])
    assert (wrong.exit_code, "did you mean hang?" in wrong.output) == (2, True)
