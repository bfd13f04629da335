"""Whatever the number of shards, what is learnt from, the model, its backtest and how it is judged are equal."""

from dataclasses import replace

import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE
from mlops_assets.forecasting.model import kinds, model_file
from mlops_assets.forecasting.model.task import Task
from mlops_assets.scale.engine import Engine
from mlops_assets.stages import backtest, judge, register, train
from mlops_assets.stages.shards import learning
from mlops_assets.stages.shards.history import Histories
from mlops_assets_tests.stages.shards.panels import Panel, example, intermittent


@pytest.fixture(scope="module", params=["example", "intermittent"])
def panel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return example() if request.param == "example" else intermittent(tmp_path_factory.mktemp("shards"))


def histories(panel: Panel, count: int) -> Histories:
    observations = panel.table("observations", panel.tables.partitions(panel.stored("observations")))
    return Histories(panel.graph, Engine.local(), observations, count)


def task_of(panel: Panel, recency: float | None = None, most: int = 900) -> Task:
    task = panel.spec.task
    return replace(task, model=replace(task.model, recency=recency, max_training_rows=most))


@pytest.mark.parametrize(("count", "recency", "most", "last"), [(3, None, 100_000, None), (17, 20.0, 7, 3)])
def test_the_training_set_does_not_know_shards(panel, count, recency, most, last):
    task, key = task_of(panel, recency, most), None if last is None else panel.keys[last]
    whole = learning.training_set(panel.graph, histories(panel, 1), key, task)
    assert 0 < len(whole.rows) <= most
    found = learning.training_set(panel.graph, histories(panel, count), key, task)
    pd.testing.assert_frame_equal(found.rows, whole.rows, check_exact=True)
    assert train.data_hash(found.rows) == train.data_hash(whole.rows)
    assert (found.observations, found.odd.facts()) == (whole.observations, whole.odd.facts())


def test_models_and_backtest_do_not_know_shards(panel):
    task = task_of(panel)
    champion = replace(task, static=(), past=())

    def made(count: int) -> tuple[list[bytes], pd.DataFrame, dict[str, float]]:
        items = histories(panel, count)
        until = pd.Timestamp(panel.keys[-1])
        origins = [until - pd.Timedelta(days=task.horizon * back) for back in (3, 2, 1)]
        drawings = [learning.Drawing(one, items.last(origin)) for one in (task, champion) for origin in origins]
        with items.kept():
            models = [backtest.portable(kinds.fit(rows, task)) for rows in learning.rows_of(items, drawings)]
            rival = backtest.Champion(4, {0: None, 1: models[4], 2: panel.model})
            windows = backtest.Windows(task, until, origins, models[:3], rival)
            parts = list(items.each(backtest.forecast, windows))
        assert not [part.problem for part in parts if part.problem]
        rows = pd.concat([part.rows for part in parts if len(part.rows)], ignore_index=True)
        return [model_file.dumps(model.state) for model in models], rows, parts[0].seconds

    files, rows, seconds = made(1)
    assert {*rows["model"]} == {CHALLENGER, NAIVE, CHAMPION}
    assert rows["window"].nunique() == 3
    assert {*seconds} == {CHALLENGER, NAIVE}
    assert rows["item_id"].is_monotonic_increasing
    others, found, _ = made(panel.count)
    assert others == files
    pd.testing.assert_frame_equal(found, rows, check_exact=True)


def test_trial_segments_and_pictured_items_do_not_know_shards(panel):
    origin = pd.Timestamp(panel.keys[0])
    trials, segments, largest = [], [], []
    for count in (1, 3):
        items = histories(panel, count)
        tried = items.seen_from(origin).each(judge._tried, panel.model, origin)
        trials.append(judge.gate.SmokeTest.joined([replace(one, seconds=0.0) for one in tried], 1.0))
        found = judge._segments(items, panel.spec.covariates.static)
        assert found is not None
        segments.append(found.sort_values(["by", "item_id"], ignore_index=True))
        largest.append(register.largest(items, origin))
    assert trials[0].made == trials[0].rows > 0
    assert trials[0] == trials[1]
    pd.testing.assert_frame_equal(*segments)
    pd.testing.assert_frame_equal(*largest)
