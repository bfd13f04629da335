"""The jobs of outside services on the command line."""

import json
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.jobs.ledger import Ledger
from mlops_assets.settings import Settings
from mlops_assets_tests.jobs.conftest import job
from mlops_assets_tests.stages.external.service import EXTERNAL
from mlops_assets_tests.worlds import SPEC, declare


@pytest.fixture
def ledger(call: Any, tmp_path: Path) -> Ledger:
    declare(tmp_path / "forecasts", external=EXTERNAL)
    return Ledger.open(Settings.read())


def answer(result: Any) -> Any:
    return json.loads(result.stdout)


def test_looking_makes_no_ledger(call: Any, tmp_path: Path):
    assert call("jobs", "list").stdout == "no job in the ledger\n"
    state = call("jobs", "state", "demo", "--json")
    assert (state.exit_code, answer(state)["next_action"]) == (3, "start")
    assert call("jobs", "state", "demo").stdout == "demo: start (nothing has been asked of the service)\n"
    assert call("jobs", "show", "abcd").exit_code == 2
    assert not (tmp_path / "data" / "jobs.db").exists()


def test_jobs_are_listed_and_shown_with_what_happened(call: Any, ledger: Ledger):
    one, two = ledger.intend(job(1), job(2, partition="2026-11-30"))
    ledger.change(one, "failed", "no such role", state="failed", error="no such role")
    assert [found["state"] for found in answer(call("jobs", "list", "demo", "--json"))] == ["failed", "intended"]
    assert [found["job_key"] for found in answer(call("jobs", "list", "--open", "--json"))] == [two.job_key]
    assert "no such role" in call("jobs", "list").stdout
    shown = answer(call("jobs", "show", one.job_key[:8], "--json"))
    assert [event["event"] for event in shown["events"]] == ["intended", "failed"]
    assert shown["external_name"] == one.external_name
    assert "no such role" in call("jobs", "show", one.job_key).stdout


def test_the_state_of_a_partition_is_an_exit_code_too(call: Any, ledger: Ledger):
    (one,) = ledger.intend(job())
    said = []
    for state in ("intended", "running", "succeeded", "collected"):
        if state != "intended":
            one = ledger.change(one, state, state=state, attempt=1)
        result = call("jobs", "state", "demo", "--json")
        said.append((result.exit_code, answer(result)["next_action"]))
    assert said == [(3, "start"), (3, "wait"), (3, "collect"), (0, "deliver")]
    (two,) = ledger.intend(job(2, partition="2026-11-30"))
    ledger.change(two, "refused", state="refused", error="why")
    assert call("jobs", "state", "demo").exit_code == 1
    assert call("jobs", "state", "demo").stdout == "demo 2026-11-30: repair (why)\n"
    assert call("jobs", "state", "demo", "--partition", one.partition).exit_code == 0


def test_a_job_is_woken(call: Any, ledger: Ledger):
    (one,) = ledger.intend(job())
    later = datetime(2200, 1, 1)
    ledger.change(one, "", next_look_at=later)
    assert call("jobs", "wake", one.job_key[:8], "--because", "SQS").stdout == f"{one.job_key}: is due\n"
    assert ledger.get(one.job_key).next_look_at < later
    assert ledger.events(one.job_key)[-1].message == "SQS"
    unknown = call("jobs", "wake", "nothing")
    assert (unknown.exit_code, unknown.stderr.splitlines()[1]) == (2, "  try: mlops-assets jobs list")


def test_due_jobs_are_looked_at_and_a_service_that_is_away_is_told(call: Any, ledger: Ledger):
    (one,) = ledger.intend(job(step="job", deadline=datetime.now() + timedelta(days=2)))
    (found,) = answer(call("jobs", "run-due", "--json"))
    assert (found["job_key"], found["state"], found["attempt"] <= 1) == (one.job_key, "intended", True)
    assert found["message"]
    assert call("jobs", "run-due").stdout == "no job is due\n"


def test_open_jobs_of_a_spec_that_cannot_be_used_are_told(call: Any, ledger: Ledger, tmp_path: Path):
    """As where the variable of its token is not set: a crontab that heard of no job would think all is well."""
    file = tmp_path / "forecasts" / "demo.yaml"
    headers = {"Authorization": "${NO_SUCH_TOKEN}"}
    spec = {**SPEC, "external": {**EXTERNAL, "rest": {**EXTERNAL["rest"], "headers": headers}}}
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    assert (call("jobs", "run-due", "--json").exit_code, call("jobs", "run-due").stdout) == (0, "no job is due\n")
    ledger.intend(job())
    result = call("jobs", "run-due", "--json")
    assert (result.exit_code, answer(result)) == (1, [])
    assert "NO_SUCH_TOKEN is not set" in result.stderr


def test_a_job_is_cancelled_once(call: Any, ledger: Ledger):
    (one,) = ledger.intend(job(step="job"))
    who = ("--by", "ann", "--reason", "too dear")
    assert call("jobs", "cancel", one.job_key, *who).stdout == f"{one.job_key}: cancelled (by ann: too dear)\n"
    again = call("jobs", "cancel", one.job_key, *who)
    assert (again.exit_code, "has ended: it is cancelled" in again.stderr) == (2, True)


def test_a_job_that_ended_badly_is_asked_for_again(call: Any, ledger: Ledger):
    (one,) = ledger.intend(job())
    ledger.change(one, "refused", state="refused", error="why")
    (new,) = answer(call("jobs", "again", one.job_key, "--by", "ann", "--json"))
    assert (new["state"], new["created_by"], new["step"]) == ("intended", "ann", one.step)
    assert call("jobs", "again", new["job_key"]).exit_code == 2


def test_a_forecast_without_a_service_has_nothing_to_look_at(call: Any):
    result = call("jobs", "run-due", "demo")
    assert (result.exit_code, "demo has no external service" in result.stderr) == (2, True)


def test_a_ledger_that_can_only_be_read_is_told_and_nothing_is_asked(call: Any, ledger: Ledger, monkeypatch: Any):
    """Read-only for whomever: a trigger refuses every change, in SQLite's own words for it."""
    (one,) = ledger.intend(job(step="job"))
    with sqlite3.connect(f"{ledger._engine.url.database}") as connection:
        connection.execute(
            "CREATE TRIGGER t BEFORE UPDATE ON mlops_jobs BEGIN "
            "SELECT RAISE(ABORT, 'attempt to write a readonly database'); END"
        )
    result = call("jobs", "run-due", "demo")
    assert result.exit_code == 1
    assert "attempt to write a readonly database" in result.stderr
    assert (ledger.get(one.job_key).state, ledger.get(one.job_key).attempt) == ("intended", 0)


def test_with_approvers_a_job_is_cancelled_and_asked_for_again_with_a_key(
    call: Any, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLOPS_APPROVERS", "eve:a-key-of-eve-12345")
    (one,) = ledger.intend(job())
    for words in (("cancel", one.job_key, "--by", "eve", "--reason", "x"), ("again", one.job_key)):
        refused = call("jobs", *words)
        assert (refused.exit_code, "put your key into MLOPS_KEY" in refused.stderr) == (4, True)
    assert ledger.get(one.job_key).state == "intended"
    monkeypatch.setenv("MLOPS_KEY", "a-key-of-eve-12345")
    assert "cancelled (by eve: x)" in call("jobs", "cancel", one.job_key, "--by", "eve", "--reason", "x").stdout
