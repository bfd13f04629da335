"""A backtest of a spec beside other models, which touches no store."""

import pytest

from mlops_assets.analysis.evaluate import evaluate
from mlops_assets.settings import Settings
from mlops_assets_tests.worlds import declare, panel

SCORES = ["rows", "mase", "rmsse", "smape", "wape", "wql", "sql", "wis", "coverage", "bias", "cost", "interval"]


def test_the_numbers_are_frames_and_plain_json(tmp_path):
    found = evaluate(declare(tmp_path / "forecasts", panel(items=9)), Settings.read({}), ["extra_trees"])
    said = found.to_json()
    assert list(said) == [
        "forecast", "source", "items", "left_out", "remarks", "observations", "training_rows", "windows", "models",
        "metric", "ranking", "by_window", "by_lead", "by_segment", "best_by_segment", "peak_memory_mb",
    ]  # fmt: skip
    assert set(said["source"]) == {
        "rows_read",
        "rows_accepted",
        "rows_quarantined",
        "rows_of_other_times",
        "rows_collapsed",
        "rows_aggregated",
        "rows_superseded",
        "quarantine",
    }
    assert [list(scores) for scores in said["models"].values()] == [
        [*SCORES, "fit_seconds", "predict_seconds", "memory_mb"]
    ] * 3
    assert list(said["by_window"][0]) == ["model", "window", *SCORES]
    assert list(said["by_lead"][0]) == ["model", "lead", *SCORES]
    assert list(said["by_segment"][0]) == ["model", "value", *SCORES, "segment"]
    assert said["windows"] == [str(origin) for origin in found.windows]
    table = found.to_frame()
    assert table["model"].tolist() == list(said["models"])
    assert table["wql"].round(6).tolist() == [scores["wql"] for scores in said["models"].values()]
    assert found.by_lead["lead"].max() == 7
    ranked = said["ranking"]
    assert [row["rank"] for row in ranked] == [1, 2, 3]
    assert [row["wql"] for row in ranked] == sorted(scores["wql"] for scores in said["models"].values())
    assert ranked[0]["to_best"] == 1
    assert {row["value"] for row in said["best_by_segment"]} == {"low", "middle", "high"}


def test_evaluate_gives_every_metric_and_touches_no_store(ask, tmp_path):
    said = ask("evaluate", str(tmp_path / "forecasts" / "demo.yaml"), "--json")
    assert set(said["models"]) == {"challenger", "seasonal_naive"}
    for scores in said["models"].values():
        assert {"mase", "rmsse", "smape", "wape", "wql", "coverage", "bias"} <= set(scores)
        assert {"fit_seconds", "predict_seconds", "rows"} <= set(scores)
    assert said["models"]["challenger"]["rows"] == 2 * 4 * 7
    assert said["peak_memory_mb"] > 0


def test_evaluate_prints_a_table(ask, tmp_path):
    text = ask("evaluate", str(tmp_path / "forecasts" / "demo.yaml"))
    assert "seasonal_naive" in text
    assert "by lead" in text


def test_evaluate_compares_models_on_the_same_rows_by_lead_and_by_segment(ask, tmp_path):
    declare(
        tmp_path / "forecasts",
        panel(items=9).assign(city=lambda rows: rows["shop"].map(lambda shop: "east" if shop < "shop 3" else "west")),
        covariates={"past": ["rain"], "static": ["city"]},
    )
    said = ask("evaluate", "demo", "--models", "extra_trees,sklearn.linear_model.Ridge", "--json")
    names = ["challenger", "seasonal_naive", "extra_trees", "sklearn.linear_model.Ridge"]
    assert list(said["models"]) == names
    assert {scores["rows"] for scores in said["models"].values()} == {2 * 9 * 7}
    assert all(scores["memory_mb"] >= 0 for scores in said["models"].values())
    assert len({scores["wql"] for scores in said["models"].values()}) == 4
    assert len(said["by_lead"]) == 4 * 7
    groups = {(row["segment"], row["value"]) for row in said["by_segment"]}
    assert groups == {
        ("volume", "low"),
        ("volume", "middle"),
        ("volume", "high"),
        ("city", "east"),
        ("city", "west"),
    }
    for segment in ("volume", "city"):
        rows = [row["rows"] for row in said["by_segment"] if (row["segment"], row["model"]) == (segment, "challenger")]
        assert sum(rows) == 2 * 9 * 7


def test_evaluate_scores_the_levels_of_a_hierarchy(ask, tmp_path):
    pytest.importorskip("hierarchicalforecast", reason="the extra `hierarchy` is not installed")
    declare(
        tmp_path / "forecasts",
        panel().assign(city=lambda rows: rows["shop"].map(lambda shop: "east" if shop < "shop 2" else "west")),
        columns={"item_id": ["city", "shop"], "timestamp": "day", "target": "sales"},
        hierarchy={"levels": ["city"], "method": "min_trace"},
    )
    said = ask("evaluate", "demo", "--json")
    rows = {(row["level"], row["model"]): row for row in said["by_level"]}
    assert {level: rows[level, "challenger"]["rows"] for level in ("total", "city", "item")} == {
        "total": 2 * 7,
        "city": 2 * 2 * 7,
        "item": 2 * 4 * 7,
    }
    assert {row["mase"] is None for row in rows.values()} == {False}
    assert rows["item", "seasonal_naive"]["mase"] == pytest.approx(said["models"]["seasonal_naive"]["mase"], abs=1e-5)
    assert rows["total", "challenger"]["wape"] < 1.5 * rows["item", "challenger"]["wape"]


def test_evaluate_refuses_a_model_that_it_does_not_know(ask):
    assert "hist_gradient_boosting" in ask("evaluate", "demo", "--models", "oracle", code=2)


def test_evaluate_of_a_missing_file_is_wrong_usage(ask):
    assert "cannot be read" in ask("evaluate", "nowhere.yaml", code=2)


def test_a_covariate_of_one_value_or_of_very_many_makes_no_segments(tmp_path):
    data = panel(items=22).assign(country="here", serial=lambda rows: "number " + rows["shop"], side="east")
    data.loc[data["shop"] < "shop 2", "side"] = "west"
    spec = declare(tmp_path / "forecasts", data, covariates={"past": ["rain"], "static": ["country", "serial", "side"]})
    found = evaluate(spec, Settings.read({}))
    assert set(found.by_segment["segment"]) == {"volume", "side"}


def test_evaluate_says_what_is_odd_about_rows_and_what_is_missing_ahead(tmp_path):
    rows = panel(items=2, odd_days=False)
    rows["promo"] = (rows["day"].dt.day == 9).astype(int)
    rows.loc[(rows["shop"] == "shop 1") & (rows["day"] == "2024-04-12"), "sales"] *= 1000
    ended = (rows["shop"] == "shop 0") & (rows["day"] > "2024-05-22")
    spec = declare(tmp_path, rows[~ended], covariates={"known": ["promo"]})
    found = evaluate(spec, Settings.read({"MLOPS_NOW": "2024-05-21T06:00:00Z"}))
    odd, missing = found.remarks
    assert odd.startswith("1 value is hardly true and counted as missing: shop 1 on 2024-04-12: ")
    assert missing.startswith("origin 2024-05-20: known covariates are missing over the horizon: promo in 5 of 14 rows")
