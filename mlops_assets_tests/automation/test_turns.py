"""Turns: fair, within a budget, and one forecast that fails stops no other."""

import logging
from collections.abc import Sequence

import dagster as dg
import pytest

from mlops_assets.automation import turns
from mlops_assets.automation.turns import Seen, Served, Tick, Turn, read_cursor, unasked, write_cursor
from mlops_assets.errors import DataError
from mlops_assets_tests.worlds import declare

LOG = logging.getLogger(__name__)


class Counting:
    """Notes whose turn it was; some forecasts fail, and some are not done with."""

    def __init__(self, failing: Sequence[str] = (), unfinished: Sequence[str] = (), sign: str = "same") -> None:
        self.looked: list[str] = []
        self.failing, self.unfinished, self.signed = failing, unfinished, sign

    def sign(self, spec: Served) -> str:
        return self.signed

    def look(self, spec: Served, seen: Seen) -> Turn:
        self.looked.append(spec.name)
        if spec.name in self.failing:
            raise DataError(f"{spec.name} is broken")
        return Turn("done", again=spec.name in self.unfinished)


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    return [declare(folder, name=name) for name in ("a", "b", "c", "d")]


def run(specs, watch, cursor=None) -> tuple[Tick, str]:
    tick = Tick(read_cursor(cursor))
    tick.run(specs, watch, LOG)
    return tick, write_cursor(tick.seen, specs)


def test_what_is_as_it_was_has_no_turn_until_its_pause_is_over(specs, monkeypatch):
    watch = Counting(unfinished=["b"])
    _, cursor = run(specs, watch)
    assert watch.looked == ["a", "b", "c", "d"]
    tick, cursor = run(specs, again := Counting(), cursor)
    assert again.looked == ["b"], "it was not done with"
    assert tick.words(4) == "b: done"
    tick, _ = run(specs, still := Counting(), cursor)
    assert still.looked == []
    assert tick.words(4) == "nothing is new of 4 forecasts"
    run(specs, changed := Counting(sign="another"), cursor)
    assert sorted(changed.looked) == ["a", "b", "c", "d"]
    monkeypatch.setattr(turns, "PAUSE", 0.0)
    run(specs, paused := Counting(), cursor)
    assert sorted(paused.looked) == ["a", "b", "c", "d"]


def test_a_tick_that_would_take_too_long_goes_on_with_those_that_have_waited(specs, monkeypatch):
    seconds, moment = iter(range(1000)), iter(range(100, 1000, 60))
    monkeypatch.setattr(turns, "BUDGET", 1.5)
    monkeypatch.setattr(turns.time, "monotonic", lambda: float(next(seconds)))  # each turn takes a second
    monkeypatch.setattr(turns.time, "time", lambda: next(moment))
    cursor, order = None, []
    for _ in range(4):
        watch = Counting(unfinished=["a", "b", "c", "d"])
        tick, cursor = run(specs, watch, cursor)
        order.append("".join(watch.looked))
        assert "3 more have their turn in the next tick" in tick.words(4)
    assert order == ["a", "b", "c", "d"]


def test_one_that_fails_is_told_and_the_others_go_on(specs):
    tick, cursor = run(specs, Counting(failing=["b"]))
    assert list(tick.told) == ["a", "c", "d"]
    assert tick.words(4).startswith("b failed: DataError: b is broken; a: done, ")
    _, cursor = run(specs, again := Counting(), cursor)
    assert again.looked == ["b"]
    with pytest.raises(DataError, match="a is broken"):
        run(specs, Counting(failing=["a", "b", "c", "d"]))


def test_a_cursor_of_an_earlier_release_or_of_other_forecasts_is_none(specs):
    assert read_cursor("2024-05-01T06:00:00+00:00 7") == read_cursor("2024-03-01 2024-05-10 7 12 None") == {}
    assert read_cursor("[1]") == read_cursor("7") == read_cursor(None) == {}
    seen = {"a": Seen(5, "x"), "gone": Seen(6, "y")}
    assert read_cursor(write_cursor(seen, specs)) == {"a": Seen(5, "x")}


def test_a_run_that_another_sensor_has_asked_for_is_not_asked_for_again():
    @dg.job
    def once():
        pass

    with dg.DagsterInstance.ephemeral() as instance:
        once.execute_in_process(instance=instance, tags={"dagster/run_key": "first"})
        left = unasked([dg.RunRequest(run_key="first"), dg.RunRequest(run_key="second")], instance)
        assert [request.run_key for request in left] == ["second"]
