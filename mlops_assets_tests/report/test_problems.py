"""Each kind of problem is said, and nothing where all is well."""

from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

import pandas as pd
import pytest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.commands.rendering.status import lines
from mlops_assets.forecasting.data.outliers import outliers
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.overview import (
    AccuracyState,
    ChampionState,
    DriftState,
    FailedRun,
    Overview,
    PolicyState,
    QuarantineState,
    StoredAsset,
)
from mlops_assets.report.problems import Case, problems
from mlops_assets.report.sections import cards
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.scale.shards import shards
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.worlds import declare

NOW = datetime(2024, 5, 16, 7, tzinfo=timezone.utc)
DAY = "2024-05-15"
GOOD = Overview(
    forecast="demo",
    description="Sales of a few shops.",
    at="2024-05-16 07:00",
    champion=ChampionState(2, "random_forest", "2024-05-11", "gate", "2024-05-10", 5, ""),
    waiting=(),
    assets=(
        StoredAsset("observations", 76, DAY),
        StoredAsset("forecasts", 6, DAY),
        StoredAsset("champion", None, None),
    ),
    accuracy=AccuracyState(DAY, "wql", 0.1, 0.2, 0.1, {"skill": 0.2, "coverage": 0.8}, 20),
    policies=(PolicyState(DAY, "refresh", "", "", "wql 0.1 is within 0.2"),),
    drift=DriftState(DAY, 0.1, (), 3),
    quarantine=QuarantineState("2024-05-14", 3, {"not_a_number": 3}),
    next_round="2024-05-17 06:00 UTC",
    failed_runs=(),
)


@pytest.fixture
def spec(tmp_path):
    return declare(tmp_path)


def test_nothing_is_said_where_all_is_well(spec):
    assert problems(Case(spec, GOOD, NOW)) == ()


def test_an_accuracy_without_a_value_or_a_limit_is_no_problem(spec):
    for score in (replace(GOOD.accuracy, value=None), replace(GOOD.accuracy, value=9.0, limit=None), None):
        assert problems(Case(spec, replace(GOOD, accuracy=score), NOW)) == ()


def test_a_bias_is_a_problem_beyond_its_limit_only(spec, tmp_path):
    biased = replace(GOOD, accuracy=replace(GOOD.accuracy, scores={"bias": -0.125}))
    assert problems(Case(spec, biased, NOW)) == ()
    watched = declare(tmp_path, retraining={"bias": 0.1})
    assert problems(Case(watched, GOOD, NOW)) == ()
    assert problems(Case(watched, biased, NOW)) == ("the forecasts of 2024-05-15 are 12.5% too low, 10.0% are allowed",)


def test_a_breach_of_a_past_champion_is_no_problem(spec):
    past = replace(GOOD.policies[0], breach="v1 2024-05-14 wql")
    assert problems(Case(spec, replace(GOOD, policies=(past,)), NOW)) == ()


def test_where_nothing_is_stored_only_that_is_said(spec):
    empty = replace(GOOD, assets=(), champion=None)
    assert problems(Case(spec, empty, NOW)) == ("nothing is stored yet: mlops-assets run demo",)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"champion": None, "standing": "version 1 was refused"},
            "there is no champion, so seasonal naive forecasts, or an earlier champion: version 1 was refused",
        ),
        ({"standing": "version 2 is gone from MLflow"}, "version 2 is gone from MLflow"),
        (
            {"assets": (StoredAsset("observations", 76, DAY), StoredAsset("forecasts", 4, "2024-05-13"))},
            "forecasts are stale: 2024-05-14 should be there, 2024-05-13 is the last",
        ),
        ({"accuracy": replace(GOOD.accuracy, value=0.25)}, "wQL of 2024-05-15 is 0.250, above 0.200"),
        (
            {"policies": (PolicyState(DAY, "refit", "coverage", "v2 2024-05-14", "coverage 0.1 in 2 of 3"),)},
            "the retraining policy saw a breach (coverage) at 2024-05-15: refit: coverage 0.1 in 2 of 3",
        ),
        (
            {"policies": (*GOOD.policies, PolicyState(DAY, "grow", "bias", "v2 2024-05-14 (b)", "bias 0.3", "b"))},
            "the retraining policy b saw a breach (bias) at 2024-05-15: grow: bias 0.3",
        ),
        ({"waiting": (3, 4)}, "waiting for approval: version 3, 4"),
        ({"quarantine": QuarantineState(DAY, 3, {"not_a_number": 3})}, "3 rows of 2024-05-15 are in quarantine"),
        ({"rolled_back": "the published forecasts are old"}, "the published forecasts are old"),
        ({"silent_point": "the median is 0"}, "the median is 0"),
        ({"drift": DriftState(DAY, 2.0, ("rain has drifted",), 3)}, "drift: rain has drifted"),
        (
            {"failed_runs": (FailedRun("ab", "report failed: no room", "2024-05-16 06:01", "http://ui/runs/ab"),)},
            "a run has failed within 7 days (2024-05-16 06:01 UTC): report failed: no room (http://ui/runs/ab)",
        ),
    ],
)
def test_every_problem_is_said(spec, change, sentence):
    assert problems(Case(spec, replace(GOOD, **change), NOW)) == (sentence,)


