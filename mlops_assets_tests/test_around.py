"""Assets of a user before and after a forecast, in the one file that docs/extending.md shows."""

import importlib.util
import re
import sys
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from mlops_assets import Settings, build_definitions, load_spec, partitions_of
from mlops_assets.automation.arrivals import Seen, Watched
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.sources.base import SourceError
from mlops_assets.sources.factory import open_source
from mlops_assets.spec.sources import AssetSource
from mlops_assets_tests.spec.declared import changed, problem
from mlops_assets_tests.worlds import declare, sandbox

DOCUMENT = Path(__file__).parents[1] / "docs" / "extending.md"
SOLD = {"item_id": "shop", "timestamp": "day", "target": "sold"}


@pytest.fixture(scope="module")
def around(tmp_path_factory, empty_mlflow):
    """The module of the document, loaded as Dagster loads a user's, in memory."""
    tmp_path = tmp_path_factory.mktemp("around")
    settings = sandbox(tmp_path, empty_mlflow)
    source = {"kind": "asset", "key": "erp/sales", "after": ["erp/export"]}
    declare(tmp_path / "forecasts", source=source, columns=SOLD, covariates=None)
    (code,) = re.findall(
        r"```python\n(# shop/definitions\.py\n.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL
    )
    file = tmp_path / "shop_definitions.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location("shop_definitions", file)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ENV": "test", "DATA": tmp_path / "data", "FORECASTS": tmp_path / "forecasts"}.items():
            patch.setenv(f"MLOPS_{name}", str(value))
        patch.setitem(sys.modules, "shop_definitions", module)
        spec.loader.exec_module(module)
        module.settings = settings
        yield module


def test_upstream_forecast_and_downstream_are_one_graph_and_run(around):
    assert len([one for one in vars(around).values() if isinstance(one, dg.Definitions)]) == 1
    graph = around.defs.resolve_asset_graph()
    source, sales = dg.AssetKey(["demo", "source"]), dg.AssetKey(["erp", "sales"])
    assert graph.get(source).parent_keys == {sales, dg.AssetKey(["erp", "export"])}
    with dg.DagsterInstance.ephemeral() as instance:

        def made(*keys: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
            job = around.defs.resolve_implicit_global_asset_job_def()
            selection = [dg.AssetKey(key.split("/")) for key in keys]
            return job.execute_in_process(instance=instance, asset_selection=selection, partition_key=partition)

        assert made("erp/sales").success
        assert made("demo/observations", "demo/quarantine", "demo/orders", partition="2024-05-10").success
        loaded = around.defs.load_asset_value(["demo", "orders"], partition_key="2024-05-10", instance=instance)
    assert loaded[["item_id", "target", "order"]].to_dict("records") == [
        {"item_id": "s1", "target": 32.0, "order": pytest.approx(35.2)}
    ]


def test_an_asset_without_a_table_is_told(around):
    reader = open_source(around.spec, AssetSource(kind="asset", key="erp/returns"))
    with pytest.raises(SourceError, match=r"the asset erp/returns has no table yet: materialize it"):
        reader.probe(["day"], "day", pd.Timestamp.now(tz="UTC"))


def test_partitions_are_those_of_the_forecast(around):
    assert partitions_of(around.spec).get_first_partition_key() == "2024-03-01"
    assert partitions_of(around.spec) == around.orders.partitions_def


def test_extra_takes_whatever_a_code_location_may_have(around):
    @dg.asset_check(asset=dg.AssetKey(["demo", "observations"]))
    def plausible() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    @dg.sensor(job_name="own")
    def wakes() -> None: ...

    job = dg.define_asset_job("own", selection=[around.sales])
    extra = [job, dg.ScheduleDefinition(job=job, cron_schedule="0 6 * * *"), wakes, plausible, around.sales]
    made = build_definitions(around.spec, settings=around.settings, extra=extra)
    assert made.resolve_job_def("own")
    assert made.resolve_sensor_def("wakes")
    assert made.resolve_schedule_def("own_schedule")
    whole = build_definitions(around.spec, settings=around.settings, extra=dg.Definitions(assets=[around.sales]))
    assert whole.resolve_asset_graph().get(dg.AssetKey(["erp", "sales"])).is_materializable


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{kind: asset}", "source.key (line 2): missing"),
        ("{kind: asset, key: 'a//b'}", "source.key (line 2): found 'a//b'"),
        ("{kind: file, path: a.csv, after: ['a b']}", "source.after.0 (line 2)"),
    ],
)
def test_a_key_that_is_none_is_refused(source, words):
    assert words in problem(changed("{kind: file, path: a.csv}", source))


