"""Paired comparison of two models with a bootstrap interval."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.evaluation.compare import compare
from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.decisions.duels import TASK, model_rows


@pytest.mark.parametrize("metric", ["wql", "wape", "mase", "rmsse", "smape"])
def test_the_values_are_those_of_the_metric_and_a_model_equals_itself(metric):
    first, second = model_rows("a", 1, noise=0.1), model_rows("b", 2, noise=0.2)
    found = compare(first, second, TASK, metric)
    assert found.first == pytest.approx(score(first, TASK)[metric].iloc[0])
    assert found.second == pytest.approx(score(second, TASK)[metric].iloc[0])
    assert found.change == pytest.approx(found.first / found.second - 1)
    assert found.low < found.change < found.high < 0
    same = compare(first, first, TASK, metric)
    assert (same.change, same.low, same.high) == (0, 0, 0)


def test_only_rows_that_both_have_are_compared():
    first, second = model_rows("a", 1), model_rows("b", 2)
    cut = first["item_id"] != "item 0"
    worse = first.copy()
    worse.loc[~cut, ["mean", "q10", "q50", "q90"]] = 1e9
    second.loc[~cut, "q50"] = np.nan
    assert compare(worse, second, TASK, "wql") == compare(first[cut], second, TASK, "wql")
    assert compare(first[cut], second, TASK, "wql").rows == cut.sum()


def test_without_common_rows_everything_is_missing():
    rows = model_rows("a", 1)
    found = compare(rows.iloc[:0], rows, TASK, "wql")
    assert (found.rows, found.blocks) == (0, 0)
    assert np.isnan([found.first, found.second, found.change, found.low, found.high]).all()


def test_perfect_forecasts_and_zero_targets_have_answers():
    rows = model_rows("a", 1).assign(target=0.0)
    perfect = rows.assign(mean=0.0, q10=0.0, q50=0.0, q90=0.0)
    assert compare(perfect, perfect, TASK, "wql").change == 0
    assert compare(rows, perfect, TASK, "wql").change == np.inf
    assert compare(perfect, rows, TASK, "wql").change == -1


@given(st.permutations(range(40)), st.integers(0, 5))
@settings(max_examples=10, deadline=None)
def test_the_order_of_the_rows_does_not_matter(order, seed):
    first, second = model_rows("a", 1).head(40), model_rows("b", 2).head(40)
    found = compare(first.iloc[list(order)], second, TASK, "wql", seed=seed)
    assert found == compare(first, second, TASK, "wql", seed=seed)


def test_many_blocks_are_bounded_and_the_total_is_kept():
    task = Task("D", 1, (7,))
    count = 5000
    rows = pd.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(count)],
            "origin": pd.Timestamp("2024-01-01"),
            "timestamp": pd.Timestamp("2024-01-02"),
            "target": 1.0 + np.arange(count) % 7,
            "mase_scale": 1.0,
            "rmsse_scale": 1.0,
        }
    )
    given_ = {"mean": 3.0, "q10": 1.0, "q50": 3.0, "q90": 5.0}
    first, second = rows.assign(**given_), rows.assign(**{**given_, "q50": 4.0})
    found = compare(first, second, task, "wql")
    assert found.blocks == count
    assert found.first == pytest.approx(score(first, task)["wql"].iloc[0])
