"""The retraining policy: what asks for a new model, what holds it back, and in which words."""

import math
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.policy import Answer, as_row, decide
from mlops_assets.forecasting.decisions.rules import GROW, KEEP, REFIT, REFRESH, PolicyRules

DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-03-01", periods=40)]
CHAMPION = Champion(1, pd.Timestamp("2024-03-01"), {"wql": 0.4})  # its limit is 1.25 × 0.4 = 0.5
RULES = PolicyRules(breaches=2, window=3, minimum_new=1)


def scores(*values: Any, version: int = 1, rows: list[int] | None = None, **columns: list[Any]) -> pd.DataFrame:
    """Scores of consecutive days from the second of March on."""
    return pd.DataFrame(
        {
            "partition": DAYS[1 : len(values) + 1],
            "model_version": version,
            "rows": rows or [10] * len(values),
            "wql": list(values),
            **columns,
        }
    )


def evidence(accuracy: pd.DataFrame, **changes: Any) -> Evidence:
    last = len(accuracy) and max(accuracy["partition"])
    stored = [day for day in DAYS if not last or day <= last]
    until = pd.Timestamp(stored[-1]) + pd.Timedelta(days=1)
    return Evidence(**{"champion": CHAMPION, "stored": stored, "until": until, "accuracy": accuracy, **changes})


def judge(*values: Any, rules: PolicyRules = RULES, **changes: Any) -> Answer:
    return decide(evidence(scores(*values), **changes), rules)


def launch(attempt: int, partition: str, result: str = "refused", breach: str = "v1 2024-03-02", champion: int = 1):
    return {"breach": breach, "attempt": attempt, "partition": partition, "champion": champion, "result": result}


