"""A recorded decision of the gate, judged again: alike by the same rules, and as the backtest itself by others."""

import json
from dataclasses import replace

import pytest

from mlops_assets.forecasting.decisions.again import judge_again
from mlops_assets.forecasting.decisions.gate import Opponent, Rule, judge
from mlops_assets.forecasting.decisions.smoke_test import SmokeTest
from mlops_assets_tests.forecasting.decisions.duels import TASK, model_rows
from mlops_assets_tests.forecasting.decisions.test_gate import CROWN, GOOD, LIMITS, duel

DUELS = {
    "the first": (duel(model_rows("x", 1)), None, GOOD),
    "worse than naive": (duel(model_rows("x", 1, noise=0.5), naive=model_rows("n", 2, noise=0.1)), None, GOOD),
    "better": (duel(model_rows("x", 1, noise=0.05), model_rows("c", 2, noise=0.3)), CROWN, GOOD),
    "equal": (duel(model_rows("x", 1), model_rows("x", 1)), CROWN, GOOD),
    "worse": (duel(model_rows("x", 1, noise=0.25), model_rows("c", 2, noise=0.05)), CROWN, GOOD),
    "a lost champion": (duel(model_rows("x", 1)), Opponent(7, "its file is gone"), GOOD),
    "no model": (duel(model_rows("x", 1)), None, SmokeTest(None, problem="it does not load")),
}
RULES = {
    "the same": LIMITS,
    "it must be better": replace(LIMITS, require="better"),
    "it may be anything": replace(LIMITS, require="nothing"),
    "much may be worse": replace(LIMITS, tolerance=100.0, segment_tolerance=100.0),
    "exact coverage": replace(LIMITS, coverage_tolerance=0.0),
    "in no time": replace(LIMITS, predict_seconds=0.5),
    "a small file": replace(LIMITS, model_megabytes=1.0),
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("which", DUELS)
def test_what_was_kept_is_judged_as_the_backtest_is(which, rules):
    backtest, champion, smoke_test = DUELS[which]
    before = judge(backtest, TASK, LIMITS, smoke_test=smoke_test, champion=champion)
    recorded = [Rule(**rule) for rule in json.loads(before.as_json())["rules"]]
    version = champion.version if champion else None
    again = judge_again(recorded, RULES[rules], version, "automatic")
    now = judge(backtest, TASK, RULES[rules], smoke_test=smoke_test, champion=champion)
    assert (again.outcome, again.verdict) == (now.outcome, now.verdict)
    assert {rule.name: rule.state for rule in again.rules} == {rule.name: rule.state for rule in now.rules}
    aside = judge_again(recorded, RULES[rules], version, "aside")
    assert aside.outcome == ("refused" if now.outcome == "refused" else "kept aside")


def test_rules_of_others_count_as_they_ended_where_they_are_asked_today():
    before = judge(*DUELS["the first"][:1], TASK, LIMITS, smoke_test=GOOD)
    recorded = [*before.rules, Rule("ours:Fair", "failed", "it is not fair")]
    assert judge_again(recorded, LIMITS, None, "automatic").outcome == "promoted"
    assert judge_again(recorded, replace(LIMITS, rules=("ours:Fair",)), None, "automatic").outcome == "refused"


def test_errors_are_told_in_the_metric_that_was_measured():
    before = judge(*DUELS["the first"][:1], TASK, LIMITS, smoke_test=GOOD)
    again = judge_again(before.rules, replace(LIMITS, metric="mase"), None, "automatic")
    assert again.reason == before.reason
    assert "wql" in again.reason
