"""The code location loads in every environment and is complete."""

import subprocess
import sys
from typing import get_args

import dagster as dg
import pytest

from mlops_assets.assets import build_assets
from mlops_assets.catalog.declared import usable
from mlops_assets.definitions import build, executor_of, loadable
from mlops_assets.settings import PLACES, Environment, Settings
from mlops_assets_tests.worlds import declare

ASSETS = {
    "source", "observations", "quarantine", "training_set", "random_forest", "backtest", "model_version", "champion",
    "forecasts", "forecast_accuracy", "data_drift", "anomalies", "forecast_change", "report",
}  # fmt: skip


ADDRESSES = {"MLOPS_DATABASE_URL": "postgresql://me:hunter2@host/name", "MLOPS_OBJECT_STORAGE": "s3://bucket/prefix"}


def test_every_environment_is_defined():
    assert set(PLACES) == set(get_args(Environment))


@pytest.mark.parametrize("environment", ["local", "production"])
def test_how_steps_run_is_a_setting_of_its_own_wherever_things_are_kept(environment):
    given = {"MLOPS_ENV": environment, **ADDRESSES}
    assert executor_of(Settings.read(given)) is dg.in_process_executor
    several = Settings.read({**given, "MLOPS_EXECUTOR": "multiprocess", "MLOPS_MAX_CONCURRENT": "2"})
    assert executor_of(several).name == "multiprocess"
    assert several.max_concurrent == 2


