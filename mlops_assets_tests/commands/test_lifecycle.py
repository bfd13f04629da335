"""approve, reject, rollback and history on the command line, over files and a real MLflow database."""

import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.environments import open_stores
from mlops_assets.lifecycle.approvers import Request, UnprovenError
from mlops_assets.lifecycle.lifecycle import Lifecycle, Verdict
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.tracking.registry import KIND
from mlops_assets_tests.tracking.planted import plant
from mlops_assets_tests.worlds import declare, sandbox


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Path:
    """A folder with decided versions (champion, refused) and one that waits."""
    folder = tmp_path_factory.mktemp("decided")
    declare(folder / "forecasts")
    rules = json.dumps({"verdict": "first", "rules": [{"name": "coverage", "state": "passed", "words": "covers 80%"}]})
    with open_stores(sandbox(folder, empty_mlflow, "local")) as stores:
        for day, outcome in (("01", "promoted"), ("02", "refused"), ("03", "promoted"), ("04", "awaiting approval")):
            life = Lifecycle(stores.tables, stores.tracking, Clock(fixed=f"2024-06-{day}"), "demo")
            version = plant(stores.tracking, folder / "planted", trained_until=f"2024-05-{day}", **{KIND: "theta"})
            life.decide(version, lambda champion, log, said=outcome: Verdict(said, "numbers", rules, said), {})
    return folder


@pytest.fixture
def cli(decided, tmp_path, monkeypatch):
    """Call the command line over a copy of it."""
    shutil.copytree(decided, tmp_path, dirs_exist_ok=True)
    for name, value in {"ENV": "local", "DATA": tmp_path / "data", "FORECASTS": tmp_path / "forecasts"}.items():
        monkeypatch.setenv(f"MLOPS_{name}", str(value))
    return lambda *words: CliRunner().invoke(main, list(words))


WHO = ("--by", "Ann", "--reason", "looked at it")


def test_approve_then_roll_back_then_tell(cli):
    done = cli("approve", "demo", "4", *WHO)
    assert done.exit_code == 0, done.output
    assert done.output == "demo: version 4 is champion, version 3 was (decision 5)\n"
    back = cli("rollback", "demo", *WHO)
    assert back.output == "demo: version 3 is champion, version 4 was (decision 6)\n"
    further = cli("rollback", "demo", "--to", "1", *WHO)
    assert further.output == "demo: version 1 is champion, version 3 was (decision 7)\n"

    found = json.loads(cli("history", "demo", "--json").stdout)
    assert [row["version"] for row in found["champions"]] == [1, 3, 4, 3, 1]
    assert [row["decided_by"] for row in found["decisions"]] == ["gate"] * 4 + ["Ann"] * 3
    then = json.loads(cli("history", "demo", "--at", "2024-06-02T12:00:00", "--json").stdout)
    assert [(row["version"], row["decided_by"]) for row in then["champions"]] == [(1, "gate")]
    assert then["decisions"][0]["rules"]["rules"][0]["message"] == "covers 80%"
    assert {row["model_kind"] for row in (*found["champions"], *found["decisions"])} == {"theta"}
    shown = cli("history", "demo", "--at", "2024-06-02").output
    assert shown.count("theta") == 2
    assert "coverage: covers 80%" in shown
    assert "nobody was champion at 2024-05-01" in cli("history", "demo", "--at", "2024-05-01").output


def test_what_is_still_published_of_the_version_that_left_is_said(cli):
    with open_stores(Settings.read()) as stores:
        rows = pd.DataFrame({"model_version": [3, 0], "role": "delivered"})
        stores.tables.write(["demo", "forecasts"], rows, "2024-06-03")
        back = cli("rollback", "demo", *WHO)
        words = (
            "the published forecasts are those of the rolled-back version 3 (from 2024-06-03); those of the champion "
        )
        words += "come with the next round, or now: mlops-assets run demo"
        assert back.output == f"demo: version 1 is champion, version 3 was (decision 5)\n{words}\n"
        assert words in " ".join(json.loads(cli("status", "demo", "--json").stdout)["problems"])
        stores.tables.write(["demo", "forecasts"], rows.assign(model_version=1), "2024-06-04")
        assert json.loads(cli("status", "demo", "--json").stdout)["rolled_back"] == ""


