"""Revisions: what changed is all that is kept, a killed run loses and doubles nothing, a new contract begins anew."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import SecretStr

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.io_managers import MemoryTables, ObjectTables, SqlTables, Tables
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets_tests.worlds import SPEC, declare, panel

FIRST, SECOND, THIRD = (pd.Timestamp(f"2024-03-0{day} 06:00") for day in (5, 7, 9))
KEYS = ["2024-03-03", "2024-03-04"]
STORED = ["demo", OBSERVATIONS]


def observed(keys: list[str] = KEYS, **changes: Any) -> pd.DataFrame:
    """Canonical rows of some days; `shop_1=5.0` is another target of that shop on each of them."""
    rows = panel().rename(columns={"shop": "item_id", "day": "timestamp", "sales": "target"})
    rows = rows[rows["timestamp"].isin(pd.to_datetime(keys))][["item_id", "timestamp", "target", "rain"]]
    for shop, value in changes.items():
        rows.loc[rows["item_id"] == shop.replace("_", " "), "target"] = value
    return rows.astype({"timestamp": "datetime64[us]"}).reset_index(drop=True)


def store(graph: Graph, tables: Tables, come: pd.DataFrame, now: pd.Timestamp, dies: bool = False) -> None:
    """Do what an ingest does with rows of `KEYS`."""
    Meanings(tables, "demo").note(graph.spec, now.tz_localize("UTC"))
    rows = Revisions(graph, tables).settle(OBSERVATIONS, come, KEYS, now).rows
    if not dies:
        parts = {key: rows[rows["timestamp"] == key] for key in KEYS}
        tables.write_all(STORED, parts, **graph.observed)


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out since when rows are known."""
    return rows.drop(columns="known_at").sort_values(KEY, ignore_index=True)


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return Graph(declare(tmp_path))


