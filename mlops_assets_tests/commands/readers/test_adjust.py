"""`mlops-assets adjust`: what a person types, what is shown, and what the table says afterwards."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlops_assets.commands.main import main
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets_tests.reading.stored import store

Call = Callable[..., Result]
PROMOTION = (
    "--item",
    "shop 1",
    "--from",
    "2024-03-03",
    "--until",
    "2024-03-05",
    "--factor",
    "1.2",
    "--reason",
    "promo",
)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command line over files with two rounds, on the evening after the last one."""
    store(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables")), rounds=2)
    monkeypatch.setenv("MLOPS_ENV", "local")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("MLOPS_NOW", "2024-03-02T20:00")
    monkeypatch.setenv("LOGNAME", "ada")
    return lambda *words: CliRunner().invoke(main, ["adjust", "demo", *words], catch_exceptions=False)


def test_adjusted_listed_taken_back_and_the_name_is_the_login(call: Call) -> None:
    assert call().output == "demo: nobody has adjusted it\n"
    dry = call(*PROMOTION, "--dry-run")
    assert "nothing was changed: a dry run" in dry.output
    done = call(*PROMOTION, "--note", "leaflet")
    assert "demo: shop 1 adjusted, 2024-03-03 to 2024-03-05 (number 1 by ada)" in done.output
    assert done.output.count("shop 1") == 4
    made = json.loads(call("--withdraw", "1", "--by", "bob", "--json").stdout)
    assert (made["number"], made["action"], made["replaces"], made["made_by"]) == (2, "withdraw", 1, "bob")
    listed = call().output
    assert "× 1.200" in listed
    assert "promo · leaflet" in listed
    assert "ended by 2" in listed
    rows = json.loads(call("--json").stdout)["rows"]
    assert [row["state"] for row in rows] == ["ended by 2", ""]


def test_locked_refuses_with_the_way_out_and_the_exit_code_of_what_is_not_allowed(call: Call) -> None:
    locked = call("--all", "--lock", "--from", "2024-03-03", "--until", "2024-03-09", "--reason", "ordered")
    assert "demo: all items locked, 2024-03-03 to 2024-03-09 (number 1 by ada)" in locked.output
    refused = call(*PROMOTION)
    assert refused.exit_code == 4
    assert "mlops-assets adjust demo --unlock 1" in refused.output
    assert call("--unlock", "1").exit_code == 0
    assert call(*PROMOTION).exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--item", "shop 1", "--factor", "1.2", "--reason", "x"), "say from when"),
        (("--from", "2024-03-03", "--factor", "1.2", "--reason", "x"), "say of what"),
        (("--all", "--item", "shop 1", "--from", "2024-03-03", "--factor", "1.2"), "say of what"),
        (("--item", "shop 1", "--from", "2024-03-03"), "say how much"),
        (("--item", "shop 1", "--from", "2024-03-03", "--factor", "2", "--delta", "1"), "give one of"),
        (("--item", "shop 9", "--from", "2024-03-03", "--factor", "2", "--reason", "x"), "did you mean shop"),
    ],
)
def test_what_is_missing_is_asked_for(call: Call, words: tuple[str, ...], message: str) -> None:
    refused = call(*words)
    assert refused.exit_code == 2
    assert message in refused.output


def test_whether_people_have_helped(call: Call, tmp_path: Path) -> None:
    assert "no adjusted forecast has met its actual yet" in call("--value-added").output
    call("--all", "--from", "2024-03-03", "--factor", "0", "--reason", "gloom")
    later = store(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables")), rounds=3)
    assert later.days[-1].isoformat() == "2024-03-03T00:00:00"
    said = call("--value-added").output
    assert "over 3 adjusted forecasts people have taken away" in said
    found = json.loads(call("--value-added", "--json").stdout)
    assert {*found} == {"forecast", "all", "person", "reason", "lead"}
    assert found["reason"][0]["reason"] == "gloom"
    assert found["all"][0]["value_added"] < 0


def test_with_approvers_the_name_is_the_keys(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_APPROVERS", "eve:a-key-of-eve-12345")
    assert call(*PROMOTION, "--dry-run").exit_code == 0
    for words in (PROMOTION, ("--withdraw", "1"), ("--lock", "--all", "--from", "2024-03-03", "--reason", "x")):
        refused = call(*words)
        assert (refused.exit_code, "put your key into MLOPS_KEY" in refused.stderr) == (4, True)
    assert call().output == "demo: nobody has adjusted it\n"
    monkeypatch.setenv("MLOPS_KEY", "a-key-of-eve-12345")
    assert call(*PROMOTION, "--by", "bob").exit_code == 4
    assert json.loads(call(*PROMOTION, "--json").stdout)["made_by"] == "eve"
