"""Shards: no row lost or doubled, small tables whole, about as many rows in each."""

import pickle
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mlops_assets.errors import DataError
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.io_managers.sql.tables import SqlTables
from mlops_assets.resources.rows import Only, Span
from mlops_assets.resources.secrets import UnknownSecretError, keep, reveal
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.failures import EngineAddressError
from mlops_assets.scale.shards import Shard, _cut, apply_by_shard, shards

KEY = ["demo", "observations"]


def day(number: int, items: int = 10) -> pd.DataFrame:
    ids = [f"item {item:02}" for item in range(items)]
    return pd.DataFrame({"item_id": ids, "timestamp": pd.Timestamp(2024, 1, number + 1), "target": float(number)})


@pytest.fixture
def tables(tmp_path: Path) -> ObjectTables:
    made = ObjectTables(base=str(tmp_path / "tables"))
    made.write_all(KEY, {f"2024-01-{number + 1:02}": day(number) for number in range(6)})
    return made


def total(shard: Shard, tables: ObjectTables) -> tuple[int, float]:
    frame = tables.read(KEY, None, ["item_id", "target"], Only(items=shard))
    return len(frame), float(frame["target"].sum())


def test_a_small_table_is_one_shard_that_is_all_of_it(tables):
    assert shards(tables, KEY, None) == [None]
    assert shards(tables, KEY, ["2024-01-02"]) == [None]
    assert shards(tables, KEY, ["2023-01-02"]) == []
    assert list(apply_by_shard(Engine.local(), total, [None], tables)) == [(60, 150.0)]


def test_a_large_table_is_parted_by_its_rows(tables, monkeypatch):
    monkeypatch.setattr("mlops_assets.scale.shards.ROWS", 25)
    parts = shards(tables, KEY, None)
    assert parts == [Span("item 00", "item 03"), Span("item 04", "item 06"), Span("item 07", "item 09")]
    assert shards(tables, KEY, ["2024-01-02", "2024-01-03"]) == [None]
    assert len(shards(tables, KEY, ["2024-01-02", "2024-01-03"], width=5)) == 4, "wide rows weigh more"
    assert list(apply_by_shard(Engine.local(), total, parts, tables)) == [(24, 60.0), (18, 45.0), (18, 45.0)]
    some = Only(items=["item 04", "item 02"])
    assert shards(tables, KEY, None, some, count=3) == [Span("item 02", "item 02"), Span("item 04", "item 04")]
    assert shards(tables, KEY, None, Only(items=["none"])) == []


def test_processes_read_their_own_shards(tables):
    engine = Engine(address="local?workers=2")
    parts = shards(tables, KEY, None, count=3)
    try:
        assert list(apply_by_shard(engine, total, parts, tables)) == [total(part, tables) for part in parts]
    finally:
        engine.close()


def test_tables_in_memory_are_worked_on_here_or_not_at_all():
    tables = MemoryTables()
    tables.write_all(KEY, {f"2024-01-{number + 1:02}": day(number) for number in range(6)})
    parts = shards(tables, KEY, None, count=3)
    assert len(list(apply_by_shard(Engine(address="local?workers=2"), total, parts, tables))) == 3
    with pytest.raises(EngineAddressError, match="workers cannot see tables in the memory of this process"):
        apply_by_shard(Engine(address="dask://127.0.0.1:9"), total, parts, tables)


def test_items_without_an_order_are_named(tables):
    tables.write(KEY, day(8, 2).assign(item_id=["a", None]), "2024-01-09")
    with pytest.raises(DataError, match="demo/observations: column item_id holds values that have no order"):
        shards(tables, KEY, None, count=2)


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 40))
def test_every_item_is_in_one_shard(rows, count):
    counts = pd.Series(rows).sort_index()
    spans = list(_cut(counts, min(count, len(counts))))
    assert len(spans) == min(count, len(counts))
    found = [[item for item in counts.index if span.first <= item <= span.last] for span in spans]
    assert [item for part in found for item in part] == sorted(rows)


def test_a_store_is_sent_without_its_secret_and_a_worker_has_it_from_its_own_environment(monkeypatch):
    url = "sqlite:////tmp/hunter2planted.db"
    tables = SqlTables(url=keep(SecretStr(url), "A_DATABASE"))
    sent = pickle.dumps(tables)
    assert b"hunter2planted" not in sent
    monkeypatch.setattr("mlops_assets.resources.secrets._KEPT", {})  # as in another process
    there = pickle.loads(sent)
    with pytest.raises(UnknownSecretError, match="set A_DATABASE there"):
        reveal(there.url)
    monkeypatch.setenv("A_DATABASE", url)
    assert reveal(there.url).get_secret_value() == url
    with pytest.raises(UnknownSecretError, match="only the process that it was given to knows it"):
        reveal("secret:A_DATABASE 2")