@pytest.fixture(params=["memory", "files", "sql"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> Tables:
    kinds = {"memory": MemoryTables, "files": lambda: ObjectTables(str(tmp_path / "tables"))}
    kinds["sql"] = lambda: SqlTables(SecretStr(f"sqlite:///{tmp_path}/tables.db"))
    return kinds[request.param]()


def test_what_changed_is_all_that_is_kept(graph: Graph, tables: Tables) -> None:
    store(graph, tables, observed(), FIRST)
    store(graph, tables, observed(), SECOND)
    assert not tables.exists(["demo", "revisions"]), "read again, nothing new"
    store(graph, tables, observed(shop_1=5.0), THIRD)
    kept = tables.read(["demo", "revisions"])
    assert kept["item_id"].tolist() == ["shop 1", "shop 1"]
    assert kept["partition"].tolist() == KEYS
    assert set(kept["known_at"]) == {FIRST}
    assert set(kept["superseded_at"]) == {THIRD}
    now = tables.read(STORED)
    assert (now["known_at"] == THIRD).tolist() == (now["item_id"] == "shop 1").tolist()


def test_each_past_is_read_as_it_was(graph: Graph, tables: Tables) -> None:
    store(graph, tables, observed(), FIRST)
    store(graph, tables, observed(shop_1=5.0), SECOND)
    store(graph, tables, observed(shop_1=6.0).query("item_id != 'shop 2'"), THIRD)
    past = Revisions(graph, tables)
    for moment, rows in (
        (FIRST, observed()),
        (SECOND, observed(shop_1=5.0)),
        (THIRD, observed(shop_1=6.0).query("item_id != 'shop 2'")),
    ):
        found = past.as_of(OBSERVATIONS, moment)
        pd.testing.assert_frame_equal(plain(found), rows.sort_values(KEY, ignore_index=True))
    assert past.as_of(OBSERVATIONS, FIRST - pd.Timedelta(hours=1)).empty
    assert len(past.as_of(OBSERVATIONS, FIRST, KEYS[:1])) == 4


def test_rows_of_an_earlier_release_are_known_since_the_end_of_their_partition(graph: Graph, tables: Tables) -> None:
    # Release 0.1.0 kept neither known_at nor a meaning.
    tables.write_all(STORED, {key: observed([key]) for key in KEYS})
    stored = tables.read(STORED)
    assert stored["known_at"].isna().all()
    past = Revisions(graph, tables)
    assert set(past.as_of(OBSERVATIONS, pd.Timestamp("2024-03-04 00:00"))["timestamp"].dt.day) == {3}
    store(graph, tables, observed(shop_1=5.0), THIRD)
    now = tables.read(STORED)
    assert now["known_at"].isna().tolist() == (now["item_id"] != "shop 1").tolist()
    pd.testing.assert_frame_equal(
        plain(past.as_of(OBSERVATIONS, SECOND)), observed().sort_values(KEY, ignore_index=True)
    )


@pytest.mark.parametrize("again", [{"shop_1": 5.0}, {"shop_1": 7.0}, {}], ids=["same", "other", "taken back"])
def test_a_run_that_is_killed_between_the_two_loses_and_doubles_nothing(
    graph: Graph, tables: Tables, again: dict[str, float]
) -> None:
    store(graph, tables, observed(), FIRST)
    store(graph, tables, observed(shop_1=5.0), SECOND, dies=True)
    past = Revisions(graph, tables)
    for moment in (FIRST, SECOND, THIRD):
        pd.testing.assert_frame_equal(plain(past.as_of(OBSERVATIONS, moment)), plain(past.as_of(OBSERVATIONS, FIRST)))
    store(graph, tables, observed(**again), THIRD)
    between = THIRD - pd.Timedelta(seconds=1)
    sorted_rows = observed().sort_values(KEY, ignore_index=True)
    pd.testing.assert_frame_equal(plain(past.as_of(OBSERVATIONS, between)), sorted_rows)
    pd.testing.assert_frame_equal(plain(past.as_of(OBSERVATIONS, THIRD)), plain(tables.read(STORED)))
    assert len(tables.partitions(["demo", "revisions"])) == 1, "the same rows are kept once"


def test_a_new_contract_begins_anew_and_drops_nothing(graph: Graph, tables: Tables, tmp_path: Path) -> None:
    store(graph, tables, observed(), FIRST)
    store(graph, tables, observed(shop_1=5.0), SECOND)
    columns = {**SPEC["columns"], "target": "revenue"}
    other = Graph(declare(tmp_path / "other", panel().assign(revenue=1.0), columns=columns))
    store(other, tables, observed().assign(target=1.0), THIRD)
    past = Revisions(other, tables)
    assert past.as_of(OBSERVATIONS, FIRST)["target"].unique().tolist() == [1.0], "it stands for what it meant before"
    assert past.as_of(OBSERVATIONS, FIRST - pd.Timedelta(hours=1)).empty
    assert sorted(tables.read(["demo", "revisions"])["contract"].unique()) == [1]
    assert len(tables.read(["demo", "revisions"])) == 2 + 8
    store(graph, tables, observed(shop_1=5.0), THIRD + pd.Timedelta(days=1))  # the edit is undone
    found = Revisions(graph, tables).as_of(OBSERVATIONS, FIRST)
    pd.testing.assert_frame_equal(plain(found), observed().sort_values(KEY, ignore_index=True))


def test_without_covariates_values_are_kept_all_the_same(tmp_path: Path) -> None:
    graph, tables = Graph(declare(tmp_path, covariates={})), MemoryTables()
    store(graph, tables, observed().drop(columns="rain"), FIRST)
    store(graph, tables, observed(shop_1=5.0).drop(columns="rain"), SECOND)
    found = plain(Revisions(graph, tables).as_of(OBSERVATIONS, FIRST))
    pd.testing.assert_frame_equal(found, observed().drop(columns="rain").sort_values(KEY, ignore_index=True))
    assert tables.read(["demo", "revisions"])["covariates"].tolist() == ["{}", "{}"]


def test_partitions_of_another_kind_become_the_past_of_those_in_their_place(
    graph: Graph, tables: Tables, tmp_path: Path
) -> None:
    store(graph, tables, observed(), FIRST)
    store(graph, tables, observed(shop_1=5.0), SECOND)
    weekly = Graph(declare(tmp_path / "weekly", partitions={"kind": "weekly", "start": "2024-03-01"}))
    Meanings(tables, "demo").note(weekly.spec, THIRD.tz_localize("UTC"))
    rows = observed(shop_1=5.0, shop_3=7.0).query("item_id != 'shop 2'")
    past = Revisions(weekly, tables)
    tables.delete(STORED, "2024-03-03")  # a Sunday, which begins a week
    tables.write(STORED, past.settle(OBSERVATIONS, rows, [], THIRD).rows, "2024-03-03", **weekly.observed)
    for _ in range(2):  # killed before it removed them
        past.carry(["2024-03-04"], THIRD + pd.Timedelta(hours=1))
    tables.delete(STORED, "2024-03-04")
    day = pd.Timestamp("2024-03-04")
    for moment, known in ((FIRST, observed()), (SECOND, observed(shop_1=5.0))):
        found, expected = plain(past.as_of(OBSERVATIONS, moment)), plain(known.assign(known_at=moment))
        found, expected = (rows.loc[rows["timestamp"] == day, "target"].tolist() for rows in (found, expected))
        assert found == expected
    assert plain(past.as_of(OBSERVATIONS, THIRD + pd.Timedelta(hours=1)))["item_id"].nunique() == 3


def test_a_covariate_that_was_a_text_is_a_number_under_another_contract(tmp_path: Path) -> None:
    tables, wet = MemoryTables(), observed().assign(rain="wet")
    store(Graph(declare(tmp_path / "text", covariates={"static": ["rain"]})), tables, wet, FIRST)
    store(Graph(declare(tmp_path / "number")), tables, observed(), SECOND)
    past = Revisions(Graph(declare(tmp_path / "number")), tables)
    assert set(past.rows(OBSERVATIONS)["contract"]) == {1}
    assert past.rows(OBSERVATIONS)["rain"].isna().all()
    other = Graph(declare(tmp_path / "other", columns={**SPEC["columns"], "target": "rain"}, covariates={}))
    assert set(Revisions(other, tables).rows(OBSERVATIONS)["contract"]) == {0}


def test_covariates_over_the_horizon_keep_what_was_forecast(tmp_path: Path) -> None:
    graph, tables = Graph(declare(tmp_path, covariates={"known": ["rain"]})), MemoryTables()
    Meanings(tables, "demo").note(graph.spec, FIRST.tz_localize("UTC"))
    rows = observed(["2024-03-05"]).drop(columns="target")
    both = pd.concat([rows.assign(partition=key, rain=float(day)) for day, key in enumerate(KEYS)], ignore_index=True)
    past = Revisions(graph, tables)
    for now, come in ((FIRST, both), (SECOND, both.assign(rain=both["rain"].replace(0.0, 9.0)))):
        made = past.settle(FUTURE_COVARIATES, come, KEYS, now).rows
        parts = {key: made[made["partition"] == key] for key in KEYS}
        tables.write_all(["demo", FUTURE_COVARIATES], parts, **graph.observed)
    for moment, rain in ((FIRST, [0.0, 1.0]), (SECOND, [9.0, 1.0])):
        found = past.as_of(FUTURE_COVARIATES, moment)
        assert found.groupby("partition")["rain"].unique().map(list).tolist() == [[value] for value in rain]
