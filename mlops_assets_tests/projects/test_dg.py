"""Dagster's own `dg` and `create-dagster`, on this repository and on a project that they have made."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from create_dagster.cli import cli as create_dagster
from dagster._cli.workspace.cli_target import WorkspaceOpts, workspace_opts_to_load_target
from dagster_dg_cli.cli import cli as dg
from dagster_dg_cli.cli.utils import create_temp_workspace_file
from dagster_dg_core.config import DgRawCliConfig
from dagster_dg_core.context import DgContext

from mlops_assets.commands.main import main
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.resources.instance import code_location
from mlops_assets_tests.test_definitions import ASSETS

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.process

FIELDS = """\
type: mlops_assets.Forecast
attributes:
  name: {name}
  source: {{kind: file, path: ../shop_sales/shop_sales.csv}}
  columns: {{item_id: shop, timestamp: date, target: sold}}
  frequency: D
  partitions: {{start: '2025-01-01', end: '2026-01-01'}}
  {horizon}: 7
"""


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Dagster instance that tells nobody, and nothing of the machine's environment."""
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    for name, value in {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DG_UPDATE_CHECK_ENABLED": "0",
        "MLOPS_DATA": str(tmp_path / "data"),
        "VIRTUAL_ENV": str(ROOT / ".venv"),
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of `create-dagster`, with a forecast that `dg` has scaffolded."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_DG_UPDATE_CHECK_ENABLED", "0")
        patch.chdir(folder)
        assert CliRunner().invoke(create_dagster, ["project", "made_shop", "--no-uv-sync"]).exit_code == 0
        patch.chdir(folder / "made_shop")
        patch.syspath_prepend(str(folder / "made_shop" / "src"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(folder / "made_shop" / "src"), str(ROOT)]))
        said = run("scaffold", "defs", "mlops_assets.Forecast", "shop_sales")
        assert said.exit_code == 0, said.output
        yield folder / "made_shop"
    for name in [name for name in sys.modules if name.partition(".")[0] == "made_shop"]:
        del sys.modules[name]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(dg, list(arguments), catch_exceptions=False)


def forecast(shop: Path, name: str, horizon: str = "horizon") -> Path:
    file = shop / "src" / "made_shop" / "defs" / name / "defs.yaml"
    file.parent.mkdir()
    file.write_text(FIELDS.format(name=name, horizon=horizon))
    return file


def listed(said: Result) -> set[str]:
    """The assets of `dg list defs --json`."""
    assert said.exit_code == 0, said.output
    return {asset["asset_key"] for asset in json.loads(said.stdout[said.stdout.index("{") :])["assets"]}


def test_our_own_project_is_one_of_dg(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    for arguments in (("check", "toml"), ("check", "yaml")):
        said = run(*arguments)
        assert said.exit_code == 0, said.output
    assert "mlops_assets.Forecast" in run("list", "components").output
    assert listed(run("list", "defs", "--json")) == {f"nyc_departures/{name}" for name in ASSETS}
    for name in ("quarantine", "observations"):
        launched = run("launch", "--assets", f"nyc_departures/{name}", "--partition", "2013-12-10")
        assert launched.exit_code == 0, launched.output
    stored = ObjectTables(base=str(tmp_path / "data" / "tables"))
    assert len(stored.read(["nyc_departures", "observations"])) > 10


def test_the_code_location_has_one_name_however_it_is_loaded(monkeypatch):
    """The state of schedules and sensors is kept by it: it is that of release 0.1.0."""
    monkeypatch.chdir(ROOT)
    ways = {**ways_of("mlops_assets.definitions"), "dagster dev -w": WorkspaceOpts(workspace=["workspace.yaml"])}
    found = {way: of_way(options) for way, options in ways.items()}
    found["dg dev"] = of_dg_dev(ROOT)
    assert found == dict.fromkeys(found, ("mlops_assets.definitions", "mlops_assets.definitions"))


def test_a_new_project_is_one_of_dg_and_its_code_location_has_one_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(main, ["new", "own-shop"], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    monkeypatch.chdir(tmp_path / "own-shop")
    monkeypatch.syspath_prepend(str(tmp_path / "own-shop"))
    checked = run("check", "toml")
    assert checked.exit_code == 0, checked.output
    assert listed(run("list", "defs", "--json")) >= {f"shop_sales/{name}" for name in ASSETS}
    module = "own_shop.definitions"
    found = {way: of_way(options) for way, options in ways_of(module).items()}
    found["dg dev"] = of_dg_dev(Path.cwd())
    assert found == dict.fromkeys(found, (module, module))
    assert code_location(Path.cwd()) == module


def ways_of(module: str) -> dict[str, WorkspaceOpts]:
    return {"dagster dev": WorkspaceOpts(), "asset materialize -m": WorkspaceOpts(module_name=(module,))}


def of_dg_dev(project: Path) -> tuple[str, Any]:
    """What `dg dev` hands on to Dagster."""
    with create_temp_workspace_file(DgContext.for_project_environment(project, DgRawCliConfig())) as file:
        return of_way(WorkspaceOpts(workspace=[file]))


def of_way(options: WorkspaceOpts) -> tuple[str, Any]:
    """Name and module of the only code location."""
    (origin,) = workspace_opts_to_load_target(options).create_origins()
    return origin.location_name, origin.loadable_target_origin.module_name


def test_a_scaffolded_forecast_runs_and_commands_find_it(shop, monkeypatch, tmp_path):
    checked = run("check", "yaml")
    assert checked.exit_code == 0, checked.output
    assert listed(run("list", "defs", "--json")) >= {f"shop_sales/{name}" for name in ASSETS}
    launched = run("launch", "--assets", "shop_sales/observations", "--partition", "2025-12-31")
    assert launched.exit_code == 0, launched.output
    stored = ObjectTables(base=str(tmp_path / "data" / "tables"))
    assert len(stored.read(["shop_sales", "observations"])) == 3
    monkeypatch.setenv("MLOPS_FORECASTS", "src/made_shop/defs")
    shown = CliRunner().invoke(main, ["list"])
    assert "shop_sales" in shown.output


def test_definitions_are_checked_in_a_process_of_their_own(shop):
    file = forecast(shop, "other")
    try:
        said = run("check", "defs")
        assert said.exit_code == 0, said.output
        assert "All definitions loaded successfully" in said.output
    finally:
        file.unlink()
        file.parent.rmdir()


def test_a_wrong_field_is_named_with_file_and_line_and_without_a_trace(shop):
    file = forecast(shop, "wrong", horizon="horison")
    try:
        said = run("check", "yaml", str(file.parent))
    finally:
        file.unlink()
        file.parent.rmdir()
    assert said.exit_code == 1
    assert f"{file}:8" in said.output
    assert "attributes.horison Additional properties are not allowed" in said.output
    assert "Traceback" not in said.output
