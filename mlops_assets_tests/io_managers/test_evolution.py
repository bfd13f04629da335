"""Tables that an earlier release wrote are read as today's and written on, in every place: each of our tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.catalog.column import FIRST_RELEASE, Column, Columns, expand, typed
from mlops_assets.catalog.columns import TABLES
from mlops_assets.io_managers import ObjectTables, SchemaDriftError, SqlTables, Tables
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources.rows import Only, Span
from mlops_assets_tests.io_managers.servers import fresh_name

FEW = ["decisions", "data_drift"]
"""Tables that are tried where an operation takes long, or where another place stands for this one."""
ALL_TABLES = {"files", "object_memory", "sqlite"}
"""Places that stand for files, object storage and SQL."""
ADDED = (
    Column("added_text", "str", "A text.", since="9.0.0", default="none"),
    Column("added_count", "int64", "A number that old rows have too.", since="9.0.0", default=7),
    Column("added_number", "Int64", "A number that old rows lack.", since="9.0.0"),
    Column("added_moment", "datetime64[us]", "A moment that old rows lack.", since="9.0.0"),
    Column("added_share", "float64", "A share that old rows lack.", since="9.0.0"),
)


@pytest.fixture
def names(place: str) -> list[str]:
    return list(TABLES) if place in ALL_TABLES else FEW


def later(columns: Columns) -> Columns:
    """The columns of a release to come: the first one under another name, some more at the end."""
    return (replace(columns[0], name="renamed", formerly=(columns[0].name, *columns[0].formerly)), *columns[1:], *ADDED)


def own(columns: Columns) -> Columns:
    """The columns of a spec with two quantiles and one covariate."""
    return tuple(replace(one, name=name) for name, one in expand(columns, ["q10", "q90"], ["rain"]).items())


def rows(columns: Columns, seed: int) -> pd.DataFrame:
    """Two rows of a table."""
    kinds: dict[str, Any] = {
        "str": lambda i: f"text {i}",
        "bool": lambda i: bool(i % 2),
        "datetime64[us]": lambda i: pd.Timestamp("2024-01-01") + pd.Timedelta(days=i),
    }
    frame = {c.name: [kinds.get(c.dtype, float)(10 * seed + i) for i in range(2)] for c in columns}
    return typed(pd.DataFrame(frame), tuple(c if c.dtype != "any" else replace(c, dtype="float64") for c in columns))


def as_before(frame: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """What the first release wrote: columns under their first names, without those that came since."""
    kept = [one for one in columns if one.since == FIRST_RELEASE]
    return frame[[one.name for one in kept]].rename(columns={c.name: c.formerly[-1] for c in kept if c.formerly})


def filled(columns: Columns, frame: pd.DataFrame) -> pd.DataFrame:
    """What old rows are read as: columns that came since have their default."""
    new = [one for one in columns if one.since != FIRST_RELEASE]
    return frame.assign(**{one.name: pd.Series([one.default] * len(frame), dtype="object") for one in new})


def same(found: pd.DataFrame, columns: Columns, *expected: pd.DataFrame) -> None:
    wanted = typed(pd.concat([part.astype("object") for part in expected], ignore_index=True), columns)
    assert set(found.columns) == set(wanted.columns)
    pd.testing.assert_frame_equal(found[wanted.columns.tolist()], wanted)


def test_tables_of_the_first_release_are_read_and_written_on(tables: Tables, names: list[str]):
    for name in names:
        columns, key = own(TABLES[name]), [fresh_name(), name]
        columns = tuple(c if c.dtype != "any" else replace(c, dtype="float64") for c in columns)
        first, second, third = (rows(columns, seed) for seed in range(3))
        tables.write_all(key, {"1": as_before(first, columns)})
        same(tables.read(key), columns, filled(columns, first))
        tables.write(key, second, "2")
        assert tables.create(key, third, "3")
        same(tables.read(key), columns, filled(columns, first), second, third)
        for column in columns:
            assert tables.read(key, columns=[column.name]).columns.tolist() == [column.name]
        tables.write_batches(key, [first.iloc[:1], first.iloc[1:]], "2")
        everything = [filled(columns, first), first, third]
        same(pd.concat(tables.batches(key, rows=1), ignore_index=True), columns, *everything)
        if {"item_id", "timestamp"} <= set(first.columns):
            only = Only(items=Span("text 1", "text 1"), until=pd.Timestamp("2024-02-01"))
            wanted = [part[(part["item_id"] == "text 1") & (part["timestamp"] <= only.until)] for part in everything]
            same(tables.read(key, only=only), columns, *wanted)
            assert len(wanted[0]) == 1


def test_every_table_can_gain_columns_and_rename_one(tables: Tables, names: list[str], monkeypatch: pytest.MonkeyPatch):
    for name in names:
        old, key = TABLES[name], [fresh_name(), name]
        now = later(old)
        monkeypatch.setitem(TABLES, name, now)  # pyright: ignore[reportArgumentType]
        columns = tuple(c if c.dtype != "any" else replace(c, dtype="float64") for c in own(now))
        one, two, three, four, five, six = (rows(columns, seed) for seed in range(6))
        tables.write_all(key, {"1": as_before(one, columns), "2": as_before(two, columns)})
        past = [filled(columns, one), filled(columns, two)]
        same(tables.read(key), columns, *past)
        same(tables.read(key, ["2"]), columns, past[1])
        tables.write(key, three, "3")
        assert tables.create(key, four, "4")
        assert not tables.create(key, four, "1")
        tables.write_all(key, {"5": five, "6": six.iloc[:0]})
        same(tables.read(key), columns, *past, three, four, five)
        same(tables.read(key, ["3", "1"]), columns, three, past[0])
        assert tables.read(key, ["6"]).empty
        assert tables.read(key, columns=["added_count"])["added_count"].tolist() == [
            *[7] * 4,
            *three["added_count"],
            *four["added_count"],
            *five["added_count"],
        ]
        assert tables.read(key, ["2"], columns=["added_text", "renamed"]).columns.tolist() == ["added_text", "renamed"]
        tables.write(key, six, "1")
        same(tables.read(key), columns, six, past[1], three, four, five)
        with pytest.raises(SchemaDriftError, match="column 'unheard_of' is new"):
            tables.write(key, six.assign(unheard_of=1), "7")
        with pytest.raises(SchemaDriftError, match="no column 'unheard_of'"):
            tables.read(key, columns=["unheard_of"])


def test_a_column_that_old_rows_must_have_needs_a_default():
    with pytest.raises(ValueError, match="int64 cannot be missing in old rows"):
        Column("number", "int64", "A number.", since="9.0.0")


@pytest.mark.parametrize("kind", ["files", "sqlite"])
def test_an_asset_of_an_earlier_release_is_materialized_on_and_read_downstream(kind: str, tmp_path: Path):
    tables = ObjectTables(str(tmp_path)) if kind == "files" else SqlTables(f"sqlite:///{tmp_path}/tables.db")
    key, columns = ["demo", "data_drift"], TABLES["data_drift"]
    first, second = rows(columns, 1), rows(columns, 2)
    tables.write_all(key, {"2024-03-01": first.rename(columns={"explanation": "words"})})
    days = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-03")

    @dg.asset(key=key, partitions_def=days, io_manager_key="tables", metadata={"partition_expr": "partition"})
    def drift() -> pd.DataFrame:
        return second.assign(partition="2024-03-02")

    @dg.asset(ins={"drift": dg.AssetIn(key, metadata={"columns": ["explanation"]})}, io_manager_key="tables")
    def reader(drift: pd.DataFrame) -> pd.DataFrame:
        return drift

    stores = {"tables": io_manager(tables)}
    assert dg.materialize([drift], partition_key="2024-03-02", resources=stores).success
    assert dg.materialize([drift, reader], selection=[reader], resources=stores).success
    assert tables.read(["reader"])["explanation"].tolist() == [*first["explanation"], *second["explanation"]]