def test_reject(cli):
    assert (
        cli("reject", "demo", "4", *WHO).output
        == "demo: version 4 is rejected; version 3 stays champion (decision 5)\n"
    )
    again = cli("approve", "demo", "4", *WHO)
    assert again.exit_code == 4
    assert "does not wait for approval: it was rejected (decision 5)" in again.output
    assert cli("approve", "demo", "4", "--force", *WHO).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("approve", "demo", "9", *WHO), 4, "demo has no version 9; there are: 1, 2, 3, 4"),
        (("approve", "demo", "4", "--by", "Ann"), 2, "Missing option '--reason'"),
        (("approve", "demo", "4", "--by", "Ann", "--reason", " "), 2, "needs who takes it"),
        (("approve", "nothing", "4", *WHO), 2, "no forecast 'nothing'"),
        (("rollback", "demo", "--to", "3", *WHO), 4, "version 3 of demo is the champion already"),
        (("history", "demo", "--at", "yesterday"), 2, "not a moment such as 2013-12-31"),
    ],
)
def test_what_cannot_be_decided_and_what_is_wrong_usage(cli, words, code, message):
    result = cli(*words)
    assert result.exit_code == code
    assert message in result.output


def test_a_decision_as_json(cli):
    done = cli("approve", "demo", "4", *WHO, "--json")
    assert json.loads(done.stdout) == {
        "forecast": "demo",
        "decision": 5,
        "outcome": "promoted",
        "version": 4,
        "champion_before": 3,
        "champion_after": 4,
        "decided_by": "Ann",
        "proof": "",
        "reason": "looked at it",
    }
    again = cli("reject", "demo", "4", *WHO, "--json")
    assert again.exit_code == 4
    assert json.loads(again.stdout)["advice"] == ["mlops-assets history demo"]


KEYS = {"MLOPS_APPROVERS": "Ann:a-key-of-ann-12345,Ben:a-key-of-ben-12345"}


def test_with_approvers_a_decision_needs_the_key_of_who_decides(cli, monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for command in (("approve", "demo", "4"), ("reject", "demo", "4"), ("rollback", "demo")):
        refused = cli(*command, *WHO)
        assert refused.exit_code == 4
        assert "put your key into MLOPS_KEY" in refused.stderr
    monkeypatch.setenv("MLOPS_KEY", "a-key-of-ben-12345")
    assert cli("approve", "demo", "4", *WHO).exit_code == 4
    monkeypatch.setenv("MLOPS_KEY", "a-key-of-ann-12345")
    done = json.loads(cli("approve", "demo", "4", *WHO, "--json").stdout)
    assert (done["decided_by"], done["proof"]) == ("Ann", "command")
    assert "Ann (command)" in cli("history", "demo").output.replace("\n", "")


def test_a_signature_is_for_dagster_and_mlflow_and_used_once(cli, monkeypatch):
    for name, value in {**KEYS, "MLOPS_KEY": "a-key-of-ann-12345"}.items():
        monkeypatch.setenv(name, value)
    asked = ("sign", "demo", "4", "--decision", "approve", *WHO)
    told = cli(*asked).output
    assert "approved by Ann: looked at it" in told
    assert "a-key-of" not in told
    made = json.loads(cli(*asked, "--json").stdout)
    request = Request(**{name: made[name] for name in ("forecast", "version", "decision", "by", "reason")})
    with open_stores(Settings.read()) as stores:
        life, who = Lifecycle.of(stores, "demo"), stores.approvers.by_signature(request, made["signature"], time.time())
        life.approve(4, who.name, request.reason, proof=who.proof)
        life.rollback("Ann", "no")
        with pytest.raises(UnprovenError, match="has been used"):
            life.approve(4, who.name, request.reason, force=True, proof=who.proof)
        assert life.champion().number == 3
    monkeypatch.setenv("MLOPS_KEY", "a-key-of-ben-12345")
    assert cli(*asked).exit_code == 4
    monkeypatch.delenv("MLOPS_KEY")
    assert "put your key into MLOPS_KEY" in cli(*asked).stderr
