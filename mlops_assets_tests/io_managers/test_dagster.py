"""The Dagster side of the managers: splitting, loading, metadata, models, as a run sees them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.io_managers import (
    ForeignRowsError,
    MemoryModels,
    MemoryTables,
    Models,
    ObjectModels,
    ObjectTables,
    SchemaDriftError,
    SqlTables,
    StorageError,
    Tables,
)
from mlops_assets.io_managers.partition_split import split
from mlops_assets.io_managers.steps import io_manager
from mlops_assets.resources.release import package_version
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable, Streamed

DAYS = dg.DailyPartitionsDefinition("2024-03-08", timezone="America/New_York", end_date="2024-03-14")


def hours(*days: str) -> pd.DataFrame:
    at = [pd.Timestamp(day) + pd.Timedelta(hours=hour) for day in days for hour in (0, 23)]
    return pd.DataFrame({"at": pd.Series(at).dt.as_unit("us"), "n": range(len(at))})


def rows_of(parts: Mapping[str, pd.DataFrame]) -> dict[str, list[int]]:
    return {name: part["n"].tolist() for name, part in parts.items()}


def test_rows_are_split_by_local_days_across_a_change_of_clocks():
    frame = hours("2024-03-11", "2024-03-09", "2024-03-10")
    keys = ["2024-03-09", "2024-03-10", "2024-03-11", "2024-03-12"]
    expected = {"2024-03-09": [2, 3], "2024-03-10": [4, 5], "2024-03-11": [0, 1], "2024-03-12": []}
    assert rows_of(split(frame, keys, DAYS, "at", "t")) == expected
    zoned = frame.assign(at=frame["at"].dt.tz_localize("America/New_York").dt.tz_convert("UTC"))
    assert rows_of(split(zoned, keys, DAYS, "at", "t")) == expected
    named = frame.assign(at=frame["at"].dt.strftime("%Y-%m-%d"))
    assert rows_of(split(named, keys, DAYS, "at", "t")) == expected
    empty = split(frame, keys, DAYS, "at", "t")["2024-03-12"]
    assert empty.dtypes.to_dict() == frame.dtypes.to_dict()


@pytest.mark.parametrize("at", ["2024-03-12 00:00", "2024-03-09 23:59:59.999999", None])
def test_a_row_of_no_partition_is_an_error_that_names_it(at: str | None):
    frame = pd.concat([hours("2024-03-10"), pd.DataFrame({"at": pd.to_datetime([at]), "n": [77]})], ignore_index=True)
    with pytest.raises(ForeignRowsError, match=r"1 of 3 rows fall in none.*2024-03-10, 2024-03-11.*row 2.*77"):
        split(frame, ["2024-03-10", "2024-03-11"], DAYS, "at", "t")
    with pytest.raises(ForeignRowsError):
        split(frame, ["2024-03-10"], DAYS, "at", "t")


def test_several_dimensions_are_split_by_a_column_each():
    both = dg.MultiPartitionsDefinition({"day": DAYS, "region": dg.StaticPartitionsDefinition(["a/b", "c"])})
    keys = [dg.MultiPartitionKey({"day": "2024-03-09", "region": region}) for region in ("a/b", "c")]
    frame = hours("2024-03-09").assign(region=["c", "a/b"])
    expression = {"day": "at", "region": "region"}
    assert rows_of(split(frame, keys, both, expression, "t")) == {keys[0]: [1], keys[1]: [0]}
    with pytest.raises(StorageError, match=r"must map each dimension"):
        split(frame, keys, both, "at", "t")
    with pytest.raises(ForeignRowsError):
        split(frame, keys[:1], both, expression, "t")


def test_without_a_column_to_split_by_several_partitions_are_refused():
    with pytest.raises(StorageError, match=r"nothing tells its rows apart.*partition_expr"):
        split(hours("2024-03-09"), ["2024-03-09", "2024-03-10"], DAYS, None, "t")
    with pytest.raises(StorageError, match="which the frame does not have"):
        split(hours("2024-03-09"), ["2024-03-09"], DAYS, "when", "t")


@dg.asset(
    key=["x", "source"],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    metadata={"partition_expr": "at"},
    io_manager_key="tables",
)
def source(context: dg.AssetExecutionContext) -> pd.DataFrame:
    return hours(*(key for key in context.partition_keys if key != "2024-03-10")).assign(text="a|b `c`")


@dg.asset(ins={"rows": dg.AssetIn(["x", "source"], metadata={"columns": ["n"]})}, io_manager_key="tables")
def everything(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


@dg.asset(
    partitions_def=DAYS,
    ins={
        "rows": dg.AssetIn(
            ["x", "source"],
            partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=-1),
            metadata={"allow_missing_partitions": True},
        )
    },
    io_manager_key="tables",
)
def window(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


@dg.asset(io_manager_key="models")
def model(everything: pd.DataFrame) -> dg.Output[dict[str, Any]]:
    return dg.Output(
        {"weights": np.arange(3.0), "rows": len(everything)}, metadata={"spec_hash": "abc", "commit": "123"}
    )


@dg.asset(ins={"model": dg.AssetIn(input_manager_key="models")}, io_manager_key="tables")
def use(model: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({"weight": model["weights"], "rows": model["rows"]})


@dg.asset(key=["x", "growing"], partitions_def=DAYS, metadata={"allow_new_columns": True}, io_manager_key="tables")
def growing(context: dg.AssetExecutionContext) -> pd.DataFrame:
    frame = pd.DataFrame({"day": [context.partition_key], "old": [1], "new": [2]})
    return frame.drop(columns={"2024-03-08": "new", "2024-03-10": "old"}.get(context.partition_key, []))


@dg.asset(ins={"rows": dg.AssetIn(["x", "growing"], metadata={"columns": ["new"]})}, io_manager_key="tables")
def grown(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


@dg.asset(key=["x", "streamed"], partitions_def=DAYS, metadata={"partition_expr": "at"}, io_manager_key="tables")
def streamed(context: dg.AssetExecutionContext) -> Streamed:
    frame = hours(context.partition_key)
    return Streamed(frame.iloc[[row]] if row < 2 else frame.iloc[:0] for row in range(3))


@dg.asset(
    ins={
        "rows": dg.AssetIn(
            ["x", "streamed"],
            partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1),
            metadata={"allow_missing_partitions": True},
        ),
        "other": dg.AssetIn(["everything"]),
    },
    partitions_def=DAYS,
    io_manager_key="tables",
)
def lazy(rows: StoredTable, other: StoredTable) -> pd.DataFrame:
    late = Only(since=pd.Timestamp("2024-03-08 23:00"))
    assert len(other) == len(other.read())
    found = rows.read(["n"]).assign(rows=len(rows), batches=len(list(rows.batches(rows=1))))
    with pytest.raises(SchemaDriftError, match="no column 'timestamp'"):
        other.read(only=late)
    return found


ASSETS: Sequence[Any] = [source, everything, window, model, use, growing, grown, streamed, lazy]


@pytest.fixture(params=["memory", "files"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "memory":
        return {"tables": MemoryTables(), "models": MemoryModels()}
    return {"tables": ObjectTables(str(tmp_path / "tables")), "models": ObjectModels(str(tmp_path / "models"))}


def run(stores: dict[str, Any], asset: Any, first: str | None = None, last: str | None = None) -> Any:
    tags = {}
    if first and last:
        tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    key = first if first and not last else None
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            ASSETS,
            selection=[asset],
            resources={name: io_manager(one) for name, one in stores.items()},
            instance=instance,
            partition_key=key,
            tags=tags,
        )
    assert result.success
    return result


def loaded(result: Any) -> dict[str, Any]:
    events = [event for event in result.all_events if event.event_type_value == "LOADED_INPUT"]
    return {name: getattr(value, "value", value) for name, value in events[0].event_specific_data.metadata.items()}


def test_a_backfill_in_one_run_and_readers_of_all_kinds(stores: dict[str, Any]):
    tables: Tables = stores["tables"]
    result = run(stores, source, "2024-03-08", "2024-03-10")
    metadata = result.asset_materializations_for_node("x__source")[0].metadata
    assert metadata["rows_of_run"].value == 4
    assert metadata["partitions"].value == 3
    assert metadata["bytes"].value > 0
    assert metadata["write_seconds"].value >= 0
    assert metadata["dagster/uri"].value == tables.uri(["x", "source"])
    columns = {column.name: column.type for column in metadata["dagster/column_schema"].value.columns}
    assert columns == {"at": "timestamp[us]", "n": "int64", "text": "string"}
    assert "a\\|b 'c'" in metadata["preview"].value
    assert tables.partitions(["x", "source"]) == ["2024-03-08", "2024-03-09", "2024-03-10"]
    assert len(tables.read(["x", "source"], ["2024-03-10"])) == 0

    read = run(stores, everything)
    assert loaded(read)["partitions"] == 3
    assert loaded(read)["absent_partitions"] == 3
    assert tables.read(["everything"]).columns.tolist() == ["n"]
    assert tables.read(["everything"])["n"].tolist() == [0, 1, 2, 3]

    run(stores, window, "2024-03-10")
    assert tables.read(["window"], ["2024-03-10"])["n"].tolist() == [0, 1, 2, 3]
    held = run(stores, window, "2024-03-13")
    none = tables.read(["window"], ["2024-03-13"])
    assert len(none) == 0
    assert none.dtypes.to_dict() == tables.read(["x", "source"]).dtypes.to_dict()
    with pytest.raises(dg.DagsterInvariantViolationError):
        held.output_for_node("window")  # what is stored is in memory no longer


def test_a_stream_is_one_partition_and_a_table_is_read_when_it_is_asked(stores: dict[str, Any]):
    run(stores, source, "2024-03-08")
    run(stores, everything)
    metadata = run(stores, streamed, "2024-03-08").asset_materializations_for_node("x__streamed")[0].metadata
    assert (metadata["dagster/row_count"].value, metadata["partitions"].value) == (2, 1)
    assert "2024-03-08 |" in metadata["preview"].value
    assert {c.name: c.type for c in metadata["dagster/column_schema"].value.columns} == {
        "at": "timestamp[us]",
        "n": "int64",
    }
    pd.testing.assert_frame_equal(stores["tables"].read(["x", "streamed"]), hours("2024-03-08"))
    run(stores, lazy, "2024-03-09")
    found = stores["tables"].read(["lazy"], ["2024-03-09"])
    assert found.to_dict("list") == {"n": [0, 1], "rows": [2, 2], "batches": [2, 2]}
    run(stores, lazy, "2024-03-12")
    none = stores["tables"].read(["lazy"], ["2024-03-12"])
    assert (len(none), none["n"].dtype) == (0, "int64")


def test_a_model_goes_through_a_run_with_what_is_known_of_it(stores: dict[str, Any]):
    run(stores, source, "2024-03-08")
    run(stores, everything)
    result = run(stores, model)
    models: Models = stores["models"]
    info = models.info(["model"])
    assert (info["spec_hash"], info["commit"], info["release"]) == ("abc", "123", package_version())
    assert result.asset_materializations_for_node("model")[0].metadata["sha256"].value == info["sha256"]
    run(stores, use)
    assert stores["tables"].read(["use"])["weight"].tolist() == [0.0, 1.0, 2.0]
    assert loaded(run(stores, use))["sha256"] == info["sha256"]


@pytest.mark.parametrize("place", ["memory", "files", "sqlite"])
def test_an_asset_may_gain_and_lose_columns_where_it_says_so(place: str, tmp_path: Path):
    kinds: dict[str, Tables] = {
        "memory": MemoryTables(),
        "files": ObjectTables(str(tmp_path)),
        "sqlite": SqlTables(f"sqlite:///{tmp_path}/tables.db"),
    }
    stores = {"tables": kinds[place], "models": MemoryModels()}
    for day in ("2024-03-08", "2024-03-09", "2024-03-10"):
        run(stores, growing, day)
    whole = kinds[place].read(["x", "growing"])
    assert whole["old"].tolist() == [1, 1, pd.NA]
    assert whole["new"].tolist() == [pd.NA, 2, 2]
    run(stores, grown)
    assert kinds[place].read(["grown"])["new"].tolist() == [pd.NA, 2, 2]
    run(stores, growing, "2024-03-08")
    pd.testing.assert_frame_equal(kinds[place].read(["x", "growing"]), whole)


def test_what_is_no_frame_is_refused_with_the_way_out():
    @dg.asset(io_manager_key="tables")
    def wrong() -> dict[str, int]:
        return {"a": 1}

    with pytest.raises(StorageError, match="tables take a pandas DataFrame, the asset returned dict"):
        dg.materialize([wrong], resources={"tables": io_manager(MemoryTables())})


def test_a_run_that_began_earlier_does_not_replace_a_later_result(tmp_path: Path):
    """The claim is taken when a run's resources are set up, not when it comes to write."""
    tables = ObjectTables(str(tmp_path))

    @dg.asset(io_manager_key="tables")
    def slow() -> pd.DataFrame:
        tables.write(["slow"], pd.DataFrame({"n": [2]}))
        return pd.DataFrame({"n": [1]})

    with pytest.raises(StorageError, match="was not replaced"):
        dg.materialize([slow], resources={"tables": io_manager(tables)})
    assert tables.read(["slow"])["n"].tolist() == [2]


def test_models_of_each_place_agree(models: Models, key: list[str]):
    state = {"weights": np.arange(5.0), "names": ["a", "b"]}
    first = models.save(key, state, {"commit": "1"})
    again = models.save(key, {"weights": np.arange(5.0), "names": ["a", "b"]})
    assert first["sha256"] == again["sha256"]
    found = models.load(key)
    found["names"].append("changed")
    assert models.load(key)["names"] == ["a", "b"]
    assert models.exists(key)
    assert not models.exists([*key, "other"])
    with pytest.raises(StorageError, match="has not been stored yet"):
        models.load([*key, "other"])
    with pytest.raises(StorageError, match="was not replaced"):
        models.replace(key, state, {}, 1)
