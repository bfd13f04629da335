"""A forecast lives through a short year: after each day the auditor finds nothing wrong, and in the end all is well."""

from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.simulation.journal import Day
from mlops_assets.simulation.life import Life
from mlops_assets.simulation.world import World
from mlops_assets_tests.simulation.end import unsettled

DAYS, CALM, QUIET = 22, 2, 5


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Day]:
    life = Life(World.of(0, DAYS, CALM, QUIET), tmp_path_factory.mktemp("year"))
    return [life.live(number) for number in range(DAYS)]


def test_nothing_is_lost_or_doubled_and_decisions_explain_themselves(days: list[Day]) -> None:
    assert {day.date: day.faults for day in days if day.faults} == {}


def test_in_the_end_all_has_caught_up(days: list[Day]) -> None:
    assert unsettled(days) == []


def test_a_seed_is_lived_alike(days: list[Day], tmp_path: Path) -> None:
    life = Life(World.of(0, DAYS, CALM, QUIET), tmp_path)
    for day in days[:3]:
        assert replace(life.live(days.index(day)), cpu_seconds={}) == replace(day, cpu_seconds={})
