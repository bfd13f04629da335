"""Decisions and answers that do not explain themselves are seen."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.lifecycle.decisions import Decisions, Entry
from mlops_assets.simulation.audit.decisions import faults_of_answers, faults_of_decisions
from mlops_assets.simulation.forecast import NAME, SOURCE, Forecast, declare
from mlops_assets.simulation.journal import Asked
from mlops_assets.simulation.world import World
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.registry import CHAMPION


@pytest.fixture
def forecast(tmp_path: Path) -> Forecast:
    return Forecast(_declared(World.of(0), tmp_path), tmp_path)


def test_answers_that_contradict_themselves_are_seen() -> None:
    well = Asked("retraining", "refit", "wql is above the limit", "relative")
    assert faults_of_answers([well, Asked("weekly", "refresh", "waits", "schedule", "waits")]) == []
    assert faults_of_answers([Asked("a", "refit", "", "", "budget"), well]) == [
        "the policy a says nothing of why",
        "a trains, and no rule asks for it",
        "a trains, and budget holds it back",
        "a is held back from nothing",
        "several policies train at once: a, retraining",
    ]


@pytest.mark.parametrize(
    ("outcome", "state", "reason", "fault"),
    [
        ("refused", "failed", "it is worse", "decision 1: it does not name the rules coverage"),
        ("refused", "passed", "coverage: low", "decision 1: it refuses, and no rule has failed"),
        ("promoted", "failed", "fine", "decision 1: it lets a version pass that fails coverage"),
        ("promoted", "passed", "", "decision 1 says nothing of why"),
    ],
)
def test_a_decision_that_does_not_explain_itself_is_seen(
    forecast: Forecast, outcome: str, state: str, reason: str, fault: str
) -> None:
    numbers = {"first": 1.0, "second": 2.0}
    rules: list[dict[str, Any]] = [
        {"name": "better_than_naive", "state": "passed", "message": "", "numbers": numbers},
        {"name": "coverage", "state": state, "message": "", "numbers": {}},
    ]
    verdict = json.dumps({"verdict": "first", "rules": rules})
    _decide(forecast, Entry("gate", outcome, 1, None, 1, "gate", reason, verdict), champion=1)
    assert faults_of_decisions(forecast) == [fault]


def test_two_champions_are_seen(forecast: Forecast) -> None:
    _decide(forecast, Entry("rollback", "rolled back", 1, 7, 1, "ada", "so"), champion=2)
    assert faults_of_decisions(forecast) == [
        "decision 1 takes 7 for the champion, who is None",
        "the registry calls 2 champion, and the log 1",
        "versions [2] are in production, and the champion is 1",
    ]


@pytest.mark.parametrize("seed", range(8))
def test_each_seed_has_a_spec_that_can_be_read(seed: int, tmp_path: Path) -> None:
    assert _declared(World.of(seed), tmp_path).name == NAME


def _declared(world: World, folder: Path) -> ForecastSpec:
    world.source(0).to_csv(folder / SOURCE, index=False)
    return declare(folder, world)


def _decide(forecast: Forecast, entry: Entry, champion: int) -> None:
    """Write a decision down, and have the registry call a version champion."""
    Decisions(forecast.stores.tables, NAME).append(lambda _: entry, forecast.stores.clock.now())
    registry = forecast.stores.tracking.registry(NAME)
    for number in (1, 2):
        tags = {"stage": "Production"} if number == champion else {}
        registry.register(f"memory:/{number}", str(number), tags, "")
    registry.set_alias(CHAMPION, champion)
