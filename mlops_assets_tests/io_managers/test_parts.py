"""Reading and writing by parts, in every store: what is asked for comes, and is what it would be as a whole."""

import operator
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given

from mlops_assets.io_managers import MissingTableError, ObjectTables, SchemaDriftError, Tables, UnstorableFrameError
from mlops_assets.resources.rows import Only, Span
from mlops_assets_tests.io_managers.laws import few_where_slow, frames, law, same
from mlops_assets_tests.io_managers.servers import fresh_name

DAYS = pd.date_range("2024-03-01", periods=4, unit="us")
NAMES = ["", "a", "a b", "B", "b", "ä", "é/1", "🎈"]
items = st.one_of(st.none(), st.sampled_from(NAMES))
times = st.one_of(st.none(), st.sampled_from(list(DAYS)))
bounds = st.builds(
    Only,
    items=st.one_of(
        st.none(),
        st.builds(Span, st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.lists(st.sampled_from(NAMES), max_size=3),
    ),
    since=times,
    until=times,
)


@st.composite
def series(draw: st.DrawFn, rest: pd.DataFrame) -> pd.DataFrame:
    """Draw items and times for the rows of a frame."""
    rows = len(rest)
    named = pd.Series(draw(st.lists(items, min_size=rows, max_size=rows)), dtype="str")
    timed = pd.Series(pd.to_datetime(draw(st.lists(times, min_size=rows, max_size=rows))).as_unit("us"))
    return pd.concat([pd.DataFrame({"item_id": named, "timestamp": timed}), rest], axis=1)


def wanted(whole: pd.DataFrame, only: Only) -> pd.DataFrame:
    """Filter a frame by pandas and Python alone."""
    keep = pd.Series(True, whole.index)
    if isinstance(only.items, Span):
        first, last = only.items.first, only.items.last
        keep &= whole["item_id"].map(lambda item: isinstance(item, str) and first <= item <= last).astype(bool)
    elif only.items is not None:
        keep &= whole["item_id"].isin(list(only.items))
    sides: list[tuple[pd.Timestamp | None, Callable[..., Any]]] = [(only.since, operator.ge), (only.until, operator.le)]
    for bound, compare in sides:
        keep &= True if bound is None else compare(whole["timestamp"], bound)
    return whole[keep]


@law
@given(rest=frames(1), only=bounds, size=st.integers(1, 4), data=st.data())
def test_rows_that_are_wanted_and_batches_are_what_the_whole_table_has(
    tables: Tables, place: str, rest: pd.DataFrame, only: Only, size: int, data: st.DataObject
):
    if not few_where_slow(place, data):
        return
    key = [fresh_name(), "table"]
    first = data.draw(series(rest))
    rows = data.draw(st.lists(st.integers(0, len(first) - 1), max_size=9))
    later = first.iloc[rows].assign(later=7)
    tables.write(key, first, "1")
    tables.write(key, later, "2", allow_new_columns=True)
    columns = data.draw(st.one_of(st.none(), st.permutations(list(later.columns)).map(lambda names: names[:3])))
    partitions = data.draw(st.sampled_from([None, ["1"], ["2"], ["2", "1"]]))
    needed = None if columns is None else list(dict.fromkeys([*columns, "item_id", "timestamp"]))
    whole = wanted(tables.read(key, partitions, needed), only)
    whole = whole if columns is None else whole[columns]
    same(tables.read(key, partitions, columns, only), whole)
    batches = list(tables.batches(key, partitions, columns, only, size))
    assert all(len(batch) <= size for batch in batches)
    assert len(batches) == 1 or all(len(batch) for batch in batches)
    assert all(batch.dtypes.equals(whole.dtypes) for batch in batches)
    same(pd.concat(batches, ignore_index=True), whole)
    tables.delete(key)


@law
@given(frame=frames(), cuts=st.lists(st.integers(0, 8), max_size=4), data=st.data())
def test_batches_that_are_written_are_what_the_whole_frame_is(
    tables: Tables, place: str, frame: pd.DataFrame, cuts: list[int], data: st.DataObject
):
    if not few_where_slow(place, data):
        return
    key, edges = [fresh_name(), "table"], [0, *sorted(cuts), len(frame)]
    tables.write_batches(key, (frame.iloc[a:b] for a, b in pairwise(edges)), "1")
    same(tables.read(key, ["1"]), frame)
    tables.write_batches(key, [frame], "2")
    tables.write_batches(key, [frame.iloc[:0], frame.iloc[:0]], "1")
    same(tables.read(key, ["1"]), frame.iloc[:0])
    same(tables.read(key, ["2"]), frame)
    tables.delete(key)


def test_categories_may_come_in_batches(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"n": range(6), "size": pd.Categorical([3, 1, 2, 3, None, 1], [1, 2, 3], ordered=True)})
    tables.write_batches(key, (frame.iloc[n : n + 2] for n in range(0, 6, 2)), "x")
    same(tables.read(key, ["x"]), frame)


