"""Forecasts as components of Dagster: one environment, one sensor for all, errors with file and line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster.components.testing import create_defs_folder_sandbox

from mlops_assets import Forecast
from mlops_assets.settings import Settings
from mlops_assets.spec import SpecError, load_specs
from mlops_assets_tests.worlds import SPEC, panel


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty project over the test environment."""
    monkeypatch.setenv("MLOPS_ENV", "test")
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    with create_defs_folder_sandbox() as sandbox:
        panel().to_csv(sandbox.defs_folder_path / "sales.csv", index=False)
        yield sandbox


def declare(project: Any, name: str, **changes: Any) -> Path:
    """Write a component, as a person would."""
    fields = {**SPEC, "name": name, "source": {"kind": "file", "path": "../sales.csv"}, **changes}
    file = project.defs_folder_path / name / "defs.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({"type": "mlops_assets.Forecast", "attributes": fields}, sort_keys=False))
    return file


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_several_share_the_environment_and_the_sensors_that_serve_all(project):
    for name in ("first", "second"):
        declare(project, name, arrivals=True)
    with project.build_all_defs() as definitions:
        repository = definitions.get_repository_def()
        jobs = {job.name for job in repository.get_all_jobs()}
        sensors = [sensor.name for sensor in repository.sensor_defs]
    groups = {key.path[0] for key in repository.asset_graph.get_all_asset_keys()}
    assert groups == {"first", "second"}
    assert {"first_daily", "second_daily", "second_retrain"} <= jobs
    assert sensors.count("arrivals") == 1
    served = repository.get_sensor_def("arrivals")
    assert {target.job_name for target in served.targets} >= {"first_daily", "second_daily"}


def test_two_of_one_name_are_refused_with_their_files(project):
    first, second = declare(project, "first"), declare(project, "second")
    second.write_text(first.read_text())
    with pytest.raises(Exception) as raised, project.build_all_defs():
        pass
    (told,) = [error for error in causes(raised.value) if isinstance(error, SpecError)]
    assert str(told).startswith(f"{second.resolve()}: name: 'first' is taken by {first.resolve()}")


def test_its_assets_run_and_know_their_file(project):
    file = declare(project, "demo", description="{{ env.SHOPS }}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPS", "Sales of a few shops.")
        with project.build_component_tree() as tree:
            (component,) = tree.get_all_components(Forecast)
            definitions = tree.build_defs()
    assert component.spec.file == str(file.resolve())
    assert component.spec.description == "Sales of a few shops."
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        key = dg.AssetKey(["demo", "quarantine"])
        run = job.execute_in_process(partition_key="2024-05-01", asset_selection=[key], instance=instance)
    assert [event.asset_key for event in run.get_asset_materialization_events()] == [key]


def test_wrong_fields_are_named_with_their_lines(project):
    file = declare(project, "demo", horizon=0, horison=7)
    lines = file.read_text().splitlines()
    with pytest.raises(Exception, match="demo") as raised, project.build_all_defs():
        pass
    (told,) = [error for error in causes(raised.value) if isinstance(error, SpecError)]
    assert f"{file}: 2 problems" in str(told)
    assert f"horizon (line {lines.index('  horizon: 0') + 1})" in str(told)
    assert f"horison (line {lines.index('  horison: 7') + 1}): unknown field; did you mean 'horizon'?" in str(told)


def test_commands_find_components_beside_plain_specs(project, tmp_path):
    declare(project, "good")
    broken = declare(project, "broken", horison=7)
    other = project.defs_folder_path / "other" / "defs.yaml"
    other.parent.mkdir()
    other.write_text("type: dagster.DefsFolderComponent\n")
    found = load_specs(project.defs_folder_path)
    assert [spec.name for spec in found.specs] == ["good"]
    assert [(one.name, one.file) for one in found.broken] == [("broken", str(broken.resolve()))]
    assert "horison (line " in found.broken[0].message
    assert found.specs[0].source.path == "../sales.csv"


@pytest.mark.parametrize("scaffold_format", ["yaml", "python"])
def test_what_is_scaffolded_loads(project, scaffold_format):
    folder = project.scaffold_component(Forecast, "shop_sales", scaffold_format=scaffold_format)
    with project.build_component_tree() as tree:
        (spec,) = [component.spec for component in tree.get_all_components(Forecast)]
        assert tree.build_defs().get_repository_def().has_job("shop_sales_daily")
    assert spec.name == "shop_sales"
    assert spec.covariates.known == ["promotion"]
    assert Path(spec.file).parent == folder.resolve()
    assert Settings.read().environment == "test"
