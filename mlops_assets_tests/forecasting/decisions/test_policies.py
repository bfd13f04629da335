"""Several retraining policies together: who goes first, who waits, and what they may spend."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.decisions import policy, replay
from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.policy import Answer, decide_all
from mlops_assets.forecasting.decisions.rules import KEEP_ASIDE, REPLACE, PolicyRules
from mlops_assets_tests.drawn_errors import START, DrawnErrors

MONDAYS = PolicyRules(name="monday", relative=None, scheduled=True, cool_down=0, minimum_new=1)
ERRORS = PolicyRules(name="errors", breaches=2, window=3, ladder=("grow", "refit"))
BIASED = PolicyRules(name="biased", relative=None, bias=0.2, breaches=2, window=3)
OLD = PolicyRules(name="old", relative=None, max_age_days=20, ladder=("theta",), becomes=KEEP_ASIDE)


def on_mondays(policies: Sequence[PolicyRules]) -> replay.Policies:
    """Ask the policies, with the Monday of the week at the end of a day."""

    def decide(evidence: Evidence) -> tuple[Answer, ...]:
        assert evidence.until is not None
        monday = evidence.until.normalize() - pd.Timedelta(days=evidence.until.dayofweek)
        return decide_all(replace(evidence, ticks={"monday": monday} if monday >= START else {}), policies)

    return decide


def lived(policies: Sequence[PolicyRules], **year: Any) -> replay.Play:
    return replay.play(DrawnErrors(**year), on_mondays(policies), "wql")


QUIET = {"regime": None, "drift": None, "outage": None, "broken": None, "shift": None}
POLICIES = st.lists(
    st.sampled_from([MONDAYS, ERRORS, BIASED, OLD, PolicyRules()]), min_size=1, unique_by=lambda r: r.name
)


@given(POLICIES, st.integers(0, 5), st.integers(1, 3))
@settings(max_examples=8, deadline=None)
def test_one_launch_for_a_partition_by_the_first_that_may_and_within_the_budget(policies, seed, budget):
    policies = [replace(rules, budget=budget, budget_window=20) for rules in policies]
    played = lived(policies, seed=seed, days=60, regime=20, drift=(30, 40), outage=(45, 48))
    answers, order = played.answers, [rules.name for rules in policies]
    asked = answers[~answers["action"].isin(["keep", "refresh"])]
    assert not asked.duplicated("at").any(), "never two launches for one partition"
    assert not asked.duplicated(["breach", "attempt"]).any()
    for _, said in answers.groupby("at"):
        assert said["policy"].tolist() == order
        free = said[said["breach"].ne("") & said["guard"].isin(["", "waits"])]
        assert free["guard"].tolist()[:1] in ([], [""]), "of those whom nothing else holds back the first launches"
    days = played.days.set_index("partition")
    spent = days["rule"].ne("schedule") & ~days["action"].isin(["keep", "refresh"])
    stored = spent[days["reason"] != "no observations have come in"]
    assert stored.rolling(20, min_periods=1).sum().max() <= budget


def test_a_schedule_launches_each_week_and_holds_the_others_back_only_on_its_day():
    alone = lived([MONDAYS], days=60, **QUIET)
    assert alone.retrainings["breach"].tolist()[:2] == [
        "schedule 2024-01-08 00:00 (monday)",
        "schedule 2024-01-15 00:00 (monday)",
    ]
    assert len(alone.retrainings) == 8
    eager = replace(ERRORS, cool_down=0, minimum_new=1, futility=99, budget=99)
    both = lived([MONDAYS, eager], days=40, **{**QUIET, "shift": 20})
    assert set(both.retrainings["policy"]) == {"monday", "errors"}
    waited = both.answers[both.answers["guard"] == "waits"]
    assert set(waited["policy"]) == {"errors"}
    assert waited["reason"].str.startswith("waits for the policy monday, which comes before it. What asks").all()


def evidence(*at: str, tick: str, **changes: Any) -> Evidence:
    """What was asked on some days, on the evening of the last of ten."""
    days = [f"2024-03-{day:02}" for day in range(1, 11)]
    log = pd.DataFrame([{"policy": "monday", "at": pd.Timestamp(day), "breach": "", "rule": ""} for day in at])
    known = {"log": log} if len(log) else {}
    champion = Champion(1, pd.Timestamp("2024-03-01"))
    return Evidence(
        champion, days, pd.Timestamp("2024-03-11"), ticks={"monday": pd.Timestamp(tick)}, **known, **changes
    )


def launch(breach: str, partition: str, result: str, name: str = "monday") -> pd.DataFrame:
    row = {"breach": breach, "attempt": 1, "partition": partition, "champion": 1, "result": result, "policy": name}
    return pd.DataFrame([row])


TICK = "schedule 2024-03-04 06:00 (monday)"


def test_a_tick_is_made_up_for_once_and_none_that_came_before_the_policy():
    (new,) = decide_all(evidence(tick="2024-03-04 06:00"), [MONDAYS])
    assert (new.action, new.reason) == ("refresh", "its schedule has not ticked yet")
    assert not decide_all(evidence("2024-03-05", tick="2024-03-04 06:00"), [MONDAYS])[0].retrain
    (late,) = decide_all(evidence("2024-03-02", "2024-03-10", tick="2024-03-04 06:00"), [MONDAYS])
    assert (late.action, late.breach, late.attempt) == ("refit", TICK, 1)
    done = launch(TICK, "2024-03-10", "refused")
    assert not decide_all(evidence("2024-03-02", tick="2024-03-04 06:00", launches=done), [MONDAYS])[0].retrain


def test_a_tick_whose_run_failed_is_tried_again_when_the_next_partition_has_come():
    failed = launch(TICK, "2024-03-10", "failed")
    (same,) = decide_all(evidence("2024-03-02", tick="2024-03-04 06:00", launches=failed), [MONDAYS])
    assert same.guard == "minimum_new"
    failed = launch(TICK, "2024-03-09", "failed")
    (again,) = decide_all(evidence("2024-03-02", tick="2024-03-04 06:00", launches=failed), [MONDAYS])
    assert (again.retrain, again.attempt) == (True, 2)


def test_what_is_kept_aside_is_kept_once_for_its_breach():
    played = lived([OLD], days=100, **QUIET)
    assert played.retrainings["breach"].tolist() == [f"v1 age {times} × 20 days (old)" for times in (1, 2, 3, 4, 5)]
    assert set(played.retrainings["becomes"]) == {KEEP_ASIDE}
    assert set(played.retrainings["action"]) == {"theta"}
    assert set(played.days["champion"]) <= {0, 1}


def test_what_replaces_the_champion_does_so_without_being_better():
    played = lived([replace(MONDAYS, becomes=REPLACE)], days=30, **QUIET)
    assert played.retrainings["promoted"].all()


@pytest.mark.parametrize("bias", [0.5, -0.5])
def test_a_bias_counts_on_either_side(bias):
    days = ["2024-03-08", "2024-03-09", "2024-03-10"]
    accuracy = pd.DataFrame({"partition": days, "model_version": 1, "rows": 9, "wql": 0.1, "bias": bias})
    (answer,) = decide_all(evidence(tick="2024-03-04", accuracy=accuracy), [BIASED])
    assert (answer.rule, answer.breach) == ("bias", "v1 2024-03-08 (biased)")


def test_launches_of_release_0_1_0_count_for_retraining_and_those_of_no_policy_for_all():
    rules = PolicyRules(breaches=2, window=3)
    days = ["2024-03-08", "2024-03-09", "2024-03-10"]
    accuracy = pd.DataFrame({"partition": days, "model_version": 1, "rows": 9, "wql": 9.0})
    champion = Champion(1, pd.Timestamp("2024-03-01"), {"wql": 0.1})
    made = replace(evidence(tick="2024-03-04", accuracy=accuracy), champion=champion)
    for name, guards in (("retraining", ["cool_down", ""]), ("", ["cool_down", "cool_down"])):
        before = launch("spec 1234 after version 1", "2024-03-07", "refused", name)
        said = decide_all(replace(made, launches=before), [rules, ERRORS])
        assert [answer.guard for answer in said] == guards
    assert policy.leading(said).policy == "retraining"
