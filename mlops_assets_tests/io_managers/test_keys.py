"""Hostile keys and names: nothing leaves the base, no two share a place, nothing is executed."""

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings

from mlops_assets.io_managers import ObjectTables, SqlTables, StorageError
from mlops_assets.io_managers import keys as names
from mlops_assets.io_managers.arrow import to_arrow
from mlops_assets.io_managers.sql.columns import table_name
from mlops_assets_tests.io_managers.conftest import Places
from mlops_assets_tests.io_managers.servers import fresh_name

PARTITIONS = [
    "..", ".", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "~root", "$HOME", "a b", " a", "a ",
    "a%2Fb", "%2e%2e", "x.parquet", "partition=x", "a|b", "a'b", 'a"b', "`id`", "'; DROP TABLE t; --", "a\nb", "é",
    "e\u0301",
    "A", "a", "*", "?x=1", "#x", "🎈", "x" * 300, "x" * 299 + "y", "-rf", "CON", "null", "\t",
]  # fmt: skip
NAMES = [
    "..", "/abs", "select", "A", "a", "a__b", "_mlops_partitions", "x'; DROP TABLE x; --", 'a"b', "a`b", "a.b", "a b",
    "é", "%s", "{0}", ":name", "n" * 200, "n" * 199 + "m", "1", "-", "table.parquet", "partition=x",
]  # fmt: skip


@settings(derandomize=True, database=None, max_examples=300)
@given(st.lists(st.text(min_size=1), min_size=2, max_size=20, unique=True))
def test_different_names_have_different_places(texts: list[str]):
    segments = [names.segment(text) for text in texts]
    assert len(set(segments)) == len(texts)
    for text, name in zip(texts, segments, strict=True):
        assert "/" not in name
        assert name not in (".", "..")
        assert len(name) <= 160
        assert name.isascii()
        assert names.partition_of(names.partition_folder(text)) in (text, None)


@settings(derandomize=True, database=None, max_examples=300)
@given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=3).map(tuple), min_size=2, max_size=20, unique=True))
def test_different_assets_have_different_tables(keys: list[tuple[str, ...]]):
    tables = {table_name(key).lower() for key in keys}
    assert len(tables) == len(keys)
    assert all(len(name) <= 50 and name.isascii() for name in tables)


@pytest.mark.parametrize(
    "place", ["memory", "files", "object_memory", "s3", "azure", "sqlite", "duckdb", "postgres", "mariadb"]
)
def test_hostile_partitions_are_only_partitions(places: Places, place: str):
    tables, key = places.tables(place), [fresh_name(), "t"]
    parts: dict[str | None, Any] = {name: to_arrow(pd.DataFrame({"n": [n]})) for n, name in enumerate(PARTITIONS)}
    tables.replace(key, parts, {}, 1)
    assert tables.partitions(key) == sorted(PARTITIONS)
    assert tables.read(key, PARTITIONS)["n"].tolist() == list(range(len(PARTITIONS)))
    for partition in ("'; DROP TABLE t; --", "../../etc/passwd", "x" * 300):
        tables.write(key, pd.DataFrame({"n": [-1]}), partition)
        assert tables.read(key, [partition])["n"].tolist() == [-1]


@pytest.mark.parametrize("place", ["files", "sqlite", "postgres", "mariadb", "s3"])
def test_hostile_assets_and_columns_are_only_names(places: Places, place: str):
    tables, base = places.tables(place), fresh_name()
    columns = [name for name in NAMES if name.lower() != "a"] + ["A", "a", "_partition", "_row", "partition_key"]
    for number, name in enumerate(NAMES):
        tables.write([base, name], pd.DataFrame({"n": [number]}))
        tables.write([base, name, "deeper"], pd.DataFrame({column: [number] for column in columns}), "p")
    for number, name in enumerate(NAMES):
        assert tables.read([base, name])["n"].tolist() == [number]
        found = tables.read([base, name, "deeper"])
        assert list(found.columns) == columns
        assert found.iloc[0].tolist() == [number] * len(columns)


def test_nothing_is_written_outside_the_folder(tmp_path: Path):
    base = tmp_path / "base"
    tables = ObjectTables(str(base))
    for name in [*PARTITIONS, *NAMES]:
        tables.write([name, "t"], pd.DataFrame({"n": [1]}), name)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


@pytest.mark.parametrize("key", [[], [""], ["a", ""]])
def test_an_empty_name_is_refused(tmp_path: Path, key: list[str]):
    with pytest.raises(StorageError, match="empty"):
        ObjectTables(str(tmp_path)).write(key, pd.DataFrame({"n": [1]}))
    with pytest.raises(StorageError, match="empty"):
        ObjectTables(str(tmp_path)).write(["a"], pd.DataFrame({"n": [1]}), "")


def test_a_table_of_somebody_else_is_not_replaced(tmp_path: Path):
    import sqlite3

    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("CREATE TABLE a__b (mine TEXT)")
        connection.execute("INSERT INTO a__b VALUES ('keep')")
    with pytest.raises(StorageError, match="was not made here"):
        SqlTables(f"sqlite:///{tmp_path}/t.db").write(["a", "b"], pd.DataFrame({"n": [1]}))
    with sqlite3.connect(tmp_path / "t.db") as connection:
        assert connection.execute("SELECT mine FROM a__b").fetchall() == [("keep",)]
