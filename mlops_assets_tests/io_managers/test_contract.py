"""The contract of tables: every manager passes all of it, unchanged."""

import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from pandas.testing import assert_frame_equal

from mlops_assets.io_managers import (
    MissingTableError,
    SchemaDriftError,
    StaleWriteError,
    StorageError,
    Tables,
    UnstorableFrameError,
)
from mlops_assets.io_managers import arrow as arrow_frames
from mlops_assets_tests.io_managers.conftest import SLOW_PLACES, Places
from mlops_assets_tests.io_managers.servers import fresh_name

EXAMPLES = 30
SLOW_EXAMPLES = 5
ALL = os.environ.get("MLOPS_TEST_STORAGE") == "all"


def law(test: Any) -> Any:
    """Try a law on examples: the same ones each time, fewer where each is slow."""
    quiet = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    return quiet(test)


def few_where_slow(place: str, data: st.DataObject) -> bool:
    """Draw whether to go on: true for all examples of a quick place and a share of a slow one's."""
    return place not in SLOW_PLACES or data.draw(st.integers(0, EXAMPLES - 1)) < SLOW_EXAMPLES


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
nanoseconds = st.integers(-(2**60), 2**60)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


def column_of(values: st.SearchStrategy[Any], build: Any) -> Any:
    return lambda rows: st.lists(values, min_size=rows, max_size=rows).map(build)


def series(dtype: Any) -> Any:
    return lambda values: pd.Series(values, dtype=dtype)


def zoned(zone: Any, unit: str) -> Any:
    def build(values: list[Any]) -> pd.Series:
        return pd.Series(pd.to_datetime(values, utc=True).tz_convert(zone).as_unit(unit))

    return build


COLUMNS = {
    "int64": column_of(st.integers(-(2**63), 2**63 - 1), series("int64")),
    "int8": column_of(st.integers(-128, 127), series("int8")),
    "uint16": column_of(st.integers(0, 2**16 - 1), series("uint16")),
    "uint64": column_of(st.integers(0, 2**64 - 1), series("uint64")),
    "Int64": column_of(maybe(st.integers(-(2**63), 2**63 - 1)), series("Int64")),
    "UInt8": column_of(maybe(st.integers(0, 255)), series("UInt8")),
    "bool": column_of(st.booleans(), series("bool")),
    "boolean": column_of(maybe(st.booleans()), series("boolean")),
    "float64": column_of(st.one_of(finite, st.just(np.nan)), series("float64")),
    "float32": column_of(st.one_of(st.floats(width=32, allow_nan=False, allow_infinity=False)), series("float32")),
    "Float64": column_of(maybe(finite), series("Float64")),
    "object text": column_of(maybe(texts), series("object")),
    "string": column_of(maybe(texts), series("string")),
    "string[pyarrow]": column_of(maybe(texts), series("string[pyarrow]")),
    "bytes": column_of(maybe(st.binary(max_size=20)), series("object")),
    "date": column_of(maybe(st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1))), series("object")),
    "time": column_of(maybe(st.times()), series("object")),
    "decimal": column_of(
        maybe(st.decimals(min_value=-(10**12), max_value=10**12, places=4, allow_nan=False)), series("object")
    ),
    "category": lambda rows: st.lists(st.sampled_from(["a", "b", None]), min_size=rows, max_size=rows).map(
        lambda values: pd.Series(pd.Categorical(values, categories=["b", "unused", "a"]))
    ),
    "ordered category": lambda rows: st.lists(st.sampled_from([3, 7]), min_size=rows, max_size=rows).map(
        lambda values: pd.Series(pd.Categorical(values, categories=[7, 5, 3], ordered=True))
    ),
    "datetime64[us]": column_of(maybe(moments), lambda v: pd.Series(pd.to_datetime(v).as_unit("us"))),
    "datetime64[s]": column_of(
        maybe(moments.map(lambda t: t.replace(microsecond=0))),
        lambda v: pd.Series(pd.to_datetime(v).as_unit("s")),
    ),
    "datetime64[ns]": column_of(nanoseconds, lambda v: pd.Series(pd.to_datetime(np.array(v, dtype="int64")))),
    "zoned ns": column_of(nanoseconds, lambda v: zoned("America/New_York", "ns")(np.array(v, dtype="int64"))),
    "zoned us": column_of(maybe(moments), zoned("Asia/Kathmandu", "us")),
    "fixed offset": column_of(maybe(moments), zoned(dt.timezone(-dt.timedelta(hours=5)), "us")),
    "timedelta": column_of(maybe(st.timedeltas(-dt.timedelta(9999), dt.timedelta(9999))), series("timedelta64[us]")),
    "nothing": lambda rows: st.just(pd.Series([None] * rows, dtype="object")),
}


