"""The certificate: equal on every place, and a planted difference is found and named."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from mlops_assets.commands.main import main
from mlops_assets.io_managers import MemoryModels, MemoryTables
from mlops_assets.rounds import certification as certify
from mlops_assets.settings import Settings
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.worlds import declare


@pytest.fixture
def trial(tmp_path: Path, empty_mlflow: Path):
    """Return the small spec, and a folder with a copy of MLflow's empty database."""
    folder = tmp_path / "trial"
    folder.mkdir()
    shutil.copy(empty_mlflow, folder / "mlflow.db")
    return certify.small(declare(tmp_path / "forecasts"), "certify_test"), folder


@pytest.mark.parametrize(("kind", "quick"), [("extra_trees", {"n_estimators", "n_jobs"}), ("theta", set())])
def test_the_model_is_made_small_by_the_parameters_that_its_kind_has(kind, quick, tmp_path):
    assert set(certify.small(declare(tmp_path, model={"kind": kind}), "certify_test").model.parameters) == quick


def test_a_trial_asks_no_service_that_is_paid(tmp_path):
    service = yaml.safe_load(
        (Path(__file__).parents[2] / "docs" / "examples" / "rest_service.yaml").read_text(encoding="utf-8")
    )
    declared = declare(tmp_path, **service)
    assert declared.external is not None
    assert certify.small(declared, "certify_test").external is None


def compare(trial, *places: certify.Store) -> dict[tuple[str, str], str]:
    spec, folder = trial
    findings = certify.compare_places(spec, places, folder, "2024-06-01", lambda _: None)
    return {(finding.place, finding.table): finding.difference for finding in findings}


def test_every_place_keeps_the_same_and_what_differs_is_named(trial, tmp_path):
    spec, folder = trial
    settings, words = Settings.read({}), ["sql", f"file://{tmp_path}/bucket"]
    opened = [certify.open_store(word, settings, folder, spec) for word in words]
    places = [place.__enter__() for place in opened]
    forgetful = certify.Store("forgetful", Forgetful(), MemoryModels())
    broken = certify.Store("broken", Broken(), MemoryModels())
    found = compare(trial, *places, forgetful, broken)
    equal = {finding: difference for finding, difference in found.items() if finding[0] in [p.name for p in places]}
    assert len(equal) == len(words) * (len(certify.table_names(spec)) + 1)
    assert set(equal.values()) == {""}
    assert_differences_are_named(found)
    forecasts = places[0].tables.read([spec.name, "forecasts"])
    assert len(forecasts) == 3 * 4 * 7
    for place in opened:
        place.__exit__(None, None, None)
    for place in places:
        assert not any(place.tables.exists([spec.name, name]) for name in certify.table_names(spec))
    assert list((tmp_path / "bucket").rglob("*.*")) == []
    with places[0].tables._server.reading("") as connection:
        left = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    assert left == ["_mlops_register", "_mlops_schemas"]


@pytest.mark.process
@pytest.mark.skipif(os.environ.get("MLOPS_TEST_STORAGE") != "all", reason="long: make test-storage")
def test_every_server_keeps_the_same(tmp_path, monkeypatch):
    """Servers and clouds as people name them: addresses, with the keys in the clouds' own variables."""
    spec = declare(tmp_path / "forecasts")
    folders = {name: tmp_path / name for name in ("postgres", "mariadb", "s3", "azure")}
    for folder in folders.values():
        folder.mkdir()
    with (
        servers.postgres(folders["postgres"]) as postgres,
        servers.mariadb(folders["mariadb"]) as mariadb,
        servers.s3(folders["s3"]) as (bucket, s3),
        servers.azure(folders["azure"]) as (container, azure),
    ):
        for prefix, options in (("AWS", s3), ("AZURE_STORAGE", azure)):
            for name, value in options.items():
                monkeypatch.setenv(f"{prefix}_{name.upper()}", value)
        monkeypatch.setenv("AZURE_ALLOW_HTTP", "true")
        words = ["memory", "files", "sql", f"duckdb:///{tmp_path}/t.duckdb", postgres, mariadb, bucket, container]
        findings = certify.certify(spec, Settings.read({"MLOPS_NOW": "2024-06-01"}), words, lambda _: None)
    assert [(f.place, f.table, f.difference) for f in findings if f.difference] == []
    assert len({finding.place for finding in findings}) == len(words)
    assert len(findings) == len(words) * (len(certify.table_names(spec)) + 1)


