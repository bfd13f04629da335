"""The retraining policy: when accuracy asks for a new model, and why not."""

import math
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.policy import RetrainingDecision, decide


def history(*scores: Any, rows: list[int] | None = None) -> pd.DataFrame:
    keys = [f"2024-03-{number:02}" for number in range(1, len(scores) + 1)]
    return pd.DataFrame({"partition": keys, "rows": rows or [10] * len(scores), "wql": list(scores)})


def judge(*scores: Any, rows: list[int] | None = None, breaches: int = 2, window: int = 3) -> RetrainingDecision:
    return decide(history(*scores, rows=rows), "wql", 0.5, breaches, window)


def test_enough_breaches_with_the_latest_among_them():
    assert judge(0.1, 0.6, 0.1, 0.7) == RetrainingDecision(
        True, "2024-03-04", "wql of 2024-03-04 is 0.7000; 2 of the last 3 partitions above 0.5 (2 of 3 are needed)"
    )


def test_a_good_latest_partition_is_no_reason():
    assert judge(0.6, 0.6, 0.5) == RetrainingDecision(
        False,
        "2024-03-03",
        "wql of 2024-03-03 is 0.5000, within 0.5; 2 of the last 3 partitions above 0.5 (2 of 3 are needed)",
    )


def test_a_single_bad_partition_is_no_reason():
    assert judge(0.6, 0.1, 0.1, 0.6) == RetrainingDecision(
        False,
        "2024-03-04",
        "wql of 2024-03-04 is 0.6000, above 0.5, but only 1 of the last 3 partitions above 0.5 (2 of 3 are needed)",
    )


def test_fewer_partitions_than_the_window():
    assert not judge(0.6).retrain
    assert judge(0.6, 0.6).retrain
    assert "2 of the last 2 partitions" in judge(0.6, 0.6).reason
    assert judge(0.6, breaches=1, window=1).retrain


def test_partitions_without_a_score_are_passed_over():
    assert judge(0.6, math.nan, 0.6).partition == "2024-03-03"
    assert judge(0.6, 0.6, math.nan) == judge(0.6, 0.6)
    assert judge(0.6, 0.6, None) == judge(0.6, 0.6)
    assert judge(0.6, 0.6, 0.1, rows=[10, 10, 0]) == judge(0.6, 0.6)


def test_an_infinite_error_is_a_breach():
    assert judge(0.6, math.inf).retrain


@pytest.mark.parametrize(
    "scores",
    [
        history(),
        history(math.nan, math.nan),
        history(0.6, 0.6, rows=[0, 0]),
        pd.DataFrame(columns=["partition", "rows", "wql"]),
    ],
)
def test_nothing_scored_yet(scores):
    assert decide(scores, "wql", 0.5) == RetrainingDecision(False, None, "no forecast has been scored yet")


def test_no_threshold_no_retraining():
    decision = decide(history(9.0, 9.0), "wql", None, 1, 1)
    assert decision == RetrainingDecision(
        False, None, "retraining.threshold is not set, so accuracy never asks for a retraining"
    )


SCORES = st.lists(st.floats(0, 1) | st.just(math.nan), max_size=9)


@given(SCORES, st.integers(1, 4), st.integers(0, 3), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_rule_in_one_line_whatever_the_order_of_the_rows(scores, breaches, more, random):
    window = breaches + more
    shuffled = history(*scores).iloc[random.sample(range(len(scores)), len(scores))]
    known = [score for score in scores if not math.isnan(score)]
    expected = bool(known) and known[-1] > 0.5 and sum(score > 0.5 for score in known[-window:]) >= breaches
    assert decide(shuffled, "wql", 0.5, breaches, window).retrain == expected