@pytest.mark.parametrize(("point", "said"), [({}, True), ({"point": "median"}, False)])
def test_latest_forecasts_of_zero_nearly_everywhere_are_a_problem_unless_meant(tmp_path, point, said):
    tables, tracking = MemoryTables(), Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    tables.write(["demo", "forecasts"], pd.DataFrame({"mean": [0.3] * 10, "q50": [0.0] * 10}), DAY)
    state = overview(
        Sources(declare(tmp_path, **point), tables, tracking, Clock(fixed=f"{NOW:%Y-%m-%d}"), Notifications())
    )
    assert any(one.startswith("the median is 0 in 100% of the forecasts") for one in state.problems) == said


@pytest.mark.parametrize(
    ("rain", "missing_future", "said"),
    [(None, "warn", True), ([1.0, float("nan")], "warn", True), ([1.0, 2.0], "warn", False), (None, "last", False)],
)
def test_known_covariates_that_are_missing_over_the_horizon_are_a_problem(tmp_path, rain, missing_future, said):
    tables, tracking = MemoryTables(), Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    seen, steps = pd.Timestamp(DAY).as_unit("us"), pd.date_range(DAY, periods=3, unit="us")[1:]
    row = {"item_id": ["a"], "timestamp": [seen], "target": [1.0], "rain": [0.5]}
    tables.write(["demo", "observations"], pd.DataFrame(row), DAY)
    tables.write(
        ["demo", "forecasts"], pd.DataFrame({"item_id": "a", "timestamp": steps, "mean": 1.0, "q50": 1.0}), DAY
    )
    if rain is not None:
        known = pd.DataFrame({"partition": DAY, "item_id": "a", "timestamp": steps, "rain": rain})
        tables.write(["demo", "future_covariates"], known, DAY)
    spec = declare(tmp_path, covariates={"known": ["rain"], "missing_future": missing_future})
    state = overview(Sources(spec, tables, tracking, Clock(fixed=f"{NOW:%Y-%m-%d}"), Notifications()))
    words = [one for one in state.problems if "known covariates are missing over the horizon: rain in" in one]
    assert bool(words) == said
    assert all(one.endswith("mlops-assets run demo") for one in words)


def test_an_outlier_is_one_of_all_that_a_forecast_looks_at(tmp_path):
    tables, tracking = MemoryTables(), Tracking(uri=f"sqlite:///{tmp_path}/none.db")
    days = pd.date_range(end=DAY, periods=150, unit="us")
    peaks = {*days[:5], days[-2]}
    for day in days:
        row = {"item_id": ["a"], "timestamp": [day], "target": [9000.0 if day in peaks else 100.0 + day.day]}
        tables.write(["demo", "observations"], pd.DataFrame(row), f"{day:%Y-%m-%d}")
    for kind, said in [("random_forest", True), ("theta", False)]:  # that looks back at 200 days
        spec = declare(tmp_path, model={"kind": kind})
        state = overview(Sources(spec, tables, tracking, Clock(fixed=f"{NOW:%Y-%m-%d}"), Notifications()))
        assert ("1 value is hardly true" in state.outliers) == said


def test_outliers_of_many_items_are_looked_for_a_shard_at_a_time(tmp_path, monkeypatch):
    tables, tracking, read = MemoryTables(), Tracking(uri=f"sqlite:///{tmp_path}/none.db"), []
    days = pd.date_range(end=DAY, periods=30, unit="us")
    for day in days:
        target = [9000.0 if item in "bd" and day == days[-2] else 100.0 + day.day for item in "abcd"]
        rows = pd.DataFrame({"item_id": list("abcd"), "timestamp": day, "target": target})
        tables.write(["demo", "observations"], rows, f"{day:%Y-%m-%d}")
    sources = Sources(declare(tmp_path), tables, tracking, Clock(fixed=f"{NOW:%Y-%m-%d}"), Notifications())
    whole = overview(sources).outliers
    assert whole.startswith("2 values are hardly true")
    monkeypatch.setattr("mlops_assets.report.state.shards", partial(shards, count=4))
    monkeypatch.setattr(
        "mlops_assets.report.state.outliers.outliers", lambda rows: read.append(len(rows)) or outliers(rows)
    )
    assert overview(sources).outliers == whole
    assert read == [len(days)] * 4


def test_before_anything_is_scored_the_backtest_is_shown_beside_seasonal_naive():
    tried = {"wql": 0.07, "naive_wql": 0.1, "mase": 0.8, "naive_mase": 1.0}
    first = replace(GOOD, accuracy=None, backtest=tried)
    words = "wQL 0.070 (seasonal naive 0.100), MASE 0.800 (seasonal naive 1.000); no forecast could be scored yet"
    assert dict(lines(first))["backtest"] == words
    assert [card.note for card in cards(first) if card.name in ("wQL", "MASE")] == [
        "of the backtest, nothing is scored yet; seasonal naive 0.100",
        "of the backtest, nothing is scored yet; seasonal naive 1.000",
    ]
    assert "backtest" not in dict(lines(replace(GOOD, backtest=tried)))