def test_batches_that_end_half_way_leave_what_was_stored(tables: Tables, key: list[str]):
    old = pd.DataFrame({"n": [1]})
    tables.write(key, old, "x")

    def half() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"n": [2]})
        raise RuntimeError("a worker is gone")

    with pytest.raises(RuntimeError, match="a worker is gone"):
        tables.write_batches(key, half(), "x")
    with pytest.raises(SchemaDriftError, match=r"'n' is int64 in partition 'batch from row 0' and float64 in"):
        tables.write_batches(key, [pd.DataFrame({"n": [2]}), pd.DataFrame({"n": [0.5]})], "x")
    with pytest.raises(SchemaDriftError, match="'m' is new"):
        tables.write_batches(key, [pd.DataFrame({"n": [2], "m": [0]})] * 2, "y")
    with pytest.raises(UnstorableFrameError, match="no batch came"):
        tables.write_batches(key, [], "x")
    same(tables.read(key), old)
    assert tables.partitions(key) == ["x"]


def test_what_cannot_be_told_by_a_column_is_an_error_that_names_it(tables: Tables, key: list[str]):
    tables.write(key, pd.DataFrame({"item_id": ["a"], "n": [1]}), "x")
    with pytest.raises(SchemaDriftError, match="no column 'timestamp'"):
        tables.read(key, only=Only(since=DAYS[0]))
    with pytest.raises(SchemaDriftError, match="no column 'timestamp'"):
        list(tables.batches(key, columns=["n"], only=Only(until=DAYS[0])))
    with pytest.raises(MissingTableError, match="none of the 1 partitions"):
        list(tables.batches(key, ["y"]))
    assert tables.read(key, columns=["n"], only=Only(items=["b"])).dtypes.to_dict() == {"n": "int64"}
    assert tables.without_rows(key, ["n"]).dtypes.to_dict() == {"n": "int64"}
    assert tables.without_rows([*key, "other"], ["n"]).columns.tolist() == ["n"]
    assert (tables.row_count(key), tables.row_count(key, ["y"]), tables.row_count([*key, "other"])) == (1, 0, 0)


def test_a_shard_of_a_large_partition_is_read_without_the_rest_of_it(tmp_path: Path):
    """One item in twenty costs about one byte in twenty; nothing is sorted that was not."""
    tables, key = ObjectTables(str(tmp_path)), ["t"]
    frame = pd.DataFrame({"item_id": [f"item {n:06d}" for n in range(100_000)], "target": range(100_000)})
    tables.write(key, frame)
    tables.write([*key, "shuffled"], shuffled := frame.sample(frac=1.0, random_state=0, ignore_index=True))
    shard = Only(items=Span("item 040000", "item 044999"))
    same(tables.read(key, only=shard), frame.iloc[40_000:45_000])
    same(tables.read([*key, "shuffled"], only=shard), wanted(shuffled, shard))
    assert read_bytes(tmp_path / "t" / "table.parquet", shard) < 0.1
    same(tables.read([*key, "shuffled"]), shuffled)


def test_only_values_that_repeat_have_a_dictionary_in_the_file(tmp_path: Path):
    import pyarrow.parquet as pq

    tables, numbers = ObjectTables(str(tmp_path)), range(10_000)
    tables.write(["t"], pd.DataFrame({"item_id": ["a", "b"] * 5_000, "mean": [n / 7 for n in numbers], "lead": 1}))
    footer = pq.read_metadata(tmp_path / "t" / "table.parquet")
    columns = [footer.row_group(footer.num_row_groups - 1).column(i) for i in range(3)]
    assert [one.has_dictionary_page for one in columns] == [True, False, True]


def read_bytes(file: Path, only: Only) -> float:
    """Return the share of a file's bytes that lie in the row groups that are read."""
    import pyarrow.parquet as pq

    from mlops_assets.io_managers.filtering import row_groups

    footer = pq.read_metadata(file)
    sizes = [
        sum(footer.row_group(group).column(i).total_compressed_size for i in range(footer.num_columns))
        for group in range(footer.num_row_groups)
    ]
    return sum(sizes[group] for group in row_groups(footer, only)) / sum(sizes)
