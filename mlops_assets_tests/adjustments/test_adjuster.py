"""What people do is written down once, published at once, and refused with a way out where it cannot be."""

import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.adjustments.adjuster import Adjuster, Wanted
from mlops_assets.adjustments.log import EVERYTHING, AdjustmentError, LockedError
from mlops_assets.adjustments.published import in_force
from mlops_assets.catalog.names import FORECASTS, PUBLISHED_FORECASTS
from mlops_assets.errors import UnknownNameError
from mlops_assets.io_managers.base import Tables
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.adjustments.stores import FIRST, KEY, NEXT, adjuster, ledger, stored

Desk = tuple[ForecastSpec, Tables, Adjuster]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    spec, tables = stored(tmp_path)
    return spec, tables, adjuster(spec, tables)


@pytest.fixture(params=["memory", "files", "sqlite"])
def any_desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    """The same over each kind of store."""
    spec, tables = stored(tmp_path)
    if request.param != "memory":
        files = ObjectTables(base=str(tmp_path / "tables"))
        tables = files if request.param == "files" else SqlTables(url=f"sqlite:///{tmp_path / 'tables.db'}")
        tables.write([spec.name, FORECASTS], ledger(KEY), KEY)
    return spec, tables, adjuster(spec, tables)


def _published(desk: Desk) -> pd.DataFrame:
    return in_force(desk[1].read([desk[0].name, PUBLISHED_FORECASTS]))


def _ledger(desk: Desk, key: str) -> pd.DataFrame:
    return desk[1].read([desk[0].name, FORECASTS], [key])[ledger(key).columns]


def test_an_adjustment_is_written_down_and_published_and_the_ledger_stays(desk: Desk) -> None:
    planner = desk[2]
    made = planner.adjust(Wanted("shop 1", FIRST, "2024-05-12", "factor", 1.5, "promotion", "leaflet"), by="ada")
    assert made.number == 1
    pd.testing.assert_series_equal(made.rows["after"], made.rows["system"] * 1.5, check_names=False)
    pd.testing.assert_series_equal(made.rows["before"], made.rows["system"], check_names=False)
    (row,) = planner.log.all().to_dict("records")
    assert (row["made_by"], row["action"], row["item_id"], row["reason"], row["note"]) == (
        "ada",
        "adjust",
        "shop 1",
        "promotion",
        "leaflet",
    )
    assert (row["made_at"], row["origin"]) == (pd.Timestamp("2024-05-11 06:00"), pd.Timestamp(KEY))
    published = _published(desk)
    assert published["item_id"].tolist() == ["shop 1"] * 2
    assert published["published_at"].unique().tolist() == [pd.Timestamp("2024-05-11 06:00")]
    pd.testing.assert_frame_equal(_ledger(desk, KEY), ledger(KEY))


def test_a_dry_run_shows_what_would_come_and_does_nothing(desk: Desk) -> None:
    spec, tables, planner = desk
    made = planner.adjust(Wanted(EVERYTHING, FIRST, None, "delta", 30, "weather"), "ada", dry_run=True)
    assert made.number is None
    assert (made.rows["after"] - made.rows["system"]).sum() == pytest.approx(30)
    assert planner.log.all().empty
    assert not tables.exists([spec.name, PUBLISHED_FORECASTS])


def test_taken_back_or_replaced_and_what_was_published_then_stays_known(any_desk: Desk) -> None:
    spec, tables, planner = any_desk
    planner.adjust(Wanted("shop 1", FIRST, None, "factor", 2, "promotion"), "ada")
    later = adjuster(spec, tables, hour=8)
    later.adjust(Wanted("shop 1", FIRST, None, "factor", 3, "promotion", replaces=1), "bob")
    assert _published(any_desk)["adjustment"].tolist() == [2]
    made = adjuster(spec, tables, hour=9).withdraw(2, "ada", note="called off")
    assert (made.entry.action, made.entry.item_id, made.rows["after"].tolist()) == (
        "withdraw",
        "shop 1",
        made.rows["system"].tolist(),
    )
    assert _published(any_desk).empty
    every = tables.read([spec.name, PUBLISHED_FORECASTS])
    assert in_force(every, pd.Timestamp("2024-05-11 07:00"))["adjustment"].tolist() == [1]
    assert in_force(every, pd.Timestamp("2024-05-11 08:30"))["adjustment"].tolist() == [2]
    with pytest.raises(AdjustmentError, match="does not hold any more: number 3 has ended it"):
        planner.withdraw(2, "ada")
    with pytest.raises(AdjustmentError, match="no adjustment 9 of demo; holding are: none"):
        planner.withdraw(9, "ada")


