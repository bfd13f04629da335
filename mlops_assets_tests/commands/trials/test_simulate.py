"""`mlops-assets simulate`: what it prints, its page, how it ends."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.commands.rendering.simulated import Months, looking_at
from mlops_assets.simulation import year
from mlops_assets.simulation.journal import Journal
from mlops_assets_tests.explorer.held import held
from mlops_assets_tests.simulation.made import journal


@pytest.fixture
def call(call, tmp_path, monkeypatch):
    """Call the command line from the sandbox's folder."""
    monkeypatch.chdir(tmp_path)
    return call


def test_the_first_days_of_a_made_up_world_are_lived_told_and_kept(call, tmp_path, monkeypatch):
    result = call("simulate", "--days", "60", "--until", "2024-01-02", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [day["date"] for day in told["days"]] == ["2024-01-01", "2024-01-02"]
    assert [one["version"] for one in told["days"][0]["decided"]] == [1]
    assert (told["seed"], told["planned"], len(told["left_out"])) == (0, 60, 3)
    assert "Jan 2024: 8 rows came, 1 " in result.stderr
    assert told["page"] == "simulated_year.html"
    page = held((tmp_path / "simulated_year.html").read_text(encoding="utf-8"))["/journal"]
    assert page == {name: told[name] for name in page}
    _, assignments, *commands = looking_at(Path(told["stores"]), told["days"][-1]["date"])
    for one in assignments.split()[1:]:
        monkeypatch.setenv(*one.split("=", 1))
    looked = {line.split()[1]: call(*line.split()[1:]) for line in commands}
    assert {one.exit_code for one in looked.values()} <= {0, 1}, looked  # status: 1, as something is to be looked at
    assert "2024-01-02" in looked["show"].stdout
    assert "promoted" in looked["history"].stdout
    again = call("simulate", "--days", "60", "--until", "2024-01-02")
    assert (again.exit_code, "simulated_year is there already" in again.stderr) == (2, True)


def test_the_history_of_a_forecast_is_lived_again(call, monkeypatch):
    monkeypatch.setenv("MLOPS_NOW", "2024-06-01")
    result = call("simulate", "--spec", "demo", "--days", "10", "--output", "own.html")
    assert result.exit_code == 0, result.output
    assert "demo: 10 of 10 days, its own history, fast mode" in result.stdout
    for policy in ("as lived", "never retrained", "retrained daily"):
        assert policy in result.stdout
    assert "1 promoted" in result.stdout
    assert "auditor" not in result.stdout
    assert result.stdout.splitlines()[-1] == "page: own.html"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--days", "20"), "20 days are too few"),
        (("--until", "2023-05-01"), "--until 2023-05-01: the days to live are 2024-01-01 to 2024-12-30"),
        (("--spec", "demo", "--seed", "1"), "leave one out"),
        (("--output", "no/such/folder.html"), "no/such/folder.html cannot be written: there is no folder"),
        (("--spec", "demo", "--days", "500"), "days can be lived; ask for fewer with --days"),
    ],
)
def test_what_cannot_be_lived_is_wrong_usage(call, monkeypatch, arguments, words):
    monkeypatch.setenv("MLOPS_NOW", "2024-06-01")
    result = call("simulate", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def lived(monkeypatch, told: Journal) -> None:
    def of_world(seed, days, until, listen, full, kept):
        for day in told.days:
            listen(day)
        return told

    monkeypatch.setattr(year, "of_world", of_world)


def test_a_whole_year_is_a_line_a_month_and_a_summary(call, monkeypatch):
    lived(monkeypatch, journal())
    result = call("simulate")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].startswith("Jan 2024: 60 rows came, 1 promoted, 1 alert (")
    for words in (
        "simulated: 120 of 120 days, seed 7, fast mode, release 0.2.0, commit abc1234",
        "happened: outage, regime change, drifting item (east)",
        "left out by this seed: late file",
        "decided: 3 × refit asked for, 3 promoted, 1 refused, 1 rolled back",
        "(retrained daily: measured on each fifth day)",
        "auditor: no faults",
    ):
        assert words in result.stdout
    assert "retrained daily" in result.stdout


def test_a_fault_ends_with_exit_code_1(call, monkeypatch):
    made = journal(30)
    lived(monkeypatch, replace(made, days=(*made.days[:-1], replace(made.days[-1], faults=("a is stored twice",)))))
    result = call("simulate")
    assert result.exit_code == 1
    assert "auditor: 1 fault" in result.stdout
    assert "2024-01-30: a is stored twice" in result.stdout


def test_a_month_that_was_begun_is_told_too():
    said: list[str] = []
    with Months(said.append) as listen:
        for day in journal(33).days:
            listen(day)
    assert [line[:8] for line in said] == ["Jan 2024", "Feb 2024"]
