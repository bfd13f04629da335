"""Another process reads what the source says on the days to come, and is gone when the life is over."""

import time

import psutil
import pytest

from mlops_assets.simulation.ahead import Ahead, Morning, ahead_of
from mlops_assets.simulation.world import World

WORLD = World.of(0, 60)
PATIENCE = 120


def workers(before: set[int]) -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if one.pid not in before]


def read_ahead(ahead: Ahead) -> tuple[int, Morning]:
    """The first morning that another process has read, with its day."""
    until = time.monotonic() + PATIENCE
    for number in range(WORLD.days):
        if (morning := ahead.morning(number)).readings:
            return number, morning
        while time.monotonic() < until and not all(future.done() for future in ahead._asked.values()):
            time.sleep(0.05)
    raise AssertionError("nothing was read ahead")


@pytest.fixture
def before() -> set[int]:
    """Processes of this one that are there already."""
    return {one.pid for one in psutil.Process().children(recursive=True)}


def test_what_another_process_reads_is_what_the_source_says(before: set[int]) -> None:
    with ahead_of(WORLD) as ahead:
        number, morning = read_ahead(ahead)
        assert workers(before)
    here = Ahead(WORLD).morning(number)
    assert morning.text == here.text
    (checked, *_) = morning.readings.values()
    assert checked.counts["rows_accepted"] == (here.source["day"] == WORLD.date(number)).sum()
    assert morning.cpu_seconds > 0


def test_a_process_that_has_died_is_not_missed(before: set[int]) -> None:
    with ahead_of(WORLD) as ahead:
        read_ahead(ahead)
        for one in workers(before):
            one.kill()
        for number in range(20, 30):
            assert ahead.morning(number).text == Ahead(WORLD).morning(number).text


def ended(error: BaseException) -> None:
    with ahead_of(WORLD) as ahead:
        read_ahead(ahead)
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError()])
def test_whoever_ends_the_life_ends_the_process(error: BaseException, before: set[int]) -> None:
    with pytest.raises(type(error)):
        ended(error)
    _, alive = psutil.wait_procs(workers(before), timeout=10)
    assert ["resource_tracker" in " ".join(one.cmdline()) for one in alive] in ([], [True])
