"""What a change marks stale, by Dagster's own judgement: the assets behind it, and no other."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from mlops_assets.assets import build_assets
from mlops_assets.assets.code_versions import STAGES
from mlops_assets.catalog.asset_graph import seen
from mlops_assets.catalog.names import ENTRIES
from mlops_assets.definitions import faced
from mlops_assets.forecasting.model.forecaster import STATE_RELEASE
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.worlds import declare

DAY = "2024-03-02"
DATA = {"observations", "quarantine"}
GATE = {"champion", "forecasts", "forecast_accuracy", "anomalies", "forecast_change", "report"}
TRAINING = {"training_set", "random_forest", "backtest", "model_version"}
EVERYTHING = DATA | TRAINING | GATE | {"data_drift"}


class Graph:
    """The graph of a spec whose steps do nothing, in Dagster's memory."""

    def __init__(self) -> None:
        self.instance = dg.DagsterInstance.ephemeral()

    def graph(self, spec: ForecastSpec) -> list[dg.AssetsDefinition]:
        source, *others = build_assets(spec)
        return [source, *(_idle(one) for made in others for one in made.specs)]

    def make(self, spec: ForecastSpec, *names: str) -> None:
        """Materialize all assets, or some."""
        chosen = names or EVERYTHING
        for partition in (None, DAY):
            keys = [dg.AssetKey([spec.name, name]) for name in chosen if (name in _PARTITIONED) == bool(partition)]
            dg.materialize(
                self.graph(spec),
                selection=keys,
                partition_key=partition,
                instance=self.instance,
                resources={"clock": Clock()},
            )

    def stale(self, spec: ForecastSpec) -> set[str]:
        """Return which assets Dagster takes for stale."""
        graph = dg.Definitions(self.graph(spec), resources={"clock": Clock()}).get_repository_def().asset_graph
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        status = {
            name: resolver.get_status(dg.AssetKey([spec.name, name]), DAY if name in _PARTITIONED else None)
            for name in EVERYTHING
        }
        assert StaleStatus.MISSING not in status.values()
        return {name for name, one in status.items() if one == StaleStatus.STALE}


_PARTITIONED = DATA | {"forecasts", "forecast_accuracy", "data_drift", "anomalies", "forecast_change", "report"}


def _idle(asset: dg.AssetSpec) -> dg.AssetsDefinition:
    @dg.multi_asset(name="__".join(asset.key.path), specs=[asset.replace_attributes(freshness_policy=None)])
    def step() -> dg.MaterializeResult:
        return dg.MaterializeResult(asset.key)

    return step


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Graph, Path]:
    """A graph of which everything was made once."""
    folder, made = tmp_path_factory.mktemp("made"), Graph()
    made.make(declare(folder))
    return made, folder


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({}, set()),
        ({"description": "Another line.", "owners": ["team:others"], "schedule": "0 7 * * *"}, set()),
        ({"gate": {"tolerance": 0.05}}, GATE),
        ({"holidays": "DE"}, TRAINING | GATE),
        ({"model": {"parameters": {"n_estimators": 20}}}, (TRAINING - {"training_set"}) | GATE),
        ({"minimum": 0.0}, GATE - {"champion"}),
        ({"columns": {"item_id": "shop", "timestamp": "day", "target": "rain"}, "covariates": None}, EVERYTHING),
    ],
)
def test_a_change_of_the_spec_marks_the_assets_behind_it(made, change: dict[str, Any], stale):
    graph, folder = made
    if "model" in change:
        change["model"]["parameters"] |= {"n_jobs": 1}
        change["model"]["max_training_rows"] = 3000
    assert graph.stale(declare(folder, **change)) == stale


def test_other_rows_in_the_source_mark_what_is_made_of_them(tmp_path):
    spec, made = declare(tmp_path), Graph()
    source = dg.AssetKey([spec.name, "source"])
    made.instance.report_runless_asset_event(seen(source, "1", "sales.csv"))
    made.make(spec)
    made.instance.report_runless_asset_event(seen(source, "1", "sales.csv"))
    assert made.stale(spec) == set()
    made.instance.report_runless_asset_event(seen(source, "2", "sales.csv"))
    assert made.stale(spec) == DATA


def test_every_asset_that_is_made_has_its_stage(tmp_path):
    assert {one.name for one in ENTRIES if one.kind not in ("log", "source")} - {"external_forecasts"} == set(STAGES)
    made = [one for own in build_assets(declare(tmp_path)) for one in own.specs]
    assert {one.key.path[-1] for one in made if one.code_version is None} == {"source"}


def test_what_was_just_ingested_is_not_stale(world):
    shop = world()
    graph = dg.Definitions(shop.assets, resources=faced(shop.resources)).get_repository_def().asset_graph
    for item in ("shop 8", "shop 9"):
        file = shop.spec.folder / "sales.csv"
        file.write_text(f"{file.read_text()}{DAY},{item},1.0,0.5\n")
        shop.run("observations", "quarantine", partition=DAY)
        resolver = CachingStaleStatusResolver(shop.instance, graph, LoadingContextForTest(shop.instance))
        assert resolver.get_stale_causes(shop.key("observations"), DAY) == []


def test_what_a_model_has_learnt_is_as_old_as_its_features():
    assert STAGES["training_set"].engine == STATE_RELEASE
