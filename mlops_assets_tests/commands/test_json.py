"""Under `--json` a command prints one line on standard output, whatever becomes of it; and how commands end."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest

from mlops_assets.commands import base
from mlops_assets.commands.main import main
from mlops_assets.errors import ExitCode, NotYetError
from mlops_assets_tests.commands.test_errors import ARGUMENTS, WHO

SERVERS = {"serve", "dev", "stand-in"}
"""Commands that do not end by themselves, and so answer nothing."""


def answer_of(result: Any) -> Any:
    """Return what the only line on standard output says, in JSON as the standard has it: without NaN."""

    def refuse(word: str) -> NoReturn:
        raise AssertionError(word)

    (line,) = result.stdout.splitlines()
    return json.loads(line, parse_constant=refuse)


def leaves(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for word, child in command.commands.items():
            yield from leaves(child, f"{name} {word}".strip())
    else:
        yield name, command


def test_every_command_can_answer_in_json():
    lacking = {name for name, one in leaves(main) if not any(base.JSON_FLAG in option.opts for option in one.params)}
    assert lacking <= SERVERS


@pytest.mark.parametrize("command", sorted({*ARGUMENTS} - {"check"} - SERVERS))
def test_an_error_is_the_line_in_every_command(call, monkeypatch, command):
    monkeypatch.setenv("MLOPS_ENV", "stagin")
    result = call(command, *ARGUMENTS[command], "--json")
    said = answer_of(result)
    assert (result.exit_code, said["exit_code"]) == (2, 2)
    assert "did you mean 'staging'?" in said["error"]
    assert f"mlops-assets: {said['error']}" in result.stderr


@pytest.mark.parametrize(
    "words",
    [("run", "demo", "--nonsense"), ("run",), ("nonsense",), ("approve", "demo", "one", *WHO)],
)
def test_what_cannot_be_understood_is_told_in_the_line_too(call, words):
    result = call(*words, "--json")
    assert result.exit_code == answer_of(result)["exit_code"] == 2


def test_a_bug_is_the_line_too(call, monkeypatch):
    monkeypatch.setattr("mlops_assets.spec.reading.parse_spec", lambda *_: {}["origin"])
    result = call("status", "demo", "--json")
    assert (result.exit_code, answer_of(result)["exit_code"]) == (1, 1)
    assert answer_of(result)["error"].startswith("a bug in status: KeyError: 'origin' (the trace is in ")


def test_commands_that_look_or_ingest_answer_with_one_line(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert answer_of(call("list", "--json"))[0]["name"] == "demo"
    taken = answer_of(call("ingest", "demo", "--partition", "2024-03-01...2024-03-03", "--json"))
    assert taken["partitions"] == ["2024-03-01", "2024-03-02", "2024-03-03"]
    assert taken["ingestion"]["counts"]["accepted"] == 12
    assert answer_of(call("reingest", "demo", "--json"))["kept"] == 3
    assert answer_of(call("quarantine", "demo", "--json"))["rows"] == []
    assert answer_of(call("history", "demo", "--json"))["decisions"] == []
    assert answer_of(call("status", "--json"))[0]["forecast"] == "demo"
    checked = answer_of(call("check", "--json"))
    assert {one["name"] for one in checked} >= {"settings", "source of demo", "mlflow"}
    assert answer_of(call("report", "demo", "--json"))["bytes"] > 0
    (tmp_path / "forecasts" / "demo.yaml").rename(tmp_path / "forecasts" / "demo.txt")
    leaving = answer_of(call("retire", "demo", "--json"))
    assert (leaving["done"], bool(leaving["steps"])) == (False, True)


def test_what_was_answered_before_an_error_stays_in_the_line(monkeypatch):
    @click.command()
    @base.as_json_option
    def halfway(as_json: bool) -> None:
        click.echo("a library says hello")
        base.show_json({"forecast": "demo", "score": float("nan"), "advice": ["mlops-assets list"]})
        raise NotYetError("no rows yet")

    from click.testing import CliRunner

    made = base.Commands("main", {"halfway": halfway}, params=[click.Option(["--debug"], is_flag=True)])
    result = CliRunner().invoke(made, ["halfway", "--json"])
    assert result.exit_code == ExitCode.NOT_YET
    assert answer_of(result) == {
        "forecast": "demo",
        "score": None,
        "advice": ["mlops-assets list"],
        "error": "no rows yet",
        "exit_code": 3,
    }
    assert "a library says hello" in result.stderr


def test_the_table_of_exit_codes_has_each_once():
    text = (Path(__file__).parents[2] / "docs" / "exit_codes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == [str(int(code)) for code in ExitCode]