@st.composite
def frames(draw: st.DrawFn, min_rows: int = 0) -> pd.DataFrame:
    """Draw a frame: some kinds of column, the same number of rows in each, none at times."""
    rows = draw(st.integers(min_rows, 8))
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6, unique=True))
    return pd.DataFrame({kind: draw(COLUMNS[kind](rows)) for kind in kinds})


def same(found: pd.DataFrame, expected: Any) -> None:
    assert_frame_equal(found, expected.reset_index(drop=True), check_freq=False, check_exact=True)


@law
@given(frame=frames(), data=st.data())
def test_what_is_read_is_what_was_written(tables: Tables, place: str, frame: pd.DataFrame, data: st.DataObject):
    if not few_where_slow(place, data):
        return
    key = [fresh_name(), "table"]
    tables.write(key, frame)
    same(tables.read(key), frame)
    tables.delete(key)


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_every_kind_of_column_comes_back(tables: Tables, key: list[str], kind: str):
    """The law again, with each kind for sure: some rows, none, and read back in part."""
    frame = pd.DataFrame({kind: _sample(kind), "other": range(5)})
    tables.write(key, frame, "full")
    tables.write(key, frame.iloc[:0], "empty")
    same(tables.read(key, ["full"]), frame)
    same(tables.read(key, ["empty"]), frame.iloc[:0])
    same(tables.read(key, ["full"], columns=[kind]), frame[[kind]])
    tables.delete(key)


def _sample(kind: str) -> pd.Series:
    zone = dt.timezone(-dt.timedelta(hours=5))
    spring = pd.to_datetime(
        ["2024-03-10 06:59:59.999999", "2024-03-10 07:00", None, "1969-12-31", "2024-11-03"], format="ISO8601"
    )
    fine = pd.to_datetime(np.array([0, -1, 1_700_000_000_123_456_789, 999, -1001]))
    samples: dict[str, Any] = {
        "int64": np.array([0, -(2**63), 2**63 - 1, 1, -1], dtype="int64"),
        "int8": np.array([-128, 127, 0, 1, 2], dtype="int8"),
        "uint16": np.array([0, 65535, 1, 2, 3], dtype="uint16"),
        "uint64": np.array([0, 2**64 - 1, 2**63, 1, 2], dtype="uint64"),
        "Int64": pd.array([2**53 + 1, None, -(2**63), 0, 1], dtype="Int64"),
        "UInt8": pd.array([255, None, 0, 1, 2], dtype="UInt8"),
        "bool": [True, False, True, True, False],
        "boolean": pd.array([True, None, False, None, True], dtype="boolean"),
        "float64": [0.1 + 0.2, np.nan, -0.0, 1.7976931348623157e308, 5e-324],
        "float32": np.array([0.1, 3.4e38, 1e-45, -0.0, 16777217], dtype="float32"),
        "Float64": pd.array([0.1, None, 2.0, -1e-300, 1e300], dtype="Float64"),
        "object text": [
            "",
            None,
            "tab\there\nline\\N \\",
            "'; DROP TABLE x; --",
            "naïve 🎈 " + "long" * 20_000,
        ],
        "string": pd.array(["a ", None, "a", "A", "ä"], dtype="string"),
        "string[pyarrow]": pd.array(["%s {0} :x", None, '"', "`", "\r\n"], dtype="string[pyarrow]"),
        "bytes": [b"", None, b"\x00\xff\n\t\\", b"'", b"text"],
        "date": [dt.date(1900, 1, 1), None, dt.date(2024, 2, 29), dt.date(1969, 12, 31), dt.date(2200, 1, 1)],
        "time": [dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(1, 2, 3), dt.time(12)],
        "decimal": [
            Decimal("0.0001"),
            None,
            Decimal("-12345678901234567.8901"),
            Decimal("1.5"),
            Decimal("0.0000"),
        ],
        "category": pd.Categorical(["a", None, "b", "a", "a"], categories=["b", "unused", "a"]),
        "ordered category": pd.Categorical([7, 3, 3, 7, 3], categories=[7, 5, 3], ordered=True),
        "datetime64[us]": spring.as_unit("us"),
        "datetime64[s]": pd.Series(spring).dt.floor("s").dt.as_unit("s"),
        "datetime64[ns]": fine,
        "zoned ns": fine.tz_localize("UTC").tz_convert("America/New_York"),
        "zoned us": spring.tz_localize("UTC").tz_convert("Asia/Kathmandu").as_unit("us"),
        "fixed offset": spring.tz_localize("UTC").tz_convert(zone).as_unit("us"),
        "timedelta": pd.to_timedelta([0, -1, None, 86_400_000_001, 1], unit="us").as_unit("us"),
        "nothing": [None] * 5,
    }
    return pd.Series(samples[kind], dtype="object" if kind in ("nothing", "decimal", "date", "time", "bytes") else None)


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
        tables._replace(key, arrow, {}, 1)
        same(tables.read(key), pd.concat(parts.values(), ignore_index=True))
        same(tables.read(key, names[::-2]), pd.concat([parts[n] for n in names[::-2]], ignore_index=True))
    assert tables.partitions(key) == names


