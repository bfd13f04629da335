"""The public names: light to import, typed, and what they answer is what the command line answers."""

import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

import mlops_assets
from mlops_assets.errors import MlopsAssetsError, UsageError
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.settings import Settings
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.worlds import declare, sandbox

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
HEAVY = ("pandas", "numpy", "dagster", "mlflow", "sklearn", "matplotlib", "pyarrow", "sqlalchemy", "rich", "click")
PUBLIC = [
    "Forecast", "MlopsAssetsError", "Settings", "adjust", "build_definitions", "evaluate", "explain", "forecast",
    "load_spec", "observations", "partitions_of", "plot_forecast", "read_accuracy", "read_forecasts", "status", "tune",
    "value_added",
]  # fmt: skip


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.strip()


@pytest.mark.process
def test_all_names_are_there_and_nothing_heavy_is_loaded_for_them():
    names = ", ".join(name for name in PUBLIC if name != "Forecast")  # which is a class of Dagster's
    code = f"import sys\nfrom mlops_assets import {names}\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    assert python(code) == "[]"


@pytest.mark.process
def test_the_package_alone_loads_none_of_its_modules():
    code = "import sys, mlops_assets\nprint([m for m in sys.modules if m.startswith('mlops_assets.')])"
    assert python(code) == "[]"


def test_the_names_are_listed_and_another_is_an_attribute_error():
    assert mlops_assets.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(mlops_assets))
    with pytest.raises(AttributeError, match="has no attribute 'evaluation'"):
        mlops_assets.evaluation  # noqa: B018
    assert (Path(mlops_assets.__file__).parent / "py.typed").exists()


@pytest.mark.process
def test_a_function_stays_one_when_the_module_of_its_name_was_imported():
    code = (
        "import mlops_assets.analysis.evaluate, mlops_assets.analysis.explain, mlops_assets.analysis.status\n"
        "from mlops_assets import evaluate, explain, status\n"
        "print(callable(evaluate), callable(explain), callable(status))"
    )
    assert python(code) == "True True True"


def test_a_forecast_is_a_name_a_path_or_a_spec(tmp_path, empty_mlflow):
    spec = declare(tmp_path / "forecasts")
    settings = sandbox(tmp_path, empty_mlflow)
    file = tmp_path / "forecasts" / "demo.yaml"
    for given in ("demo", str(file), file, spec):
        assert mlops_assets.load_spec(given, settings) == spec
    with pytest.raises(MlopsAssetsError, match="demo"):
        mlops_assets.load_spec("demi", settings)
    with pytest.raises(MlopsAssetsError, match="cannot be read"):
        mlops_assets.load_spec(tmp_path / "nowhere.yaml", settings)


def test_settings_are_those_of_the_environment_unless_others_are_given(tmp_path, empty_mlflow, monkeypatch):
    declare(tmp_path / "forecasts")
    settings = sandbox(tmp_path, empty_mlflow)
    assert mlops_assets.status("demo", settings=settings).forecast == "demo"
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    [found] = mlops_assets.status()
    assert found.problems == ("nothing is stored yet: mlops-assets run demo",)


def test_definitions_of_one_forecast_or_of_all(tmp_path, empty_mlflow):
    declare(tmp_path / "forecasts")
    declare(tmp_path / "forecasts", name="other")
    settings = sandbox(tmp_path, empty_mlflow)

    def forecasts(found: dg.Definitions) -> set[str]:
        return {key.path[0] for key in found.get_repository_def().asset_graph.get_all_asset_keys()}

    assert forecasts(mlops_assets.build_definitions(settings=settings)) == {"demo", "other"}
    assert forecasts(mlops_assets.build_definitions("other", settings=settings)) == {"other"}


def test_an_explanation_needs_both_the_item_and_the_timestamp(tmp_path, empty_mlflow):
    spec = declare(tmp_path / "forecasts")
    with pytest.raises(MlopsAssetsError, match="go together"):
        mlops_assets.explain(spec, item="shop 1", settings=sandbox(tmp_path, empty_mlflow))  # pyright: ignore[reportArgumentType, reportCallIssue]


def test_a_search_tells_of_its_trials(tmp_path, empty_mlflow):
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")
    spec, told = declare(tmp_path / "forecasts"), []
    found = mlops_assets.tune(spec, minutes=0, listen=told.append, settings=sandbox(tmp_path, empty_mlflow))
    assert told == list(found.trials)
    assert (found.best, found.change, found.written) == (0, "", False)


@pytest.mark.process
def test_the_page_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    for line in re.findall(r"print\(.*  # (.*)", "".join(blocks)):
        assert line in said, line
    assert "seasonal_naive" in said
    assert isinstance(names["defs"], dg.Definitions)
    assert not (tmp_path / "somewhere_new").exists()


def test_the_page_names_every_public_name():
    page = PAGE.read_text(encoding="utf-8")
    for name in PUBLIC:
        assert name in page


def test_a_forecast_is_adjusted_and_scored_from_python(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    stored = store(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables")), rounds=2)
    environment = {"MLOPS_ENV": "local", "MLOPS_DATA": str(tmp_path / "data"), "MLOPS_NOW": "2024-03-02T20:00"}
    settings = Settings.read({**environment, "MLOPS_FORECASTS": str(tmp_path / "forecasts")})
    change = mlops_assets.adjust("demo", "shop 1", "2024-03-03", factor=2, reason="promotion", settings=settings)
    assert (change.number, change.by, change.entry.reason) == (1, "ada", "promotion")
    with pytest.raises(MlopsAssetsError, match="one of value, factor and delta"):
        mlops_assets.adjust(stored.spec, "shop 1", "2024-03-03", reason="promotion", settings=settings)
    published = mlops_assets.read_forecasts("demo", "shop 1", settings=settings).iloc[0]
    system = mlops_assets.read_forecasts("demo", "shop 1", version="system", settings=settings).iloc[0]
    assert (published["q50"], published["adjustment"]) == (2 * system["q50"], 1)
    assert mlops_assets.value_added("demo", "person", settings=settings).empty


def test_a_table_in_memory_is_told_to_be_written():
    with pytest.raises(UsageError, match="a DataFrame has no place to be read from"):
        mlops_assets.forecast(pd.DataFrame({"day": ["2024-01-01"], "sales": [1.0]}))  # pyright: ignore[reportArgumentType, reportCallIssue]