def launches(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def test_enough_breaches_with_the_latest_among_them():
    answer = judge(0.1, 0.6, 0.1, 0.7)
    assert (answer.action, answer.rule, answer.guard) == (REFIT, "relative", "")
    assert (answer.breach, answer.attempt) == ("v1 2024-03-03", 1)
    assert answer.reason == (
        "wql 0.7000 of 2024-03-05 is above 0.5000 (1.25 × its backtest's 0.4000); "
        "2 of the last 3 partitions are, 2 of 3 are needed; refit, try 1 on this breach, on data up to 2024-03-05"
    )


@pytest.mark.parametrize("values", [(0.6, 0.6, 0.5), (0.6, 0.1, 0.1, 0.6), (0.6,), (0.1,)])
def test_a_single_bad_partition_or_a_good_latest_one_is_no_reason(values):
    answer = judge(*values)
    assert (answer.action, answer.rule, answer.breach) == (REFRESH, "", "")
    assert "2 of 3 are needed" in answer.reason


def test_partitions_without_a_score_are_passed_over():
    for accuracy in (scores(0.6, math.nan, 0.6), scores(0.6, None, 0.6)):
        assert decide(evidence(accuracy), RULES).retrain
    assert decide(evidence(scores(0.6, 0.6, math.nan)), RULES).partition == "2024-03-03"


def test_a_partition_with_few_matured_rows_does_not_vote():
    young = scores(0.1, 0.9, 0.9, rows=[100, 49, 49])
    assert not decide(evidence(young), RULES).retrain
    assert decide(evidence(young), replace(RULES, matured=0.4)).retrain


def test_only_forecasts_of_the_present_champion_vote():
    before = pd.concat([scores(9.0, 9.0, 9.0), scores(0.1, 0.1, 0.1, version=2)])
    assert decide(evidence(before), RULES).retrain
    second = replace(CHAMPION, version=2)
    assert not decide(evidence(before, champion=second), RULES).retrain


def test_an_absolute_threshold_and_a_champion_without_a_backtest():
    bare = replace(CHAMPION, backtest={})
    assert "has no wql to compare with" in judge(9.0, 9.0, champion=bare).reason
    answer = judge(9.0, 9.0, champion=bare, rules=replace(RULES, threshold=1.0))
    assert answer.rule == "threshold"
    assert answer.retrain


def test_no_rule_is_said():
    assert judge(9.0, 9.0, rules=replace(RULES, relative=None)).reason == "no rule is set"


def test_skill_and_coverage_have_rules_of_their_own():
    poor = scores(0.1, 0.1, skill=[-0.2, -0.1], coverage=[0.5, 0.4])
    assert decide(evidence(poor), replace(RULES, skill=0.0)).rule == "skill"
    answer = decide(evidence(poor), replace(RULES, coverage=(0.6, 0.95)))
    assert answer.rule == "coverage"
    assert "coverage 0.4000 of 2024-03-03 is outside 0.6 to 0.95" in answer.reason
    assert not decide(evidence(poor), replace(RULES, skill=-0.5, coverage=(0.3, 1.0))).retrain


def test_bias_is_a_breach_on_one_side_only_and_comes_before_other_rules():
    rules = replace(RULES, bias=0.1)
    low = decide(evidence(scores(0.9, 0.9, 0.9, bias=[0.2, -0.15, -0.2])), rules)
    assert (low.rule, low.breach) == ("bias", "v1 2024-03-03")
    assert low.reason.startswith("bias -0.2000 of 2024-03-04 is below -0.1; 2 of the last 3 partitions are")
    assert "wql 0.9000" in low.reason
    swinging = scores(0.1, 0.1, 0.1, bias=[-0.3, 0.2, -0.05])
    assert not decide(evidence(swinging), rules).retrain
    assert "bias: no forecast" in decide(evidence(scores(0.1, 0.1)), rules).reason


def test_drift_counts_from_the_champions_training_on_and_is_off_by_default():
    drift = pd.DataFrame({"partition": DAYS[:5], "drift": 0.9})
    assert not judge(0.1, 0.1, drift=drift).retrain
    rules = replace(RULES, drift=0.2)
    assert judge(0.1, 0.1, drift=drift, rules=rules).rule == "drift"
    late = replace(CHAMPION, trained_until=pd.Timestamp("2024-03-04"))
    assert not judge(0.1, 0.1, 0.1, 0.1, drift=drift, rules=rules, champion=late).retrain
    assert not judge(0.1, 0.1, rules=rules).retrain, "nobody has measured drift"


def test_age_asks_again_at_each_multiple_and_not_before():
    rules = replace(RULES, max_age_days=10)
    assert not judge(*[0.1] * 8, rules=rules).retrain
    first = judge(*[0.1] * 10, rules=rules)
    assert (first.rule, first.breach) == ("age", "v1 age 1 × 10 days")
    gone = launches(*(launch(number, DAYS[9 + number], breach=first.breach) for number in (1, 2, 3)))
    assert judge(*[0.1] * 18, rules=rules, launches=gone).guard == "futility"
    assert judge(*[0.1] * 39, rules=rules, launches=gone).breach == "v1 age 4 × 10 days"


def test_enough_new_observations_are_a_reason():
    rules = replace(RULES, new_rows=1000)
    assert not judge(0.1, rules=rules, new_rows=999).retrain
    answer = judge(0.1, rules=rules, new_rows=2500)
    assert (answer.rule, answer.breach) == ("new_rows", "v1 new rows 2 × 1000")
    assert not judge(0.1, rules=rules).retrain, "nobody has counted"


def test_without_a_champion_or_without_news_nothing_is_done():
    assert judge(9.0, 9.0, champion=None).action == KEEP
    fresh = replace(CHAMPION, trained_until=pd.Timestamp("2024-03-03"))
    assert judge(0.1, 0.1, champion=fresh).action == KEEP
    assert judge(0.1, 0.1, 0.1, champion=fresh).action == REFRESH


def test_a_breach_keeps_its_name_until_a_whole_window_was_good():
    log: list[dict[str, Any]] = []
    values: list[float] = []
    for value in (0.6, 0.6, 0.6, 0.6, 0.1, 0.6):
        values.append(value)
        made = evidence(scores(*values), **({"log": pd.DataFrame(log)} if log else {}))
        log.append(as_row(decide(made, RULES), CHAMPION))
    assert [row["breach"] for row in log] == ["", *["v1 2024-03-02"] * 3, "", "v1 2024-03-02"]
    for value in (0.1, 0.1, 0.1, 0.6, 0.6):
        values.append(value)
        log.append(as_row(decide(evidence(scores(*values), log=pd.DataFrame(log)), RULES), CHAMPION))
    assert log[-1]["breach"] == "v1 2024-03-11"


def test_a_breach_that_is_much_worse_than_at_its_last_try_is_another_one():
    log = _log("v1 2024-03-02", DAYS[6])
    assert judge(*[0.6] * 5, 0.85, 0.85, 0.85, log=log).breach == "v1 2024-03-02"
    assert judge(*[0.6] * 5, 0.95, 0.95, log=log).breach == "v1 2024-03-08"


def test_a_launch_under_way_or_a_challenger_that_waits_for_a_person_holds_back():
    run = launches(launch(1, DAYS[3], "under way"))
    assert judge(*[0.6] * 9, launches=run).guard == "under_way"
    asked = launches(launch(1, DAYS[3], "awaiting approval"))
    answer = judge(*[0.6] * 9, launches=asked)
    assert (answer.action, answer.guard) == (REFRESH, "approval")
    assert "awaits approval" in answer.reason


def test_cool_down_doubles_with_each_try_that_changed_nothing():
    rules = replace(RULES, cool_down=4)
    one = launches(launch(1, DAYS[3]))
    assert judge(*[0.6] * 6, rules=rules, launches=one).guard == "cool_down"
    log = _log("v1 2024-03-02", DAYS[6])
    assert judge(*[0.6] * 7, rules=rules, launches=one, log=log).attempt == 2
    two = launches(launch(1, DAYS[3]), launch(2, DAYS[7], "failed"))
    assert judge(*[0.6] * 14, rules=rules, launches=two).guard == "cool_down"
    answer = judge(*[0.6] * 15, rules=rules, launches=two, log=_log("v1 2024-03-02", DAYS[14]))
    assert (answer.action, answer.attempt) == (REFIT, 3)
    promoted = launches(launch(1, DAYS[3], "promoted", champion=1))
    assert judge(*[0.6] * 7, rules=rules, launches=promoted, champion=replace(CHAMPION, version=1)).retrain


def test_futility_stops_it_and_a_new_champion_starts_afresh():
    rules = replace(RULES, cool_down=1)
    three = launches(
        *(launch(number, DAYS[number], result) for number, result in [(1, "refused"), (2, "failed"), (3, "refused")])
    )
    answer = judge(*[0.6] * 30, rules=rules, launches=three, log=_log("v1 2024-03-02", DAYS[29]))
    assert (answer.action, answer.guard) == (REFRESH, "futility")
    assert "3 tries on the breach v1 2024-03-02 have changed nothing (1 failed, 2 refused)" in answer.reason
    second = replace(CHAMPION, version=2)
    bad = pd.concat([scores(*[0.1] * 20), scores(*[0.6] * 30, version=2)])
    assert decide(evidence(bad, champion=second, launches=three), rules).retrain


def _log(breach: str, partition: str) -> pd.DataFrame:
    row = {"partition": partition, "champion": 1, "action": "refit", "rule": "relative", "breach": breach, "level": 0.6}
    return pd.DataFrame([row])


def test_so_many_retrainings_in_a_window_and_no_more():
    rules = replace(RULES, cool_down=1, budget=2, budget_window=10, futility=9)
    two = launches(*(launch(1, DAYS[day], breach=f"v1 {DAYS[day]}", result="promoted", champion=0) for day in (20, 24)))
    assert judge(*[0.6] * 29, rules=rules, launches=two).guard == "budget"
    assert judge(*[0.6] * 31, rules=rules, launches=two).retrain


def test_nothing_is_learnt_from_hardly_any_new_data():
    rules = replace(RULES, minimum_new=3)
    assert judge(0.6, 0.6, rules=rules).guard == "minimum_new"
    assert judge(0.6, 0.6, 0.6, rules=rules).retrain


def test_the_ladder_is_climbed_try_by_try():
    rules = replace(RULES, ladder=(GROW, REFIT), cool_down=1)
    assert judge(0.6, 0.6, rules=rules).action == GROW
    assert (
        judge(*[0.6] * 4, rules=rules, launches=launches(launch(1, DAYS[2])), log=_log("v1 2024-03-02", DAYS[3])).action
        == REFIT
    )


def test_a_try_whose_run_died_is_counted_once():
    again = launches(launch(1, DAYS[2], "failed"), launch(1, DAYS[2], "refused"))
    answer = judge(*[0.6] * 30, launches=again, log=_log("v1 2024-03-02", DAYS[29]))
    assert answer.attempt == 2


SCORES = st.lists(st.floats(0, 1) | st.just(math.nan), min_size=1, max_size=12)
RANDOM = st.randoms(use_true_random=False)


@given(SCORES, st.integers(1, 4), st.integers(0, 3), RANDOM)
@settings(max_examples=60, deadline=None)
def test_the_rule_in_one_line_whatever_the_order_of_the_rows(values, breaches, more, random):
    rules = replace(RULES, breaches=breaches, window=breaches + more)
    table = scores(*values)
    shuffled = table.iloc[random.sample(range(len(table)), len(table))]
    known = [value for value in values if not math.isnan(value)]
    expected = bool(known) and known[-1] > 0.5 and sum(value > 0.5 for value in known[-rules.window :]) >= breaches
    made = evidence(shuffled)
    stored = random.sample(list(made.stored), len(made.stored))
    assert decide(replace(made, stored=stored), rules).retrain == expected
    assert decide(replace(made, stored=stored), rules) == decide(evidence(table), rules) or any(map(math.isnan, values))


@given(SCORES, st.data())
@settings(max_examples=60, deadline=None)
def test_more_breach_never_turns_a_retraining_off(values, data):
    worse = [value + data.draw(st.floats(0, 1)) for value in values]
    if judge(*values).retrain:
        assert judge(*worse).retrain


RESULTS = st.sampled_from(["refused", "failed", "promoted", "under way", "awaiting approval", "unchanged"])
LAUNCHES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30), RESULTS), max_size=5)


@given(LAUNCHES, st.integers(2, 30))
@settings(max_examples=60, deadline=None)
def test_what_has_been_launched_only_ever_holds_back(made, bad):
    rows = [launch(attempt, DAYS[day], result) for attempt, day, result in made]
    answer = judge(*[0.6] * bad, **({"launches": launches(*rows)} if rows else {}))
    assert answer.rule == "relative"
    assert answer.retrain == (answer.guard == "")
    assert not rows or judge(*[0.1] * bad, launches=launches(*rows)).action == REFRESH