def test_drift_is_an_error_that_names_the_columns_and_the_way_out(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [1.5]})
    tables.write(key, frame, "1")
    with pytest.raises(SchemaDriftError, match=r"column 'b' is gone.*column 'd' is new.*single-run backfill"):
        tables.write(key, pd.DataFrame({"a": [1], "c": [1.5], "d": [0]}), "2")
    with pytest.raises(SchemaDriftError, match="column 'a' was int64 and is float64"):
        tables.write(key, frame.astype({"a": "float64"}), "2")
    with pytest.raises(SchemaDriftError, match="column 'a' was int64 and is Int64"):
        tables.write(key, frame.astype({"a": "Int64"}), "2")
    assert tables.partitions(key) == ["1"]
    tables.write(key, frame.reindex(columns=pd.Index(["c", "a", "b"])), "2")
    same(tables.read(key, ["2"]), frame)


def test_a_declared_addition_is_missing_in_older_partitions(tables: Tables, key: list[str]):
    tables.write(key, pd.DataFrame({"a": [1]}), "1")
    tables.write(key, pd.DataFrame({"a": [2], "when": pd.to_datetime(["2024"])}), "2", allow_new_columns=True)
    whole = tables.read(key)
    assert whole["when"].tolist() == [pd.NaT, pd.Timestamp("2024")]
    assert whole["a"].tolist() == [1, 2]
    tables.write(key, pd.DataFrame({"a": [3], "when": pd.to_datetime(["2025"])}), "1")
    assert tables.read(key)["when"].dt.year.tolist() == [2025, 2024]


def test_types_become_known_later(tables: Tables, key: list[str]):
    """A column of missing values only agrees with any type; decimals may grow, categories may differ."""
    first = pd.DataFrame({"n": [None], "d": [Decimal("1.5")], "c": pd.Categorical(["a"])})
    second = pd.DataFrame({"n": [7], "d": [Decimal("12345.678")], "c": pd.Categorical(["b"])})
    tables.write(key, first, "1")
    tables.write(key, second, "2")
    tables.write(key, first, "3")
    whole = tables.read(key)
    assert whole["d"].tolist() == [Decimal("1.5"), Decimal("12345.678"), Decimal("1.5")]
    assert whole["c"].tolist() == ["a", "b", "a"]
    assert whole["n"].isna().tolist() == [True, False, True]
    same(tables.read(key, ["2"]), second)


def test_a_whole_table_may_change_its_columns(tables: Tables, key: list[str]):
    tables.write(key, pd.DataFrame({"a": [1], "b": ["x"]}))
    tables.write(key, pd.DataFrame({"a": ["one"], "c": [2.5]}))
    tables.write(key, pd.DataFrame({"a": [None, True], "c": [2, 3]}, dtype="object").astype({"a": "boolean", "c": int}))
    expected = pd.DataFrame({"a": pd.array([None, True], dtype="boolean"), "c": [2, 3]})
    same(tables.read(key), expected)
    same(tables.read(key, columns=["c"]), expected[["c"]])


def test_with_and_without_partitions_do_not_mix(tables: Tables, key: list[str]):
    tables.write(key, pd.DataFrame({"a": [1]}))
    with pytest.raises(StorageError, match="stored without partitions"):
        tables.write(key, pd.DataFrame({"a": [1]}), "x")
    same(tables.read(key), pd.DataFrame({"a": [1]}))


