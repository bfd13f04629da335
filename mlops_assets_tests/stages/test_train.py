"""Training: which rows are learnt from, what is said of the model, and when there is nothing to learn."""

import logging
from dataclasses import replace

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.errors import DataError
from mlops_assets.forecasting.decisions.gate import GateRules, SmokeTest, judge
from mlops_assets.forecasting.evaluation.backtest import backtest
from mlops_assets.forecasting.model import kinds
from mlops_assets.resources import meter
from mlops_assets.stages import train
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel
from mlops_assets_tests.worlds import declare, panel


@pytest.fixture
def graph(tmp_path) -> Graph:
    return Graph(declare(tmp_path))


@pytest.fixture
def history() -> pd.DataFrame:
    return panel().rename(columns={"day": "timestamp", "shop": "item_id", "sales": "target"})


def test_nothing_after_the_last_partition_is_learnt_from(graph, history):
    rows = train.training_set(graph, history, "2024-05-10")
    assert rows["timestamp"].max() == pd.Timestamp("2024-05-10")
    assert train.training_set(graph, history, None)["timestamp"].max() == history["timestamp"].max()


def test_too_little_history_is_said(graph, history):
    with pytest.raises(DataError, match="nothing to learn from"):
        train.training_set(graph, history[history["timestamp"] == history["timestamp"].min()], None)


def test_absent_rows_are_zero_only_where_the_spec_says_so(graph, history, tmp_path):
    holes = history.drop(history.index[5:9])
    assert train.history_of(graph.spec, holes) is holes
    filled = train.history_of(declare(tmp_path / "zero", fill="zero"), holes)
    assert len(filled) == len(history)
    assert (filled["target"] == 0).sum() == 4


def test_the_facts_of_a_fit_name_its_data_and_how_it_was_made(graph, history):
    rows = train.training_set(graph, history, "2024-04-20")
    forecaster, facts = train.fit(rows, train.Fitting(graph.spec.task))
    assert facts["action"] == "refit"
    assert facts["training_rows"] == len(rows)
    assert facts["data_version"] == train.data_hash(rows)
    later = train.training_set(graph, history, "2024-05-10")
    growing = train.Fitting(graph.spec.task, forecaster, 3, pd.Timestamp(facts["trained_until"]))
    with meter.metering() as spent:
        assert train.fit(later, replace(growing, spared=900))[1]["action"] == "grow from version 3"
    assert 0 < spent.saved_seconds <= 900
    assert not growing.renews(rows), "it knows them already"


def test_new_weights_renew_an_ensemble_and_say_why(history, tmp_path):
    kind = "mlops_assets_tests.forecasting.model.kinds.simple"
    model = {"kind": "ensemble", "members": [f"{kind}.High", f"{kind}.Low"]}
    graph = Graph(declare(tmp_path, model=model))
    forecaster, facts = train.fit(train.training_set(graph, history, "2024-04-20"), train.Fitting(graph.spec.task))
    assert " High" in facts["choice"].replace(f"{kind}.", " ")
    until = pd.Timestamp(facts["trained_until"])
    later = train.training_set(graph, history, "2024-05-10")
    renewed, told = train.fit(later, train.Fitting(graph.spec.task, forecaster, 3, until, "reweigh"))
    assert told["action"] == "reweigh from version 3"
    assert vars(renewed)["members"] == vars(forecaster)["members"]
    growing = train.Fitting(graph.spec.task, forecaster, 3, until, "grow")
    assert train.fit(later, growing)[1]["action"] == "refit", "no forest"


def test_a_strategy_that_is_another_kind_trains_that_kind_and_says_so(history, tmp_path):
    settings = {"kind": "extra_trees", "parameters": {"n_estimators": 5, "n_jobs": 1}, "max_training_rows": 500}
    policies = [{"name": "other", "trigger": {"schedule": "0 6 * * 1"}, "strategy": ["refit", settings]}]
    spec = declare(tmp_path, policies=policies)
    run = dg.DagsterRun("demo_retrain", tags={"mlops/policy": "other", "mlops/action": "extra_trees"})
    task = train.task_of(run, spec)
    assert (task.model.kind, task.model.parameters["n_estimators"]) == ("extra_trees", 5)
    for other in ({"mlops/policy": "gone", "mlops/action": "extra_trees"}, {"mlops/policy": "other"}, {}):
        assert train.task_of(dg.DagsterRun("demo_retrain", tags=other), spec) == spec.task
    fitting = train.fitting_of(run, None, spec, task, logging.getLogger())
    made, facts = train.fit(train.training_set(Graph(spec), history, "2024-04-20", task), fitting)
    assert made.task.model.kind == "extra_trees"
    assert facts["action"].startswith("refit with kind: extra_trees, parameters: {'n_estimators': 5")