def test_a_locked_period_refuses_what_touches_it_until_it_is_unlocked(desk: Desk) -> None:
    _, _, planner = desk
    planner.adjust(Wanted("shop 1", FIRST, None, "factor", 2, "promotion"), "ada")
    planner.lock("shop 1", FIRST, "2024-05-12", "eve", note="ordered")
    for item in ("shop 1", EVERYTHING):
        with pytest.raises(LockedError, match="lock 2 by eve on 2024-05-11 06:00 UTC: ordered") as refused:
            planner.adjust(Wanted(item, "2024-05-12", None, "factor", 1.1, "promotion"), "ada")
    assert refused.value.exit_code == 4
    assert refused.value.advice == ("mlops-assets adjust demo --unlock 2",)
    with pytest.raises(LockedError):
        planner.withdraw(1, "ada")
    planner.adjust(Wanted("shop 1", "2024-05-13", None, "factor", 1.1, "promotion"), "ada")
    planner.unlock(2, "eve")
    planner.withdraw(1, "ada")
    with pytest.raises(AdjustmentError, match="lock 2 of demo does not hold any more"):
        planner.unlock(2, "eve")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted("shop 1", "2024-05-10", None, "factor", 2, "x"), "is over: the latest forecast is from 2024-05-10"),
        (Wanted("shop 1", "2024-05-13", "2024-05-12", "factor", 2, "x"), "ends .* before it begins"),
        (Wanted("shop 1", "next week", None, "factor", 2, "x"), "'next week' is no moment"),
        (Wanted("shop 1", FIRST, None, "factor", -2, "x"), "zero or above"),
        (Wanted("shop 1", FIRST, None, "factor", float("nan"), "x"), "nan is no factor"),
        (Wanted("shop 1", FIRST, None, "factor", 1e308, "x"), r"1e\+308 is no factor of a forecast: at most 1e\+06"),
        (Wanted("shop 1", FIRST, None, "delta", -1e300, "x"), "no delta of a forecast"),
        (Wanted("shop 1", FIRST, "9999-12-31", "factor", 2, "x"), "until: '9999-12-31' is not between the years"),
        (Wanted("shop 1", "0001-01-01", FIRST, "factor", 2, "x"), "from: '0001-01-01' is not between the years"),
        (Wanted("shop 1", f"{FIRST}T12:00", f"{FIRST}T18:00", "factor", 2, "x"), "nothing is forecast between"),
        (Wanted("shop 1", FIRST, None, "factor", 2, "x\x00"), "has a character in it that is none of a text"),
        (Wanted("shop 1", FIRST, None, "share", 2, "x"), "known are value, factor, delta"),
        (Wanted("shop 1", FIRST, None, "factor", 2, " "), "has to say why"),
        (Wanted("shop 1", FIRST, None, "value", 200, "x"), "beyond what the spec declares possible, 100"),
        (Wanted("shop 1", "2024-06-20", None, "factor", 2, "x", ends="origin"), "reaches no further than 2024-05-17"),
    ],
)
def test_what_cannot_be_adjusted_says_why(tmp_path: Path, wanted: Wanted, message: str) -> None:
    spec, tables = stored(tmp_path, maximum=100)
    with pytest.raises(AdjustmentError, match=message):
        adjuster(spec, tables).adjust(wanted, "ada")
    assert not tables.exists([spec.name, PUBLISHED_FORECASTS])


def test_an_item_that_is_not_there_names_the_nearest(desk: Desk) -> None:
    with pytest.raises(UnknownNameError, match="did you mean shop 1"):
        desk[2].adjust(Wanted("shop1", FIRST, None, "factor", 2, "x"), "ada")
    with pytest.raises(UnknownNameError, match=r"no sum of items 'sum:north'.*sum:\*"):
        desk[2].adjust(Wanted("sum:north", FIRST, None, "factor", 2, "x"), "ada")


def test_only_reasons_that_the_spec_declares(tmp_path: Path) -> None:
    spec, tables = stored(tmp_path, adjustments={"reasons": ["promotion", "weather"]})
    with pytest.raises(UnknownNameError, match="no reason 'promotoin'; did you mean promotion"):
        adjuster(spec, tables).adjust(Wanted("shop 1", FIRST, None, "factor", 2, "promotoin"), "ada")
    assert adjuster(spec, tables).adjust(Wanted("shop 1", FIRST, None, "factor", 2, "weather"), "ada").number == 1