def test_a_partitioned_asset_is_read_whole(tmp_path, empty_mlflow):
    from mlops_assets.environments import open_stores
    from mlops_assets.forecasting.data.contract import Window
    from mlops_assets.sources.base import read_all

    settings: Settings = sandbox(tmp_path, empty_mlflow)
    source = {"kind": "asset", "key": "erp/sales"}
    spec = declare(tmp_path / "forecasts", source=source, columns=SOLD, covariates=None, arrivals=True)
    days = pd.date_range("2024-05-01", periods=2, unit="us")
    with open_stores(settings) as stores:
        frame = pd.DataFrame({"shop": "s1", "day": days, "sold": 1.0})
        for number, day in enumerate(days):
            stores.tables.write(["erp", "sales"], frame.iloc[[number]], f"{day:%Y-%m-%d}")
        reader = open_source(load_spec("demo", settings))
        window = Window(days[0], days[1])
        rows = read_all(reader, ["shop", "day", "sold"], "day", window)
        assert list(rows["_row"]) == [1, 2]
        before = reader.version("day", window)
        assert reader.signature("day", window) == before
        stores.tables.write(["erp", "sales"], frame.iloc[[1]].assign(sold=2.0), "2024-05-02")
        assert reader.version("day", window) != before
        watched, patience = Watched(spec), spec.arrivals.patience.total_seconds()
        seen, words = watched.look(Seen(), "2024-05-02", 1000.0)
        assert "has changed" in words
        seen, words = watched.look(seen, "2024-05-02", 1001.0 + patience)
        assert (seen.taken == seen.signature, words) == (True, ""), "the sensor arrivals starts the round"


def test_whoever_asks_reads_the_tables_of_the_environment_that_is_meant(tmp_path, empty_mlflow, monkeypatch):
    """A process that has opened nothing before, and one that has opened another environment in between."""
    from mlops_assets.analysis.check import checks
    from mlops_assets.analysis.opened import read_history
    from mlops_assets.environments import open_stores
    from mlops_assets.sources import asset_rows

    monkeypatch.setattr(asset_rows, "_REACHED", [])
    settings = sandbox(tmp_path, empty_mlflow, "local")
    declare(tmp_path / "forecasts", source={"kind": "asset", "key": "erp/sales"}, columns=SOLD, covariates=None)
    days = pd.date_range("2024-03-01", "2024-05-31", unit="us")
    ObjectTables(base=str(settings.data_folder / "tables")).write(
        ["erp", "sales"], pd.DataFrame({"shop": "s1", "day": days, "sold": 1.0})
    )
    spec = load_spec("demo", settings)
    assert len(read_history(spec, settings)[0]) == len(days)
    for name in ("DATA", "FORECASTS"):
        monkeypatch.setenv(f"MLOPS_{name}", str(tmp_path / name.lower()))
    told = {one.name: one for one in checks()}
    assert told["source of demo"].passed, told["source of demo"].message
    now, other = pd.Timestamp.now(tz="UTC"), sandbox(tmp_path / "other", empty_mlflow, "local")
    with open_stores(settings):
        with open_stores(other), pytest.raises(SourceError, match="has no table yet"):
            open_source(spec).probe(["day"], "day", now)
        assert "92 rows" in open_source(spec).probe(["day"], "day", now)
