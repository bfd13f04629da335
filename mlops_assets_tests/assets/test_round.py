"""The whole round through `materialize`, with memory IO managers."""

import pandas as pd

from mlops_assets.catalog.column import expand
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.names import ENTRIES
from mlops_assets_tests.worlds import HISTORY, panel


def test_the_round_fills_every_table(trained):
    origin = "2024-05-10"
    made = trained.run("forecasts", partition=origin)
    ledger = trained.table("forecasts", [origin])
    assert len(ledger) == 4 * 7
    assert set(ledger["origin"]) == {pd.Timestamp(origin)}
    assert sorted(ledger["lead"].unique()) == list(range(1, 8))
    assert (ledger["timestamp"] == ledger["origin"] + pd.to_timedelta(ledger["lead"], "D")).all()
    assert (ledger["q10"] <= ledger["q50"]).all()
    assert (ledger["q50"] <= ledger["q90"]).all()
    assert set(ledger["source"]) == {"champion"}
    assert set(ledger["model_version"]) == {1}
    assert set(ledger["run_id"]) == {made.run_id}
    trained.run("observations", "quarantine", "forecast_accuracy", partition="2024-05-11")
    scored = trained.table("forecast_accuracy", ["2024-05-11"])
    assert len(scored) == 4
    assert set(scored["lead"]) == {1}
    assert not scored["in_sample"].any()


def test_making_an_origin_again_replaces_its_rows(trained):
    both = ["2024-05-08", "2024-05-09"]
    trained.run("forecasts", partition="...".join(both))
    before = trained.table("forecasts", both)
    trained.run("forecasts", partition=both[1])
    after = trained.table("forecasts", both)
    assert len(before) == len(after) == 2 * 4 * 7
    same = ["item_id", "origin", "timestamp", "lead", "mean", "q10", "q50", "q90", "source", "model_version"]
    pd.testing.assert_frame_equal(before[same], after[same])


def test_the_same_training_is_registered_once(trained):
    again = trained.train(until="2024-05-10")
    assert trained.metadata(again, "model_version")["outcome"].startswith("unchanged")
    assert trained.metadata(again, "model_version")["saved_seconds"] > 0
    assert trained.metadata(again, "champion")["outcome"] == "unchanged"
    assert len(trained.tracking.registry("demo").versions()) == 1


def test_a_training_is_one_run_with_its_parameters_scores_and_pictures(trained):
    import mlflow

    run = mlflow.get_run(trained.tracking.registry("demo").versions()[-1].run_id)
    assert run.data.params["horizon"] == "7"
    assert run.data.params["model.kind"] == "random_forest"
    assert run.data.params["model.n_estimators"] == "10"
    assert run.data.metrics["rows"] == 2 * 4 * 7
    assert {"wql", "naive_wql", "coverage", "fit_seconds"} <= set(run.data.metrics)
    kept = {
        folder: {
            file.path.removeprefix(f"{folder}/")
            for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path=folder)
        }
        for folder in ("backtest", "pictures")
    }
    assert kept["backtest"] == {"overall.csv", "by_window.csv", "by_lead.csv", "by_item.csv"}
    assert kept["pictures"] == {"importances.png", "wql_by_window.png", "wql_by_lead.png", "latest_window.png"}
    assert len(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/backtest/by_item.csv").splitlines()) == 1 + 2 * 4
    names = {file.path for file in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)}
    assert {"importances.csv", "importances_by_group.csv"} <= names


def test_new_data_make_a_new_version_that_meets_the_champion_on_the_same_windows(world):
    made = world()
    made.run("observations", "quarantine", partition=HISTORY)
    made.train(until="2024-05-01")
    result = made.train()
    backtest = made.table("backtest")
    rows = backtest.groupby("model").size()
    assert set(rows.index) == {"challenger", "seasonal_naive", "champion"}
    assert rows.nunique() == 1
    assert made.metadata(result, "model_version")["version"] == 2
    assert made.metadata(result, "champion")["outcome"] in ("promoted", "refused")
    assert made.table("champion")["challenger_version"].iloc[0] == 2


def test_training_stops_at_the_partition_it_is_told_and_dead_items_are_listed(world):
    data = panel()
    made = world(data[(data["shop"] != "shop 3") | (data["day"] <= "2024-04-12")])
    made.run("observations", "quarantine", partition=HISTORY)
    made.train(until="2024-04-30")
    assert made.table("training_set")["timestamp"].max() <= pd.Timestamp("2024-04-30")
    assert made.table("backtest")["timestamp"].max() <= pd.Timestamp("2024-04-30")
    version = made.tracking.registry("demo").champion()
    assert version.trained_until <= pd.Timestamp("2024-04-30")
    facts = made.metadata(made.run("forecasts", partition="2024-05-10"), "forecasts")
    assert (facts["items"], facts["left_out"], facts["left_out_items"]) == (3, 1, "shop 3")


def test_forecasts_are_not_scored_on_what_their_model_has_seen(trained):
    trained.run("forecasts", partition="2024-05-01")
    result = trained.run("forecast_accuracy", partition="2024-05-03")
    facts = trained.metadata(result, "forecast_accuracy")
    assert trained.table("forecast_accuracy", ["2024-05-03"])["in_sample"].all()
    assert facts["rows"] == 0
    assert facts["in_sample_rows"] == 4