def test_a_sum_is_of_the_items_that_it_has_now(tmp_path: Path) -> None:
    columns = {"item_id": ["region", "shop"], "timestamp": "day", "target": "sales"}
    spec, tables = stored(tmp_path, columns=columns, hierarchy={"levels": ["region"]})
    ids = {"shop 0": "north/0", "shop 1": "south/1", "shop 2": "north/2"}
    tables.write([spec.name, FORECASTS], ledger(KEY).replace({"item_id": ids}), KEY)
    planner = adjuster(spec, tables)
    made = planner.adjust(Wanted("sum:north", FIRST, None, "value", 100, "contract"), "ada")
    assert made.entry.items == ("north/0", "north/2")
    published = in_force(tables.read([spec.name, PUBLISHED_FORECASTS]))
    assert published["item_id"].tolist() == ["north/0", "north/2"]
    assert published["mean"].sum() == pytest.approx(100, abs=1e-9)
    planner.lock("north/2", FIRST, None, "eve")
    with pytest.raises(LockedError, match="north/2 is locked"):
        planner.adjust(Wanted("sum:north", FIRST, None, "factor", 1.1, "contract"), "ada")


def test_of_two_at_the_same_time_both_are_kept_and_published(tmp_path: Path) -> None:
    spec, _ = stored(tmp_path)
    tables = ObjectTables(base=str(tmp_path / "tables"))
    tables.write([spec.name, FORECASTS], ledger(KEY), KEY)
    start, failed = threading.Barrier(3), []

    def work(number: int) -> None:
        planner = adjuster(spec, tables)
        start.wait()
        try:
            for day in (FIRST, "2024-05-12"):
                planner.adjust(Wanted(f"shop {number % 2}", day, None, "factor", number + 2, "x"), f"planner {number}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    log = adjuster(spec, tables).log.all()
    assert log["number"].tolist() == list(range(1, 7))
    assert log["made_by"].value_counts().tolist() == [2] * 3
    expected = log.groupby(["item_id", "since"])["number"].max()
    published = in_force(tables.read([spec.name, PUBLISHED_FORECASTS]))
    found = published.set_index(["item_id", "timestamp"])["adjustment"].sort_index()
    assert found.tolist() == expected.tolist()


Refresh = Callable[[Desk, str, int], None]


def _asset(desk: Desk, key: str, seed: int) -> None:
    spec, tables, _ = desk
    from mlops_assets.adjustments.publisher import Publisher

    batches = iter([ledger(key, seed).iloc[:7], ledger(key, seed).iloc[7:]])
    passed = Publisher(tables, spec).passing(batches, [key], pd.Timestamp(f"{key} 23:00"))
    tables.write([spec.name, FORECASTS], pd.concat(passed, ignore_index=True), key)


def _refreshed(desk: Desk, key: str, seed: int) -> None:
    spec, tables, _ = desk
    from mlops_assets.adjustments.publisher import Publisher

    tables.write([spec.name, FORECASTS], ledger(key, seed), key)
    Publisher(tables, spec).refresh([key], pd.Timestamp(f"{key} 23:00"))


@pytest.mark.parametrize("made", [_asset, _refreshed])
def test_a_round_publishes_what_carries_over_and_keeps_what_is_locked(desk: Desk, made: Refresh) -> None:
    spec, tables, planner = desk
    planner.adjust(Wanted("shop 1", FIRST, "2024-05-12", "value", 77, "promotion"), "ada")
    planner.adjust(Wanted("shop 0", FIRST, "2024-05-14", "factor", 2, "promotion", ends="origin"), "ada")
    planner.lock("shop 2", "2024-05-13", "2024-05-14", "eve")
    made(desk, NEXT, 1)
    pd.testing.assert_frame_equal(_ledger(desk, NEXT), ledger(NEXT, 1))
    rows = in_force(tables.read([spec.name, PUBLISHED_FORECASTS], [NEXT]))
    assert rows[["item_id", "adjustment"]].to_numpy().tolist() == [["shop 1", 1], ["shop 2", 3], ["shop 2", 3]]
    assert rows["q50"].iloc[0] == 77
    locked = ledger(KEY).query("item_id == 'shop 2' and lead in [3, 4]")
    assert rows["q50"].iloc[1:].tolist() == locked["q50"].tolist()


@pytest.mark.parametrize("made", [_asset, _refreshed])
def test_where_nobody_has_adjusted_there_is_no_table(desk: Desk, made: Refresh) -> None:
    spec, tables, _ = desk
    made(desk, NEXT, 1)
    assert tables.children([spec.name]) == [FORECASTS]