class Forgetful(MemoryTables):
    """Loses the last row of forecasts, rounds the scores, and leaves out a partition of observations."""

    def read(self, key, partitions=None, columns=None, only=None):
        frame = super().read(key, partitions, columns, only)
        if key[-1] == "forecasts":
            return frame.iloc[:-1]
        if key[-1] == "backtest":
            return frame.assign(lead=frame["lead"].astype("float64"))
        if key[-1] == "forecast_accuracy":
            return frame.assign(error=frame["error"].round(3))
        return frame

    def partitions(self, key):
        found = super().partitions(key)
        return found[:-1] if key[-1] == "quarantine" else found


class Broken(MemoryTables):
    """Takes no observations."""

    def _put(self, key, parts, options, claim):
        if key[-1] == "observations":
            raise OSError("no space left on device")
        return super()._put(key, parts, options, claim)


def assert_differences_are_named(found: dict[tuple[str, str], str]) -> None:
    assert found["forgetful", "forecasts"] == "partition 2024-05-29: 27 rows instead of 28"
    assert found["forgetful", "backtest"] == "column lead is float64 instead of int32"
    assert found["forgetful", "forecast_accuracy"].endswith("other values in error")
    assert found["forgetful", "quarantine"] == "lacks 1 partitions, such as 2024-05-31"
    assert found["forgetful", "observations"] == ""
    assert found["forgetful", "random_forest"] == ""
    assert "no space left on device" in found["broken", "the round"]


def test_values_that_change_places_are_found():
    one = pd.DataFrame({"item": ["a", "b"], "value": [1.0, 2.0]})
    swapped = {certify.WHOLE: certify.content_of(one.assign(value=[2.0, 1.0]))}
    turned = {certify.WHOLE: certify.content_of(one.iloc[::-1])}
    reference = {certify.WHOLE: certify.content_of(one)}
    assert certify.first_difference(swapped, reference) == "the same values in other rows"
    assert certify.first_difference(turned, reference) == ""
    lost = {certify.WHOLE: certify.content_of(one.assign(value=[1.0, None]))}
    assert certify.first_difference(lost, reference) == "column value has 1 missing values instead of 0"


def test_exit_codes(monkeypatch, tmp_path):
    declare(tmp_path / "forecasts")
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    for variable in ("MLOPS_OBJECT_STORAGE", "MLOPS_DATABASE_URL", "MLOPS_NOW"):
        monkeypatch.delenv(variable, raising=False)
    call = CliRunner().invoke

    def answer(difference):
        finding = certify.Finding("memory", "forecasts", 3, 84, "ab12", difference)
        monkeypatch.setattr(certify, "certify", lambda *_: [finding])
        return call(main, ["certify"])

    for words, message in {
        "memory,tape": "no place 'tape'",
        "object_storage": "MLOPS_OBJECT_STORAGE is not set",
        "oracle://me:hunter2@host/name": "needs the module",
    }.items():
        result = call(main, ["certify", "--on", words])
        assert result.exit_code == 2
        assert message in result.output
        assert "hunter2" not in result.output
    assert call(main, ["certify", "--forecast", "demi"]).exit_code == 2
    assert answer("").exit_code == 0
    differs = answer("27 rows instead of 28")
    assert differs.exit_code == 1
    assert "27 rows instead of 28" in differs.output