def test_an_older_writer_is_refused(tables: Tables, key: list[str]):
    newer, older = pd.DataFrame({"a": [2]}), pd.DataFrame({"a": [1]})
    as_arrow = arrow_frames.to_arrow
    tables._replace(key, {"x": as_arrow(newer)}, {}, 2_000)
    with pytest.raises(StaleWriteError, match=r"partition 'x' was not replaced"):
        tables._replace(key, {"x": as_arrow(older)}, {}, 1_000)
    same(tables.read(key), newer)
    tables._replace(key, {"x": as_arrow(older)}, {}, 2_000)
    same(tables.read(key), older)


def test_of_those_who_create_a_partition_at_once_one_succeeds(tables: Tables, key: list[str]):
    with ThreadPoolExecutor(8) as pool:
        for partition in ("1", "2"):
            made = list(pool.map(lambda n: tables.create(key, pd.DataFrame({"n": [n]}), partition), range(8)))  # noqa: B023
            assert made.count(True) == 1
            same(tables.read(key, [partition]), pd.DataFrame({"n": [made.index(True)]}))
    assert not tables.create(key, pd.DataFrame({"n": [9]}), "1")
    tables.write(key, pd.DataFrame({"n": [10]}), "1")
    same(tables.read(key, ["1"]), pd.DataFrame({"n": [10]}))


def test_columns_can_be_chosen_and_ordered(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [1.5]})
    tables.write(key, frame, "1")
    same(tables.read(key, columns=["c", "a"]), frame[["c", "a"]])
    with pytest.raises(SchemaDriftError, match="has no column 'z'; it has a, b, c"):
        tables.read(key, columns=["a", "z"])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1, "x"]}), "column 'a' .*cannot be stored"),
        (pd.DataFrame({"a": [[1], [2]]}), "not a value of a table"),
        (pd.DataFrame({"a": [1, None]}, dtype=object), r"object column of int64.*astype\('Int64'\)"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="i")), r"reset_index\(\)"),
        (pd.DataFrame([[1, 2]], columns=pd.Index(["a", "a"])), "more than once"),
        (pd.DataFrame([[1]], columns=pd.Index([0])), "column names must be single strings"),
        (pd.DataFrame({"a": pd.period_range("2024", periods=1)}), "column 'a'"),
        (pd.DataFrame(index=pd.RangeIndex(2)), "2 rows but no columns"),
    ],
)
def test_what_cannot_come_back_is_refused_before_anything_is_touched(
    tables: Tables, key: list[str], frame: pd.DataFrame, message: str
):
    tables.write(key, pd.DataFrame({"a": [1]}))
    with pytest.raises(UnstorableFrameError, match=message):
        tables.write(key, frame)
    same(tables.read(key), pd.DataFrame({"a": [1]}))


def test_what_comes_out_is_a_copy(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    tables.write(key, frame, "1")
    frame.loc[0, "a"] = 99.0
    first = tables.read(key)
    first.loc[0, "a"] = -1.0
    first.loc[0, "b"] = "changed"
    same(tables.read(key), pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}))


def test_many_rows_come_back_in_their_order(tables: Tables, key: list[str]):
    """Enough rows for the bulk path of every database, in partitions whose order is not that of their names."""
    random = np.random.default_rng(0)
    parts = {}
    for name, rows in (("c", 30_000), ("a", 1), ("b", 0), ("d", 5_000)):
        at = pd.Series(pd.to_datetime(random.integers(0, 2**50, rows), unit="us").as_unit("us"))
        text = pd.Series(random.integers(0, 99, rows).astype(str), dtype="string").mask(random.random(rows) < 0.1)
        value = pd.Series(random.normal(size=rows)).mask(random.random(rows) < 0.1)
        parts[name] = pd.DataFrame({"at": at, "text": text, "value": value, "open": random.random(rows) < 0.5})
        tables.write(key, parts[name], name)
    same(tables.read(key, ["c", "a", "b", "d"]), pd.concat(parts.values(), ignore_index=True))
    same(tables.read(key, ["d", "c"], columns=["value"])[["value"]], pd.concat([parts["d"], parts["c"]])[["value"]])
    tables.write(key, parts["c"].iloc[::-1], "c")
    same(tables.read(key, ["c"]), parts["c"].iloc[::-1])


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