def test_settings_are_searched_within_the_minutes_and_the_present_ones_stay_if_nothing_is_better(history, world):
    pytest.importorskip("optuna", reason="the extra `tune` is not installed")
    made = world()
    made.tables.write(["demo", "observations"], history[history["timestamp"] <= "2024-05-10"], "2024-05-10")
    task = train.tuned(made.spec, made.tables, made.tracking, 1e-9, logging.getLogger())
    assert task == made.spec.task


def test_the_hash_of_the_data_tells_values_names_and_order_apart(history):
    first = train.data_hash(history)
    assert first == train.data_hash(history.copy())
    assert first != train.data_hash(history.iloc[::-1])
    assert first != train.data_hash(history.rename(columns={"rain": "snow"}))
    assert first != train.data_hash(history.assign(rain=history["rain"] + 1e-12))


def slipped(frame: pd.DataFrame, *back: int) -> pd.DataFrame:
    """Item 1 with values times 1,000, so many days before the end."""
    wrong = (frame["item_id"] == "item 1") & ((frame["timestamp"].max() - frame["timestamp"]).dt.days.isin(back))
    assert wrong.sum() == len(back)
    return frame.assign(target=frame["target"].mask(wrong, 1000 * frame["target"]))


def shortened(frame: pd.DataFrame, days: int) -> pd.DataFrame:
    """Item 1 as if it were new."""
    old = frame["timestamp"] <= frame["timestamp"].max() - pd.Timedelta(days=days)
    return frame[(frame["item_id"] != "item 1") | ~old]


def means(frame: pd.DataFrame) -> pd.Series:
    """Mean forecast of each item."""
    return kinds.fit(kinds.rows(frame, DAILY), DAILY).predict(frame).groupby("item_id")["mean"].mean()


@pytest.mark.parametrize(
    ("back", "days"), [((100,), 150), ((0,), 150), ((3, 30, 60), 150), ((3,), 10), ((3,), 4)], ids=str
)
def test_values_times_1000_hardly_move_the_means(tmp_path, back, days):
    frame = shortened(daily_panel(items=3), days)
    moved = means(train.history_of(declare(tmp_path), slipped(frame, *back))) / means(frame)
    assert moved["item 1"] == pytest.approx(1, abs=0.4)
    assert moved.drop("item 1").to_numpy() == pytest.approx(1, abs=0.05)


def seldom(frame: pd.DataFrame) -> pd.DataFrame:
    """Item 1 as if it sold once in nine days, on its last day among others."""
    idle = (frame["item_id"] == "item 1") & ((frame["timestamp"].max() - frame["timestamp"]).dt.days % 9 > 0)
    return frame.assign(target=frame["target"].mask(idle, 0.0))


@pytest.mark.parametrize(
    ("back", "frame"),
    [
        *((back, daily_panel(items=3)) for back in (0, 5, 100)),
        *((back, seldom(daily_panel(items=3))) for back in (0, 9, 99)),
        *((back, shortened(daily_panel(items=3), 8)) for back in (0, 5)),
    ],
    ids=[
        f"{name} {back}"
        for name, days in [("whole", (0, 5, 100)), ("seldom", (0, 9, 99)), ("short", (0, 5))]
        for back in days
    ],
)
def test_one_that_is_kept_moves_no_mean_tenfold(tmp_path, back, frame):
    kept = train.history_of(declare(tmp_path, outliers="keep"), slipped(frame, back))
    assert (kept["target"].to_numpy() != frame["target"].to_numpy()).sum() == 1
    usual = frame["target"].abs().groupby(frame["item_id"]).mean()
    before, after = means(frame), means(kept)
    assert (after.abs() < 10 * np.maximum(before.abs(), usual)).all()
    assert (after > before / 10 - usual).all()


@pytest.mark.parametrize("metric", ["mase", "wql"])
@pytest.mark.parametrize("back", [5, 40], ids=["scored", "learnt"])
def test_a_value_times_1000_leaves_the_bar_of_the_gate_where_it_is(tmp_path, back, metric):
    def bar(frame: pd.DataFrame) -> float:
        rows = backtest(train.history_of(declare(tmp_path), frame), DAILY, 1).predictions
        rules = judge(rows, DAILY, GateRules(metric=metric), smoke_test=SmokeTest(None)).rules
        return next(rule for rule in rules if rule.name == "better_than_naive").numbers["second"]

    frame = daily_panel(items=3)
    assert bar(slipped(frame, back)) == pytest.approx(bar(frame), rel=0.05)
