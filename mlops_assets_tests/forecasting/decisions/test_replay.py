"""Policies that live through a year of drawn errors."""

from itertools import pairwise

import pandas as pd
import pytest

from mlops_assets.forecasting.decisions import policy, replay
from mlops_assets.forecasting.decisions.rules import PolicyRules
from mlops_assets_tests.drawn_errors import START, DrawnErrors

QUIET = {"regime": None, "drift": None, "outage": None, "broken": None, "shift": None}


def lived(year: DrawnErrors, **rules) -> replay.Play:
    made = [PolicyRules(**rules)]
    return replay.play(year, lambda evidence: policy.decide_all(evidence, made), "wql")


def days(play: replay.Play) -> list[int]:
    return [(pd.Timestamp(key) - START).days for key in play.retrainings["partition"]]


@pytest.fixture(scope="module", params=[0])
def year(request) -> DrawnErrors:
    return DrawnErrors(seed=request.param)


@pytest.fixture(scope="module")
def play(year) -> replay.Play:
    return lived(year)


def test_each_real_change_is_answered_in_time_and_the_incurable_one_given_up(year, play):
    when = days(play)
    assert any(80 + 2 <= day <= 80 + 7 for day in when), "the regime change, three breaches of five"
    assert any(140 < day <= 140 + 30 for day in when), "the drift, once it has reached a quarter"
    tail = play.days[play.days["partition"] > year.partitions[300]]
    assert 1 <= len([day for day in when if day >= 300]) <= 5
    assert set(tail["guard"].iloc[-30:]) <= {"futility", ""}
    assert tail["reason"].iloc[-30:].str.contains("have changed nothing \\(3 refused\\)").sum() > 15


def test_at_most_one_retraining_for_each_cool_down(play):
    when = days(play)
    assert all(later - earlier >= 5 for earlier, later in pairwise(when))
    assert not play.retrainings.duplicated(["breach", "attempt"]).any()


def test_an_outage_launches_nothing_while_it_lasts(play):
    out = play.days[play.days["partition"].between("2024-08-18", "2024-08-25")]
    assert set(out["action"]) == {"keep"}


def test_a_naive_sensor_launches_far_more_and_gains_little(year, play):
    naive = replay.play(year, replay.naive_threshold("wql", 1.25 * year.base), "wql").summary()
    never = replay.play(year, replay.never, "wql").summary()
    ours = play.summary()
    assert naive["retrainings"] >= 8 * ours["retrainings"]
    assert ours["mean"] < 1.1 * naive["mean"]
    assert ours["mean"] < 0.6 * never["mean"]


def test_a_year_without_a_change_launches_hardly_ever():
    assert lived(DrawnErrors(seed=3, days=200, **QUIET)).summary()["retrainings"] <= 1


def test_a_broken_day_alone_launches_nothing():
    assert lived(DrawnErrors(days=120, **{**QUIET, "broken": 60})).summary()["retrainings"] == 0


def test_thirty_bad_periods_that_never_get_better_are_three_launches_and_then_a_stop():
    bad = lived(DrawnErrors(days=60, **{**QUIET, "shift": 30}, noise=0.02))
    assert bad.summary()["retrainings"] == 3
    assert bad.summary()["promoted"] == 0
    stopped = bad.days[bad.days["guard"] == "futility"]
    assert len(stopped) > 5
    assert stopped["breach"].nunique() == 1, "one key, so one alert"


def test_always_counts_partitions():
    assert replay.play(DrawnErrors(days=30, **QUIET), replay.always(7), "wql").summary()["retrainings"] == 4
