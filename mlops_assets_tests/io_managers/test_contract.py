"""The contract of tables: every manager passes all of it, unchanged."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from mlops_assets.io_managers import (
    MissingTableError,
    StaleWriteError,
    StorageError,
    Tables,
)
from mlops_assets.io_managers import arrow as arrow_frames
from mlops_assets_tests.io_managers.conftest import SLOW_PLACES, Places
from mlops_assets_tests.io_managers.laws import few_where_slow, frames, law, same, texts
from mlops_assets_tests.io_managers.servers import fresh_name

ALL = os.environ.get("MLOPS_TEST_STORAGE") == "all"


@law
@given(first=frames(1), names=st.lists(texts.filter(bool), min_size=2, max_size=4, unique=True), data=st.data())
def test_replacing_a_partition_touches_nothing_else(
    tables: Tables, place: str, first: pd.DataFrame, names: list[str], data: st.DataObject
):
    if not few_where_slow(place, data):
        return
    key = [fresh_name(), "table"]
    for name in names:
        tables.write(key, first, name)
    changed = data.draw(st.sampled_from(names))
    rows = data.draw(st.lists(st.integers(0, len(first) - 1), max_size=10))
    tables.write(key, first.iloc[rows], changed)
    assert tables.partitions(key) == sorted(names)
    for name in names:
        same(tables.read(key, [name]), first.iloc[rows] if name == changed else first)
    whole = tables.read(key, names)
    same(
        whole,
        pd.concat([first.iloc[rows] if name == changed else first for name in names], ignore_index=True),
    )
    tables.delete(key)
    assert not tables.exists(key)


def test_a_run_again_gives_the_same_content(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"item_id": ["b", "a"], "target": [1.0, np.nan]})
    for _ in range(3):
        tables.write(key, frame, "2024-01-01", primary_key=["item_id"])
    same(tables.read(key), frame)


def test_absent_partitions_are_skipped_and_all_absent_is_an_error(tables: Tables, key: list[str]):
    with pytest.raises(MissingTableError, match="has not been stored yet"):
        tables.read(key)
    assert tables.partitions(key) == []
    assert not tables.exists(key)
    tables.write(key, pd.DataFrame({"a": [1]}), "x")
    tables.write(key, pd.DataFrame({"a": [2]}), "y")
    same(tables.read(key, ["y", "no", "x"]), pd.DataFrame({"a": [2, 1]}))
    with pytest.raises(MissingTableError, match="none of the 2 partitions asked for"):
        tables.read(key, ["no", "neither"])
    assert tables.exists(key, "x")
    assert not tables.exists(key, "no")
    tables.delete(key, "x")
    assert tables.partitions(key) == ["y"]


def test_several_partitions_are_replaced_at_once_and_the_others_stay(tables: Tables, key: list[str]):
    for name in ("a", "b", "c"):
        tables.write(key, pd.DataFrame({"n": [1], "s": [name]}), name)
    tables.write_all(key, {name: pd.DataFrame({"n": [2, 3], "s": [name, name]}) for name in ("b", "d")})
    tables.write_all(key, {})
    found = tables.read(key)
    assert found.groupby("s")["n"].agg(list).to_dict() == {"a": [1], "b": [2, 3], "c": [1], "d": [2, 3]}


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_up_to_a_thousand_partitions_come_back_in_one_frame(tables: Tables, place: str, key: list[str], count: int):
    """Written as a single-run backfill writes them: at once. By default hundreds must do."""
    if not ALL:
        count = min(count, 150 if place in SLOW_PLACES else 400)
    names = [f"{number:04d}" for number in range(count)]
    parts = {name: pd.DataFrame({"n": [number], "s": [name]}) for number, name in enumerate(names)}
    if count:
        arrow: dict[str | None, Any] = {name: arrow_frames.to_arrow(part) for name, part in parts.items()}
        tables.replace(key, arrow, {}, 1)
        same(tables.read(key), pd.concat(parts.values(), ignore_index=True))
        same(tables.read(key, names[::-2]), pd.concat([parts[n] for n in names[::-2]], ignore_index=True))
    assert tables.partitions(key) == names


def test_with_and_without_partitions_do_not_mix(tables: Tables, key: list[str]):
    tables.write(key, pd.DataFrame({"a": [1]}))
    with pytest.raises(StorageError, match="stored without partitions"):
        tables.write(key, pd.DataFrame({"a": [1]}), "x")
    same(tables.read(key), pd.DataFrame({"a": [1]}))


def test_an_older_writer_is_refused(tables: Tables, key: list[str]):
    newer, older = pd.DataFrame({"a": [2]}), pd.DataFrame({"a": [1]})
    as_arrow = arrow_frames.to_arrow
    tables.replace(key, {"x": as_arrow(newer)}, {}, 2_000)
    with pytest.raises(StaleWriteError, match=r"partition 'x' was not replaced"):
        tables.replace(key, {"x": as_arrow(older)}, {}, 1_000)
    same(tables.read(key), newer)
    tables.replace(key, {"x": as_arrow(older)}, {}, 2_000)
    same(tables.read(key), older)


def test_what_was_written_before_the_clock_was_set_back_is_replaced(tables: Tables, key: list[str]):
    week = 7 * 86_400 * 10**9
    tables.replace(key, {"x": arrow_frames.to_arrow(pd.DataFrame({"a": [1]}))}, {}, time.time_ns() + week)
    for value in (2, 3):
        tables.write(key, pd.DataFrame({"a": [value]}), "x")
        same(tables.read(key), pd.DataFrame({"a": [value]}))


def test_of_those_who_create_a_partition_at_once_one_succeeds(tables: Tables, key: list[str]):
    with ThreadPoolExecutor(8) as pool:
        for partition in ("1", "2"):
            made = list(pool.map(lambda n: tables.create(key, pd.DataFrame({"n": [n]}), partition), range(8)))  # noqa: B023
            assert made.count(True) == 1
            same(tables.read(key, [partition]), pd.DataFrame({"n": [made.index(True)]}))
    assert not tables.create(key, pd.DataFrame({"n": [9]}), "1")
    tables.write(key, pd.DataFrame({"n": [10]}), "1")
    same(tables.read(key, ["1"]), pd.DataFrame({"n": [10]}))


def test_a_partition_replaced_again_and_again_does_not_grow(tables: Tables, place: str, places: Places, key: list[str]):
    from mlops_assets.io_managers import SqlTables

    frame = pd.DataFrame({"n": np.random.default_rng(0).integers(0, 2**62, 2_000), "text": "x" * 20})
    version, rounds, sizes = int(frame.memory_usage(deep=True).sum()), 40 if place == "sqlite" else 12, []
    for _ in range(rounds):
        tables.write(key, frame, "p")
        if isinstance(tables, SqlTables) and place in ("postgres", "mariadb"):
            with tables._server.reading("_") as connection:
                sizes.append(tables._server.size(connection, f"{key[0]}__table"))
        elif place in ("files", "sqlite", "duckdb"):
            kept = [
                path for path in (places.folder / place).rglob("*.*") if path.suffix in (".parquet", ".db", ".duckdb")
            ]
            sizes.append(sum(path.stat().st_size for path in kept))
        else:
            sizes.append(len(tables.read(key)))
    # SQLite and DuckDB tidy up now and then, so a few versions may lie about, but not one for each write.
    assert sizes[-1] - sizes[1] <= version * rounds / 2
