"""Columns of a table's partitions: they agree, or it is said how they differ; they come and go where declared."""

from decimal import Decimal

import pandas as pd
import pytest

from mlops_assets.io_managers import (
    SchemaDriftError,
    Tables,
)
from mlops_assets_tests.io_managers.laws import same


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


def test_columns_can_be_chosen_and_ordered(tables: Tables, key: list[str]):
    frame = pd.DataFrame({"a": [1], "b": ["x"], "c": [1.5]})
    tables.write(key, frame, "1")
    same(tables.read(key, columns=["c", "a"]), frame[["c", "a"]])
    with pytest.raises(SchemaDriftError, match="has no column 'z'; it has a, b, c"):
        tables.read(key, columns=["a", "z"])


@pytest.fixture
def grown(tables: Tables, key: list[str]) -> Tables:
    """A table of three partitions: the second has columns that the first lacks, the third lacks some of them."""
    tables.write(key, pd.DataFrame({"a": [1, 2], "text": ["x", "y"]}), "1")
    more = pd.DataFrame({"a": [3], "text": ["z"], "long": [2**53 + 1], "small": [7], "yes": [True], "share": [0.5]})
    more = more.astype({"small": "uint8"}).assign(kind=pd.Categorical(["new"]), at=pd.to_datetime(["2024"]))
    tables.write(key, more, "2", allow_new_columns=True)
    tables.write_all(key, {"3": more.drop(columns=["text", "share"]).iloc[:1]}, allow_new_columns=True)
    return tables


def test_columns_may_come_and_go_where_that_is_declared(grown: Tables, key: list[str]):
    whole = grown.read(key)
    assert whole["text"].tolist() == ["x", "y", "z", None]
    assert whole["share"].isna().tolist() == [True, True, False, True]
    expected = {
        "a": [1, 2, 3, 1 + 2],
        "long": pd.array([None, None, 2**53 + 1, 2**53 + 1], dtype="Int64"),
        "small": pd.array([None, None, 7, 7], dtype="UInt8"),
        "yes": pd.array([None, None, True, True], dtype="boolean"),
        "kind": pd.Categorical([None, None, "new", "new"]),
        "at": pd.to_datetime([None, None, "2024", "2024"]),
    }
    same(whole[list(expected)], pd.DataFrame(expected).astype({"at": whole["at"].dtype}))
    assert grown.read(key, ["1"]).columns.tolist() == ["a", "text"]
    assert grown.read(key, ["2", "3"])["long"].dtype == "int64"


def test_a_column_that_came_later_can_be_asked_of_older_partitions(grown: Tables, key: list[str]):
    same(
        grown.read(key, ["1"], ["long", "a"]),
        pd.DataFrame({"long": pd.array([None, None], dtype="Int64"), "a": [1, 2]}),
    )
    same(grown.read(key, ["1"], ["yes"]), pd.DataFrame({"yes": pd.array([None, None], dtype="boolean")}))
    assert grown.read(key, ["1", "2"], ["kind"])["kind"].tolist()[2] == "new"
    with pytest.raises(SchemaDriftError, match="has no column 'nope'"):
        grown.read(key, ["1"], ["nope"])


def test_what_is_declared_is_not_a_way_to_another_type(grown: Tables, key: list[str]):
    with pytest.raises(SchemaDriftError, match="column 'a' was int64 and is float64"):
        grown.write(key, pd.DataFrame({"a": [1.5]}), "4", allow_new_columns=True)
    with pytest.raises(SchemaDriftError, match="column 'share' is new"):
        grown.write(key, grown.read(key, ["2"]).drop(columns="text"), "4")
    assert grown.create(key, pd.DataFrame({"a": [4], "more": [1]}), "4", allow_new_columns=True)
    same(grown.read(key, ["4"]), pd.DataFrame({"a": [4], "more": [1]}))
    assert grown.read(key)["more"].isna().sum() == 4


def test_a_partition_without_rows_binds_nobody(tables: Tables, key: list[str]):
    nothing = pd.DataFrame({"lead": pd.Series(dtype="int64"), "gone": pd.Series(dtype="str")})
    tables.write_all(key, {"1": nothing, "2": nothing})
    full = pd.DataFrame({"lead": [1, 2], "mean": [1.5, 2.5]}).astype({"lead": "int32"})
    tables.write(key, full, "3")
    same(tables.read(key, ["3"]), full)
    assert tables.read(key, columns=["lead"])["lead"].tolist() == [1, 2]
    with pytest.raises(SchemaDriftError, match="column 'lead' was int32 and is float64"):
        tables.write(key, full.astype({"lead": "float64"}), "4")
    tables.write(key, full.iloc[:0].astype({"lead": "int64"}), "4")
    tables.write(key, full, "1")
    assert tables.row_counts(key, ["1", "2", "3", "no"]) == {"1": 2, "2": 0, "3": 2}
    assert tables.read(key, ["1", "3"])["lead"].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("gone", ["replaced", "deleted"])
def test_a_column_that_only_one_partition_has_comes_and_goes_with_it(tables: Tables, gone: str):
    key = ["drift", gone]
    plain, more = pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2], "more": [0.5]})
    tables.write(key, plain, "1")
    tables.write(key, more, "2", allow_new_columns=True)
    if gone == "deleted":
        tables.delete(key, "2")
    for value in (0.25, "a text"):  # of its own type each time, for nobody else has the column
        tables.write(key, more.assign(more=value), "2", allow_new_columns=True)
        read = tables.read(key)
        assert read["a"].tolist() == [1, 2]
        assert read["more"].isna().tolist() == [True, False]
        assert read["more"].iloc[1] == value
    tables.write(key, plain, "2", allow_new_columns=True)
    assert tables.read(key).columns.tolist() == ["a"]
