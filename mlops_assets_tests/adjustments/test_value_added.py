"""Forecast value added: whose changes came nearer to what came, of those that were made in time."""

from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.adjustments.adjuster import Adjuster, Wanted
from mlops_assets.adjustments.log import EVERYTHING
from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.adjustments.value_added import NUMBERS, compared, value_added
from mlops_assets.resources.clock import Clock
from mlops_assets_tests.reading.stored import DAYS, StoredForecast, store


def _at(world: StoredForecast, moment: str) -> Adjuster:
    return Adjuster(world.tables, world.spec, Clock(fixed=moment))


@pytest.fixture
def world(tmp_path: Path) -> StoredForecast:
    """After the forecast of 5 March, ada helps, bob harms, and eve is late; then three more days come."""
    world = store(tmp_path, items=3, rounds=5)
    ahead = DAYS[5:8]
    came = {}
    for day in ahead:
        came[day] = world.observe(day).set_index("item_id")["target"]
    first, last = (f"{day:%Y-%m-%d}" for day in (ahead[0], ahead[-1]))
    for day in ahead:
        value = float(came[day]["shop 0"])
        _at(world, "2024-03-05T22:00").adjust(Wanted("shop 0", f"{day:%Y-%m-%d}", None, "value", value, "knows"), "ada")
    _at(world, "2024-03-05T23:00").adjust(Wanted("shop 1", first, last, "delta", -500, "gloom"), "bob")
    late = f"{ahead[1]:%Y-%m-%d}T12:00"
    _at(world, late).adjust(Wanted("shop 2", f"{ahead[1]:%Y-%m-%d}", last, "factor", 3, "afterwards"), "eve")
    for day in ahead:
        world.score(day)
    return world


def test_who_comes_nearer_has_added_value_and_who_changes_after_the_fact_counts_nowhere(world: StoredForecast) -> None:
    found = value_added(world.tables, world.spec, "person").set_index("person")
    assert found.index.tolist()[0] == "ada"
    assert found.loc["ada", "published_error"] == pytest.approx(0)
    assert found.loc["ada", "share"] == pytest.approx(1)
    assert (found.loc["ada", "rows"], found.loc["ada", "adjustments"], found.loc["ada", "better"]) == (3, 3, 1.0)
    assert found.loc["bob", "value_added"] < 0
    # eve's second day had begun; the third had not.
    assert found.loc["eve", "rows"] == 1
    assert value_added(world.tables, world.spec, "reason")["reason"].tolist()[0] == "knows"
    assert value_added(world.tables, world.spec, "lead")["lead"].tolist() == [1, 2, 3]
    assert value_added(world.tables, world.spec, "kind").set_index("kind")["rows"].to_dict() == {
        "value": 3,
        "delta": 3,
        "factor": 1,
    }


def test_the_errors_are_those_of_the_same_rows(world: StoredForecast) -> None:
    rows = compared(world.tables, world.spec)
    whole = value_added(world.tables, world.spec).iloc[0]
    assert whole["rows"] == len(rows) == 7
    assert whole["system_error"] == pytest.approx((rows["system"] - rows["target"]).abs().mean())
    assert whole["published_error"] == pytest.approx((rows["published"] - rows["target"]).abs().mean())
    assert whole["value_added"] == pytest.approx(whole["system_error"] - whole["published_error"])


def test_taken_back_in_time_counts_nowhere_and_afterwards_it_still_counts(tmp_path: Path) -> None:
    world = store(tmp_path, items=2, rounds=5)
    for number in range(2):
        wanted = Wanted(f"shop {number}", "2024-03-06", None, "factor", 2, "promotion")
        _at(world, "2024-03-05T20:00").adjust(wanted, "ada")
    _at(world, "2024-03-05T21:00").withdraw(1, "ada")
    _at(world, "2024-03-06T09:00").withdraw(2, "ada")
    world.observe(DAYS[5])
    world.score(DAYS[5])
    assert compared(world.tables, world.spec)["adjustment"].tolist() == [2]


def test_what_carries_over_counts_by_lead_and_a_lock_by_who_has_locked(tmp_path: Path) -> None:
    world = store(tmp_path, items=2, rounds=5)
    _at(world, "2024-03-05T20:00").adjust(Wanted("shop 0", "2024-03-07", None, "factor", 2, "promotion"), "ada")
    _at(world, "2024-03-05T20:00").lock("shop 1", "2024-03-07", None, "eve")
    world.observe(DAYS[5])
    world.forecast(DAYS[5])
    Publisher(world.tables, world.spec).refresh(["2024-03-06"], pd.Timestamp("2024-03-07 06:00"))
    world.observe(DAYS[6])
    world.score(DAYS[6])
    rows = compared(world.tables, world.spec)
    assert rows[["item_id", "lead", "made_by", "kind"]].to_numpy().tolist() == [
        ["shop 0", 2, "ada", "factor"],
        ["shop 0", 1, "ada", "factor"],
        ["shop 1", 1, "eve", "lock"],
    ]


def test_what_the_model_had_seen_counts_in_no_score(tmp_path: Path) -> None:
    world = store(tmp_path, items=1, rounds=5)
    world.forecast(DAYS[4], trained_until=DAYS[20])
    _at(world, "2024-03-05T20:00").adjust(Wanted(EVERYTHING, "2024-03-06", None, "factor", 2, "promotion"), "ada")
    world.observe(DAYS[5])
    world.score(DAYS[5])
    assert compared(world.tables, world.spec).empty


def test_where_nobody_has_adjusted_there_is_nothing_to_tell(tmp_path: Path) -> None:
    world = store(tmp_path, rounds=2)
    for by in ("person", "all"):
        found = value_added(world.tables, world.spec, by)
        assert found.empty
        assert found.columns.tolist() == [*(["person"] if by == "person" else []), "rows", "adjustments", *NUMBERS]
