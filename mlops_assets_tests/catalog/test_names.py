"""The list of what a forecast stores is the whole truth: the graph and the jobs have what it says, nothing else."""

import pytest

from mlops_assets.assets import build_assets
from mlops_assets.assets.factory import builders
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.catalog.asset_graph import asset_keys
from mlops_assets.catalog.names import DAILY, ENTRIES, INGEST, asset_of, assets_of, step_name, step_of
from mlops_assets.spec import ForecastSpec
from mlops_assets_tests.worlds import declare


@pytest.fixture(params=[False, True], ids=["plain", "all of it"])
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ForecastSpec:
    columns = {"item_id": ["region", "shop"], "timestamp": "day", "target": "sales"}
    full = {"columns": columns, "hierarchy": {"levels": ["region"]}, "covariates": {"known": ["holiday"]}}
    more = full if request.param else {}
    return declare(tmp_path_factory.mktemp("names"), **more)


def test_the_graph_has_the_assets_of_the_list(spec: ForecastSpec) -> None:
    specs = {asset.key.path[-1]: asset for definition in build_assets(spec) for asset in definition.specs}
    assert list(specs) == [one.name for one in assets_of(spec)]
    for one in assets_of(spec):
        assert (specs[one.name].partitions_def is not None) == one.partitioned, one.name


def test_every_builder_has_a_row_and_every_row_a_builder() -> None:
    made = {one.name for one in ENTRIES if one.kind != "log"}
    assert builders().keys() <= made
    assert {asset_of(step_name("x", one.step or one.name)) for one in ENTRIES if one.name in made} == set(builders())


def test_a_job_makes_what_the_list_says(spec: ForecastSpec) -> None:
    assets = build_assets(spec)
    for job in build_jobs(spec):
        kind = job.name.removeprefix(f"{spec.name}_")
        assert job.selection.resolve(assets) == set(asset_keys(spec, kind)), job.name


def test_steps_and_assets() -> None:
    assert [one.name for one in ENTRIES if one.step == INGEST] == ["observations", "quarantine"]
    assert step_of("demo__ingest") == "ingest"
    assert asset_of("demo__ingest") == "observations"
    assert asset_of("demo__training_set") == step_of("demo__training_set") == "training_set"
    assert step_of(None) == ""
    assert all(one.jobs or one.kind in ("log", "source") for one in ENTRIES)
    assert any(DAILY in one.jobs for one in ENTRIES)