@pytest.mark.parametrize("environment", get_args(Environment))
def test_definitions_load(environment, tmp_path):
    definitions = build(Settings.read({"MLOPS_ENV": environment, "MLOPS_DATA": str(tmp_path), **ADDRESSES}))
    repository = definitions.get_repository_def()
    keys = {key.path[-1] for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == ASSETS
    assert {job.name for job in repository.get_all_jobs()} >= {
        "nyc_departures_daily",
        "nyc_departures_retrain",
        "nyc_departures_decide",
    }
    assert [s.name for s in repository.schedule_defs] == ["nyc_departures_daily_schedule"]
    sensors = {s.name: s.default_status.name for s in repository.sensor_defs}
    assert sensors.pop("alerts") == "RUNNING", "who is to be told must not have to ask for it"
    names = ["retrain_on_breach", "approvals", "rescore"]
    aliases = [f"nyc_departures_{name}" for name in (*names, "alerts")]
    assert sensors == dict.fromkeys([*names, *aliases], "STOPPED")
    assert list(tmp_path.iterdir()) == []  # loading writes nothing


def test_every_asset_says_what_it_is(tmp_path):
    graph = build(Settings.read({"MLOPS_DATA": str(tmp_path)})).get_repository_def().asset_graph
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.kinds, key
        assert node.owners == ["team:forecasting"], key
        assert node.group_name == "nyc_departures", key
        assert node.tags["domain"] == "aviation", key


def test_each_asset_can_be_launched_alone(tmp_path):
    graph = build(Settings.read({"MLOPS_DATA": str(tmp_path)})).get_repository_def().asset_graph
    for key in graph.materializable_asset_keys:
        together = graph.get_execution_set_asset_and_check_keys(key)
        assert [one for one in together if isinstance(one, dg.AssetKey)] == [key]


@pytest.mark.parametrize(
    ("kind", "asset", "label"),
    [("extra_trees", "random_forest", "extra_trees"), ("theta", "model", "theta"), ("lightgbm", "model", "lightgbm")],
)
def test_the_fitted_model_is_called_by_its_kind(kind, asset, label, tmp_path):
    made = {key.path[-1]: one for one in build_assets(declare(tmp_path, model={"kind": kind})) for key in one.keys}
    assert {"random_forest", "model"} & set(made) == {asset}
    node = made[asset]
    assert kind in (node.get_asset_spec().description or "")
    assert node.get_asset_spec().kinds == {label}


@pytest.mark.process
def test_heavy_packages_wait_until_they_are_used():
    heavy = ("mlflow", "sklearn", "matplotlib", "skops", "scipy", "dagster_mlflow")
    code = (
        "import sys; from click.testing import CliRunner; from mlops_assets.commands.main import main; "
        "assert not any(CliRunner().invoke(main, [name]).exit_code for name in ('list', 'status')); "
        "assert not any(m.partition('.')[0] == 'dagster' for m in sys.modules), 'who only reads does without'; "
        "import mlops_assets.definitions as d; d.definitions().get_repository_def(); "
        f"print(','.join(m for m in {heavy!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == ""


def test_accuracy_reads_the_forecasts_of_the_horizon_before(tmp_path):
    graph = build(Settings.read({"MLOPS_DATA": str(tmp_path)})).get_repository_def().asset_graph
    accuracy, forecasts = (dg.AssetKey(["nyc_departures", name]) for name in ("forecast_accuracy", "forecasts"))
    mapping = graph.get_partition_mapping(accuracy, forecasts)
    assert isinstance(mapping, dg.TimeWindowPartitionMapping)
    assert mapping.start_offset <= -14


def one_good_and_two_broken(folder) -> Settings:
    """Declare a good forecast, one with a typing error, and one whose assets cannot be made."""
    declare(folder / "forecasts")
    (folder / "forecasts" / "typo.yaml").write_text("name: typo\nhorison: 3\n")
    declare(folder / "forecasts", name="endless", season_lengths=[7, 10_000_000])
    values = {"MLOPS_ENV": "test", "MLOPS_DATA": str(folder / "data"), "MLOPS_FORECASTS": str(folder / "forecasts")}
    return Settings.read(values)


def test_a_broken_spec_takes_no_other_down(tmp_path, caplog):
    settings = one_good_and_two_broken(tmp_path)
    repository = build(settings).get_repository_def()
    keys = {"/".join(key.path) for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == {f"demo/{name}" for name in ASSETS} | {"typo/spec", "endless/spec"}
    assert repository.has_job("demo_daily")
    assert "horison (line 2): unknown field" in caplog.text, "dg check defs shows what is logged"
    assert "horison" in (repository.asset_graph.get(dg.AssetKey(["typo", "spec"])).description or "")
    declared = usable(settings)
    assert [one.name for one in loadable(settings).broken] == [one.name for one in declared.broken]
    assert [spec.name for spec in declared.specs] == ["demo"]
    assert [spec.name for spec in declared.broken] == ["endless", "typo"]
    assert "the assets of endless cannot be made" in declared.broken[0].message
    assert "look at frequency, partitions, horizon, season_lengths" in declared.broken[0].message


def test_what_stands_for_a_broken_spec_fails_with_its_message_and_tells_people_once(tmp_path):
    definitions = build(one_good_and_two_broken(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        run = definitions.get_implicit_global_asset_job_def().execute_in_process(
            asset_selection=[dg.AssetKey(["typo", "spec"])], instance=instance, raise_on_error=False
        )
        (failed,) = [event for event in run.all_events if event.is_step_failure]
        failure = failed.step_failure_data.user_failure_data
        assert failure is not None
        assert failure.description is not None
        assert "horison (line 2): unknown field; did you mean 'horizon'?" in failure.description
        said = []
        with dg.build_resources(definitions.resources or {}) as resources:
            for _ in range(2):
                with dg.build_sensor_context(instance=instance, resources=resources.original_resource_dict) as context:
                    said.append(definitions.resolve_sensor_def("alerts").evaluate_tick(context).skip_message)
            alerts = resources.tables.read(["typo", "alerts"])
    assert "typo: 1 new" in said[0]
    assert "typo: 0 new" in said[1]
    assert alerts["event"].tolist() == ["broken spec"]
    assert "did you mean 'horizon'?" in alerts["what"].iloc[0]
