"""Over the default seeds, everything happens that can: each rule, guard, alert and state of a job is reached.

Long: `make test-year` lives the seeds (`MLOPS_TEST_YEAR=8`: so many), each for some months.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest

from mlops_assets.alerts.notifications import Event
from mlops_assets.forecasting.decisions.gate import RuleName
from mlops_assets.forecasting.decisions.guards import Guard
from mlops_assets.forecasting.decisions.triggers import Trigger
from mlops_assets.jobs.job import State
from mlops_assets.scale.engine import Engine
from mlops_assets.simulation.journal import Day
from mlops_assets.simulation.life import Life
from mlops_assets.simulation.world import World
from mlops_assets.simulation.year import quiet
from mlops_assets_tests.simulation.end import unsettled

SEEDS, DAYS = range(int(os.environ.get("MLOPS_TEST_YEAR", "0"))), 70
NEVER: dict[str, str] = {
    "under_way": "a training is over before the policies are asked again, for all is one process",
    "broken spec": "the spec is read before the first day",
    "segments": "four items in thirds have too few forecasts for a third to be hurt beyond doubt",
    "approval": "people decide before a rule fires on the same champion once more",
    "unproven": "nobody has to prove who they are: no approvers are named",
}
"""What no seed reaches, and why."""

pytestmark = pytest.mark.skipif(not SEEDS, reason="long: make test-year")


@pytest.fixture(scope="module")
def lives() -> Iterator[dict[int, list[Day]]]:
    """The days of each seed; a core for each of them, as far as there are any."""
    engine = Engine()
    yield dict(zip(SEEDS, engine.map(_lived, SEEDS), strict=True))
    engine.close()


def _lived(seed: int) -> list[Day]:
    with TemporaryDirectory() as folder, quiet():
        life = Life(World.of(seed, DAYS), Path(folder))
        return [life.live(number) for number in range(DAYS)]


def test_nothing_is_lost_or_doubled_and_decisions_explain_themselves(lives: dict[int, list[Day]]) -> None:
    assert [
        f"seed {seed}, {day.date}: {day.faults}" for seed, days in lives.items() for day in days if day.faults
    ] == []


def test_in_the_end_all_has_caught_up(lives: dict[int, list[Day]]) -> None:
    assert {seed: found for seed, days in lives.items() if (found := unsettled(days))} == {}


def test_everything_is_reached_that_can_be(lives: dict[int, list[Day]]) -> None:
    days = [day for lived in lives.values() for day in lived]

    def lacking(can: Any, are: Iterable[str]) -> set[str]:
        return {*get_args(can)} - {*are} - {*NEVER}

    assert lacking(RuleName, (name for day in days for one in day.decided for name in one.failed)) == set()
    assert lacking(Trigger, (one.rule for day in days for one in day.asked)) == set()
    assert lacking(Guard, (one.guard for day in days for one in day.asked)) == set()
    assert lacking(Event, (one.kind for day in days for one in day.alerts)) == set()
    assert lacking(State, (one.state for day in days for one in day.jobs)) == set()
