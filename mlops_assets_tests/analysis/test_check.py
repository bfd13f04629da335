"""`check` says what a round would of odd rows and of covariates that end early, and what a fit would of parameters."""

import dagster as dg

from mlops_assets.analysis.check import champions, checks, closed
from mlops_assets.lifecycle.decisions import Entry
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.instance import CONFIGURATION, prove_instance
from mlops_assets.settings import Settings
from mlops_assets.stages.train import in_vain
from mlops_assets_tests.worlds import declare, panel


def test_check_tells_of_odd_rows_and_of_what_is_missing_ahead(tmp_path, monkeypatch):
    rows = panel(items=2, odd_days=False)
    rows["promo"] = (rows["day"].dt.day == 9).astype(int)
    rows.loc[(rows["shop"] == "shop 1") & (rows["day"] == "2024-04-12"), "sales"] *= 1000
    ended = (rows["shop"] == "shop 0") & (rows["day"] > "2024-05-22")
    model = {"parameters": {"n_estimators": -5}}
    declare(tmp_path / "forecasts", rows[~ended], covariates={"known": ["promo"]}, maximum=5_000, model=model)
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("MLOPS_NOW", "2024-05-21T06:00:00Z")
    results = {result.name: result for result in checks()}
    assert not results["model of demo"].passed
    assert "The 'n_estimators' parameter of RandomForestRegressor must be" in results["model of demo"].message
    told = results["rows of demo"]
    assert told.passed
    assert "1 value is hardly true and counted as missing: shop 1 on 2024-04-12: " in told.message
    assert "1 observation beyond what the spec allows: shop 1 on 2024-04-12: " in told.message
    assert "promo in 5 of 14 rows from 2024-05-23 on (of shop 0). Load them" in told.message


def test_check_tells_rows_of_the_future_and_strategies_that_the_kind_does_not_have(tmp_path, monkeypatch):
    rows = panel(items=2, odd_days=False)
    policies = [{"name": "tuned", "trigger": {"age": {"new_rows": 9}}, "strategy": ["grow", "tune", "refit"]}]
    rules = {"threshold": 0.2, "ladder": ["reweigh", "refit"]}
    sections = {"model": {"kind": "seasonal_naive"}, "retraining": rules, "policies": policies, "covariates": None}
    spec = declare(tmp_path / "forecasts", rows, **sections)
    monkeypatch.setenv("MLOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(tmp_path / "forecasts"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv("MLOPS_NOW", "2024-05-27T06:00:00Z")
    results = {result.name: result for result in checks()}
    assert results["rows of demo"].message.startswith(
        "of the first 184 rows 176 are good, 0 rejected, 8 of other times than from 2024-03-01 to now; 8 targets left "
        "out that have not come yet."
    )
    told = results["retraining of demo"]
    assert told.passed
    assert told.message.split("; ") == [
        "retraining asks for reweigh: only ensemble and auto have weights to renew, and the kind is seasonal_naive, "
        "so it is fitted anew",
        "tuned asks for grow: only forests grow, and the kind is seasonal_naive, so it is fitted anew",
        "tuned asks for tune: only random_forest, extra_trees, hist_gradient_boosting, lightgbm can be tuned, and the "
        "kind is seasonal_naive, so the training fails",
    ]
    forest = spec.model_copy(update={"model": spec.model.model_copy(update={"kind": "extra_trees"})})
    assert [words.partition(":")[0] for words in in_vain(forest)] == ["retraining asks for reweigh"]


def test_where_keys_decide_folders_that_other_users_can_open_are_told(tmp_path):
    folders = {"MLOPS_DATA": tmp_path / "data", "MLOPS_FORECASTS": tmp_path / "forecasts"}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    given = {name: str(folder) for name, folder in folders.items()}
    assert not list(closed(Settings.read(given)))
    settings = Settings.read({**given, "MLOPS_APPROVERS": "anna:a-key-of-anna-1234"})
    assert [result.passed for result in closed(settings)] == [True, True]
    folders["MLOPS_DATA"].chmod(0o755)
    folders["MLOPS_FORECASTS"].chmod(0o777)
    assert [result.passed for result in closed(settings)] == [False, False]
    assert "can read what is in" in next(closed(settings)).message


def test_the_run_that_check_stores_writes_nothing_on_the_terminal(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(CONFIGURATION)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        capfd.readouterr()
        prove_instance(instance)
        assert capfd.readouterr() == ("", "")
        assert instance.get_runs_count() == 0


def test_a_champion_that_mlflow_has_lost_is_told_and_one_that_it_has_is_not(world):
    made = world()
    life = Lifecycle(made.tables, made.tracking, made.resources["clock"], "demo")
    assert not list(champions([life]))
    life.log.append(lambda log: Entry("gate", "promoted", 7, None, 7, "gate", "good"), made.resources["clock"].now())
    (found,) = champions([life])
    assert (found.name, found.passed) == ("champion of demo", False)
    assert found.message.startswith("version 7 is gone from MLflow; its copy")
