"""A forecast lives through a short year: after each day the auditor finds nothing wrong, and in the end all is well."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.simulation.ahead import Ahead
from mlops_assets.simulation.full import Assets
from mlops_assets.simulation.journal import Day
from mlops_assets.simulation.life import Life
from mlops_assets.simulation.world import World
from mlops_assets_tests.simulation.end import unsettled

DAYS, CALM, QUIET = 22, 2, 5
FEW = 6
"""Days that Dagster lives by default: with a training by hand, a revision, a lost model, a regime change."""


class AtOnce:
    """A pool that has done what it is asked for before anybody looks."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def submit(self, function: Callable[..., Any], world: World, number: int) -> Future[Any]:
        self.asked.append(number)
        future: Future[Any] = Future()
        future.set_result(function(world, number))
        return future


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
        assert _without_costs(life.live(days.index(day))) == _without_costs(day)


def test_it_is_lived_alike_where_another_process_reads_ahead(days: list[Day], tmp_path: Path) -> None:
    world, pool = World.of(0, DAYS, CALM, QUIET), AtOnce()
    life = Life(world, tmp_path, ahead=Ahead(world, pool))
    assert [_without_costs(life.live(number)) for number in range(DAYS)] == [_without_costs(day) for day in days]
    assert pool.asked == [*range(DAYS)]
    assert life.forecast.readings == {}, "the round has read something else"


def test_dagsters_assets_live_the_same(days: list[Day], tmp_path: Path) -> None:
    """All days with MLOPS_TEST_YEAR, else the first ones: each takes Dagster a second."""
    life = Life(World.of(0, DAYS, CALM, QUIET), tmp_path, Assets)
    for day in days if os.environ.get("MLOPS_TEST_YEAR") else days[:FEW]:
        assert _without_costs(life.live(days.index(day))) == _without_costs(day)


def _without_costs(day: Day) -> Day:
    """A day but for its costs; of a run that has failed, Dagster says in other words why."""
    alerts = [replace(one, message="") if one.kind == "run failure" else one for one in day.alerts]
    return replace(day, cpu_seconds={}, alerts=tuple(alerts))