def test_forecasts_look_at_nothing_after_their_origin(world):
    clean = panel()
    broken = clean.assign(
        sales=clean["sales"].where(clean["day"] <= "2024-05-05", 1e6),
        rain=clean["rain"].where(clean["day"] <= "2024-05-05", -5),
    )
    made = world(clean)
    made.run("observations", "quarantine", partition=HISTORY)
    made.train(until="2024-05-05")
    made.run("forecasts", partition="2024-05-05")
    honest = made.table("forecasts").drop(columns=["run_id", "created_at"])
    broken.to_csv(made.spec.folder / "sales.csv", index=False)
    made.run("observations", "quarantine", partition=HISTORY)
    made.train(until="2024-05-05")
    made.run("forecasts", partition="2024-05-05")
    assert len(made.tracking.registry("demo").versions()) == 1
    pd.testing.assert_frame_equal(honest, made.table("forecasts").drop(columns=["run_id", "created_at"]))


def test_without_a_champion_forecasts_say_what_to_do_where_nobody_else_may(world):
    made = world(deliver="champion_only")
    made.run("observations", "quarantine", partition="2024-03-01...2024-03-31")
    result = made.run("forecasts", partition="2024-03-31", raise_on_error=False)
    failure = result.failure_data_for_node("demo__forecasts")
    said = failure.user_failure_data.description
    assert "only a champion may forecast (deliver: champion_only): no version of demo has been judged yet" in said


def test_accuracy_without_forecasts_is_empty_and_not_an_error(world):
    made = world()
    result = made.run("observations", "quarantine", "forecast_accuracy", partition="2024-03-02")
    assert made.metadata(result, "forecast_accuracy")["rows"] == 0
    assert made.table("forecast_accuracy").empty


def test_absent_rows_count_as_zero_where_the_spec_says_so(world):
    data = panel()
    data = data[~((data["shop"] == "shop 1") & (data["day"] == "2024-05-11"))]
    made = world(data, fill="zero")
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    made.run("forecasts", partition="2024-05-10")
    made.run("observations", "quarantine", "forecast_accuracy", partition="2024-05-11")
    scored = made.table("forecast_accuracy").set_index("item_id")["target"]
    assert scored["shop 1"] == 0
    assert len(scored) == 4


def test_known_covariates_reach_the_forecast(world):
    data = panel()
    promotion = (data["day"].dt.day % 9 == 0).astype(int)
    data = data.assign(promotion=promotion, sales=data["sales"] * (1 + 2 * promotion))
    made = world(data, covariates={"known": ["promotion"]})
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    made.run("future_covariates", "forecasts", partition="2024-05-08")
    future = made.table("future_covariates")
    assert set(future) == set(expand(TABLES["future_covariates"], [], ["promotion"]))
    assert len(future) == 4 * 7
    assert set(future["timestamp"]) == set(pd.date_range("2024-05-09", periods=7))
    ledger = made.table("forecasts").groupby("timestamp")["q50"].sum()
    assert ledger["2024-05-09"] > 1.5 * ledger["2024-05-10"]


def test_each_partition_of_a_range_has_its_own_numbers(trained):
    days = ["2024-05-11", "2024-05-12"]
    ingested = trained.run("observations", "quarantine", partition="...".join(days))
    trained.run("forecasts", partition="2024-05-10")
    result = trained.run("forecasts", "forecast_accuracy", partition="...".join(days))
    facts = {
        (m.asset_key.path[-1], m.partition): {k: v.value for k, v in m.materialization.metadata.items()}
        for m in (*ingested.get_asset_materialization_events(), *result.get_asset_materialization_events())
    }
    assert [facts["forecasts", day]["dagster/row_count"] for day in days] == [28, 28]
    first, second = (facts["forecast_accuracy", day]["dagster/row_count"] for day in days)
    assert second == first + 4  # one origin more, of four items
    assert facts["forecast_accuracy", days[0]]["wql"] != facts["forecast_accuracy", days[1]]["wql"]
    assert facts["observations", days[1]]["sum_by_step"].startswith("![")
    assert next(iter(facts["observations", days[1]])) == "sum_by_step"
    assert facts["observations", days[0]]["total"] > 0
    for asset, line in (("forecasts", "sum_by_step"), ("forecast_accuracy", "trend")):
        assert all(facts[asset, day][line].startswith("![") for day in days)


def test_every_table_has_the_columns_that_are_declared(trained):
    days = "2024-05-11...2024-05-12"
    trained.run("observations", "quarantine", partition=days)
    trained.run("forecasts", "forecast_accuracy", "data_drift", "forecast_change", "anomalies", partition=days)
    logs = {one.name for one in ENTRIES if one.kind == "log"}
    for name in sorted(set(TABLES) - logs - {"external_jobs", "future_covariates", "reconciled_forecasts", "report"}):
        last = trained.instance.get_latest_materialization_event(trained.key(name)).asset_materialization
        stored = {c.name: (c.type, c.description) for c in last.metadata["columns"].value.columns}
        declared = expand(TABLES[name], ["q10", "q50", "q90"], ["rain"])
        features = set(stored) - set(declared)
        assert not features if name != "training_set" else "season_7_mean" in features
        for column, known in declared.items():
            assert stored[column][1] == known.meaning
            assert known.stored_as in ("any", stored[column][0]) or stored[column][0] == "null", f"{name}.{column}"
    for name in ("accuracy_scores", "decisions"):
        assert set(trained.table(name)) == {column.name for column in TABLES[name]}
