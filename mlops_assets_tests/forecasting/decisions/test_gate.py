"""The promotion gate: who may become the champion, and why not."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.decisions.again import judge_again
from mlops_assets.forecasting.decisions.gate import GateRules, Opponent, SmokeTest, judge
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, CHAMPION, NAIVE
from mlops_assets.forecasting.evaluation.segments import by_static
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets_tests.forecasting.decisions.duels import ITEMS, TASK, model_rows

LIMITS = GateRules()
FORECASTS = model_rows(CHALLENGER, 1)[["item_id", "mean", "q10", "q50", "q90"]].head(ITEMS * TASK.horizon)
GOOD = SmokeTest.joined([SmokeTest.of(FORECASTS, TASK, len(FORECASTS), 1.0)], megabytes=5.0)
CROWN = Opponent(7)


def duel(challenger: pd.DataFrame, champion: pd.DataFrame | None = None, naive: pd.DataFrame | None = None):
    """A backtest of the three."""
    naive = model_rows(NAIVE, 3, noise=0.4) if naive is None else naive
    parts = [challenger.assign(model=CHALLENGER), naive.assign(model=NAIVE)]
    return pd.concat([*parts, *([champion.assign(model=CHAMPION)] if champion is not None else [])], ignore_index=True)


def failed(decision) -> dict[str, str]:
    return {rule.name: rule.state for rule in decision.rules if not rule.holds}


def test_a_first_model_needs_the_other_rules_only():
    decision = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD)
    assert (decision.outcome, decision.verdict) == ("promoted", "first")
    assert "no champion yet" in decision.reason
    states = {rule.name: rule.state for rule in decision.rules}
    assert states.pop("against_champion") == states.pop("segments") == "not applicable"
    assert set(states.values()) == {"passed"}


def test_worse_than_naive_is_refused():
    backtest = duel(model_rows("x", 1, noise=0.5), naive=model_rows("n", 2, noise=0.1))
    decision = judge(backtest, TASK, LIMITS, smoke_test=GOOD)
    assert decision.outcome == "refused"
    assert "better_than_naive" in failed(decision)
    assert "is not below seasonal naive's" in decision.reason


def test_seasonal_naive_that_was_asked_for_need_not_beat_itself_but_the_champion():
    rows, better = model_rows("n", 1), model_rows("c", 2, noise=0.05)
    task = replace(TASK, model=ModelSettings("seasonal_naive"))
    first = judge(duel(rows, naive=rows), task, LIMITS, smoke_test=GOOD)
    assert (first.outcome, first.reason) == ("promoted", "it is seasonal naive itself; no champion yet")
    again = judge_again(first.rules, LIMITS, None, "automatic")
    assert again.outcome == "promoted"
    beaten = judge(duel(rows, better, naive=rows), task, LIMITS, smoke_test=GOOD, champion=CROWN)
    assert beaten.outcome == "refused"
    assert "against_champion" in failed(beaten)


def test_a_clearly_better_challenger_is_promoted_as_better():
    decision = judge(
        duel(model_rows("x", 1, noise=0.05), model_rows("c", 2, noise=0.3)),
        TASK,
        LIMITS,
        smoke_test=GOOD,
        champion=CROWN,
    )
    assert (decision.outcome, decision.verdict) == ("promoted", "better")


def test_one_equal_to_the_champion_is_no_worse_but_cures_nothing():
    same = model_rows("x", 1)
    decision = judge(duel(same, same), TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    assert (decision.outcome, decision.verdict) == ("promoted", "no worse")
    strict = judge(duel(same, same), TASK, replace(LIMITS, require="better"), smoke_test=GOOD, champion=CROWN)
    assert strict.outcome == "refused"
    assert failed(strict) == {"against_champion": "failed"}
    assert "is not better by 2.0% beyond doubt" in strict.reason


def test_better_on_another_window_only_is_refused():
    champion, challenger = model_rows("c", 2, noise=0.2), model_rows("x", 1, noise=0.2)
    lucky = challenger["window"] == 2
    values = ["mean", "q10", "q50", "q90"]
    challenger.loc[lucky, values] = model_rows("y", 4, noise=0.02).loc[lucky, values]
    challenger.loc[~lucky, values] = model_rows("z", 5, noise=0.45).loc[~lucky, values]
    decision = judge(duel(challenger, champion), TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    assert decision.outcome == "refused"
    assert "against_champion" in failed(decision)


def test_better_on_average_that_ruins_a_segment_is_refused_and_the_segment_named():
    champion, challenger = model_rows("c", 2, noise=0.35), model_rows("x", 1, noise=0.02)
    ruined = challenger["item_id"].isin(["item 0", "item 1", "item 2"])
    challenger.loc[ruined, ["mean", "q10", "q50", "q90"]] *= 1.8
    decision = judge(duel(challenger, champion), TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    assert decision.verdict == "better"
    assert failed(decision) == {"segments": "failed"}
    assert "worse than the champion by more than 10% in low volume" in decision.reason
    towns = ["Bonn"] * 3 + ["Rome"] * (ITEMS - 3)
    day = pd.Timestamp("2024-01-01")
    history = pd.DataFrame({"item_id": [f"item {n}" for n in range(ITEMS)], "timestamp": day, "town": towns})
    by_town = judge(
        duel(challenger, champion),
        TASK,
        LIMITS,
        smoke_test=GOOD,
        champion=CROWN,
        segments=by_static(history, ("town",)),
    )
    assert "in town=Bonn" in by_town.reason


def test_a_segment_of_a_few_rows_is_not_judged_and_chance_hurts_none():
    champion, challenger = model_rows("c", 2, noise=0.3), model_rows("x", 1, noise=0.2)
    single = pd.DataFrame({"item_id": [f"item {n}" for n in range(ITEMS)], "segment": [f"s{n}" for n in range(ITEMS)]})
    decision = judge(duel(challenger, champion), TASK, LIMITS, smoke_test=GOOD, champion=CROWN, segments=single)
    rule = next(rule for rule in decision.rules if rule.name == "segments")
    assert (rule.state, rule.message) == ("not applicable", "no segment with 6 or more items × origins")
    hurt = 0
    for seed in range(12):
        first, second = (model_rows(name, 1000 * n + seed, noise=0.3, items=40) for n, name in ((1, "x"), (2, "c")))
        pairs = pd.DataFrame({"item_id": first["item_id"].unique()})
        pairs["segment"] = [f"s{n % 20}" for n in range(len(pairs))]
        decision = judge(duel(first, second), TASK, LIMITS, smoke_test=GOOD, champion=CROWN, segments=pairs)
        hurt += "segments" in failed(decision)
    assert hurt <= 1, f"{hurt} of 12 equal challengers seem to ruin one of 20 segments"


def test_collapsed_intervals_are_refused():
    narrow = model_rows("x", 1, noise=0.05, width=0.02)
    decision = judge(duel(narrow), TASK, LIMITS, smoke_test=GOOD)
    assert "coverage" in failed(decision)
    assert "the 80% interval covers" in decision.reason


@pytest.mark.parametrize(
    ("smoke_test", "rule", "message"),
    [
        (SmokeTest(None, problem="the file is gone"), "model_loads", "cannot be used: the file is gone"),
        (replace(GOOD, rows=GOOD.rows + 7), "complete", f"{GOOD.rows} of {GOOD.rows + 7} rows"),
        (replace(GOOD, seconds=601.0), "forecasts_in_time", "more than 600"),
        (replace(GOOD, megabytes=501.0), "model_size", "more than 500"),
        (SmokeTest.of(FORECASTS.assign(q90=np.inf), TASK, GOOD.rows, 1.0), "possible_values", "rows are not finite"),
        (SmokeTest.of(FORECASTS.assign(q10=-1.0), TASK, GOOD.rows, 1.0), "possible_values", "are negative"),
    ],
)
def test_the_registered_model_is_tried(smoke_test, rule, message):
    limits = replace(LIMITS, non_negative="negative" in message)
    decision = judge(duel(model_rows("x", 1)), TASK, limits, smoke_test=smoke_test)
    assert decision.outcome == "refused"
    assert rule in failed(decision)
    assert message in decision.reason


def test_a_missing_model_file_is_its_own_outcome_and_no_pass():
    decision = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=SmokeTest(None, problem="gone"))
    assert failed(decision)["model_loads"] == "missing"


def test_negative_forecasts_are_fine_unless_the_spec_forbids_them():
    smoke_test = SmokeTest.of(FORECASTS.assign(q10=-1.0), TASK, GOOD.rows, 1.0)
    assert judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=smoke_test).outcome == "promoted"


@pytest.mark.parametrize("parts", [2, 5, 17])
def test_a_backtest_is_judged_alike_item_by_item(parts):
    rows = duel(model_rows("x", 1), model_rows("y", 2, noise=0.12)).sort_values(["item_id", "window"], kind="stable")
    items = np.array_split(sorted({*rows["item_id"]}), parts)
    forecasts = [FORECASTS[FORECASTS["item_id"].isin(some)] for some in items]
    trial = SmokeTest.joined([SmokeTest.of(some, TASK, len(some), 0.0) for some in forecasts], GOOD.megabytes)
    trial = replace(trial, seconds=GOOD.seconds)
    whole = judge(rows, TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    by_parts = (rows[rows["item_id"].isin(some)] for some in items)
    assert judge(by_parts, TASK, LIMITS, smoke_test=trial, champion=CROWN) == whole


def test_a_champion_that_cannot_forecast_need_not_be_beaten():
    opponent = Opponent(7, "its file is gone")
    decision = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD, champion=opponent)
    assert (decision.outcome, decision.verdict) == ("promoted", "unknown")
    assert failed(decision) == {"against_champion": "missing", "segments": "missing"}
    assert "version 7, the champion, cannot be compared: its file is gone" in decision.reason
    bad = judge(duel(model_rows("x", 1, noise=2.0)), TASK, LIMITS, smoke_test=GOOD, champion=opponent)
    assert bad.outcome == "refused"
    waits = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD, champion=opponent, approval="manual")
    assert waits.outcome == "awaiting approval"
    assert waits.reason.startswith("every rule but those on the champion holds, and approval is manual; wql")


@pytest.mark.parametrize("model", [CHALLENGER, NAIVE])
def test_a_missing_metric_never_passes(model):
    backtest = duel(model_rows("x", 1))
    backtest.loc[backtest["model"] == model, "q50"] = np.nan
    decision = judge(backtest, TASK, LIMITS, smoke_test=GOOD)
    assert decision.outcome == "refused"
    assert failed(decision)["better_than_naive"] == "missing"


def test_a_champion_without_rows_is_missing_not_beaten():
    decision = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    assert decision.outcome == "refused"
    assert failed(decision)["against_champion"] == "missing"


def test_manual_approval_lets_nothing_through_by_itself():
    decision = judge(duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD, approval="manual")
    assert decision.outcome == "awaiting approval"
    assert decision.reason.startswith("every rule holds, and approval is manual")
    assert (
        judge(duel(model_rows("x", 1, noise=2)), TASK, LIMITS, smoke_test=GOOD, approval="manual").outcome == "refused"
    )


@pytest.mark.parametrize(("approval", "outcome"), [("automatic", "promoted"), ("aside", "kept aside")])
def test_what_replaces_the_champion_or_stands_beside_it_need_not_beat_it_but_be_sound(approval, outcome):
    limits, worse = replace(LIMITS, require="nothing"), model_rows("x", 1)
    backtest = duel(worse, model_rows("c", 2, noise=0.01))
    decision = judge(backtest, TASK, limits, smoke_test=GOOD, champion=CROWN, approval=approval)
    assert (decision.outcome, decision.verdict) == (outcome, "worse")
    assert set(failed(decision)) <= {"against_champion", "segments"}
    gone = SmokeTest(None, problem="its file is gone")
    assert judge(backtest, TASK, limits, smoke_test=gone, champion=CROWN, approval=approval).outcome == "refused"
    why = "keeps it aside" if approval == "aside" else "asks for no more"
    assert decision.reason.startswith(f"every rule but those on the champion holds, and the policy {why}; ")


def test_what_was_rolled_back_does_not_come_back_by_itself():
    decision = judge(
        duel(model_rows("x", 1)), TASK, LIMITS, smoke_test=GOOD, rolled_back="by Ann on 2024-05-01: too high"
    )
    assert failed(decision) == {"not_rolled_back": "failed"}
    assert "rolled back by Ann" in decision.reason


def test_every_rule_with_its_numbers_is_in_the_record():
    champion = model_rows("c", 2, noise=0.3)
    decision = judge(duel(model_rows("x", 1), champion), TASK, LIMITS, smoke_test=GOOD, champion=CROWN)
    told = json.loads(decision.as_json())
    assert [rule["name"] for rule in told["rules"]] == [
        "model_loads", "better_than_naive", "against_champion", "segments", "coverage", "complete",
        "possible_values", "forecasts_in_time", "model_size", "not_rolled_back",
    ]  # fmt: skip
    assert told["rules"][2]["numbers"]["blocks"] == ITEMS * 3


def test_of_200_pairs_of_equal_models_at_most_5_percent_are_called_better():
    """Two models whose errors have one distribution: the noise of a seed, no more."""
    better = 0
    for seed in range(200):
        first, second = (model_rows(name, 1000 * n + seed, noise=0.3) for n, name in ((1, "x"), (2, "c")))
        decision = judge(
            duel(first, second), TASK, replace(LIMITS, require="better"), smoke_test=GOOD, champion=CROWN,
            segments=pd.DataFrame({"item_id": [], "segment": []}),
        )  # fmt: skip
        better += decision.verdict == "better"
        assert decision.outcome == "refused" or decision.verdict == "better"
    assert better <= 10, f"{better} of 200 equal challengers were called better"


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.booleans())
@settings(max_examples=10, deadline=None)
def test_who_is_promoted_holds_every_rule(noise, other, strict):
    limits = replace(LIMITS, require="better" if strict else "no_worse")
    challenger, champion = model_rows("x", 1, noise=noise), model_rows("c", 2, noise=other)
    decision = judge(duel(challenger, champion), TASK, limits, smoke_test=GOOD, champion=CROWN)
    assert (decision.outcome == "promoted") == all(rule.holds for rule in decision.rules)
    if decision.outcome == "promoted":
        against = next(rule for rule in decision.rules if rule.name == "against_champion")
        assert against.numbers["high"] <= (0 if strict else limits.tolerance)


def test_the_rules_are_the_evidence_that_the_first_release_wrote():
    assert GateRules(metric="mase").evidence == (
        "Limits(metric='mase', require='no_worse', tolerance=0.02, margin=0.02, confidence=0.95, "
        "segment_tolerance=0.1, coverage_tolerance=0.2, predict_seconds=600.0, "
        "model_megabytes=500.0, non_negative=False)"
    )


def naive_rule(challenger: pd.DataFrame, naive: pd.DataFrame, metric: str = "wql"):
    limits = replace(LIMITS, metric=metric)
    decision = judge(duel(challenger, naive=naive), TASK, limits, smoke_test=GOOD)
    return next(rule for rule in decision.rules if rule.name == "better_than_naive")


def always(value: float, target: float = 0.0) -> pd.DataFrame:
    """A model that says one value of a shop with one target."""
    forecast = dict.fromkeys(["mean", "q10", "q50", "q90"], value)
    return model_rows("x", 1).assign(target=target, **forecast)


@pytest.mark.parametrize("metric", ["wql", "mase", "rmsse", "wape", "smape", "sql", "wis"])
@pytest.mark.parametrize("target", [0.0, 5.0])
def test_two_without_any_error_are_no_evidence(metric, target):
    rule = naive_rule(always(target, target), always(target, target), metric)
    assert rule.state == "missing"
    assert rule.message.startswith("neither it nor seasonal naive makes any error on the 252 rows of the backtest")


@pytest.mark.parametrize("target", [0.0, 5.0])
def test_an_error_where_seasonal_naive_makes_none_is_a_failure(target):
    rule = naive_rule(always(6.0, target), always(target, target))
    assert rule.state == "failed"
    assert "seasonal naive makes no error on the 252 rows" in rule.message


def test_of_a_closed_shop_the_smaller_error_wins():
    rule = naive_rule(always(1.0), always(2.0))
    assert rule.state == "passed"
    assert rule.message == (
        "the error is below seasonal naive's (-50.0%, -50.0% to -50.0%) on the 252 rows of the backtest, whose targets "
        "are all zero"
    )


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (5.00002, 5.00001, "wql 4e-06 is not below seasonal naive's 2e-06"),
        (5.1, 5.1, "wql 0.0200 is no lower than, but equal to, seasonal naive's 0.0200 (+0.0%, +0.0% to +0.0%)"),
    ],
)
def test_numbers_are_told_so_that_they_differ(first, second, words):
    message = naive_rule(always(first, 5.0), always(second, 5.0)).message
    assert words in message


def test_little_to_go_by_is_said():
    rows = model_rows("x", 1, noise=0.5)
    one = (rows["item_id"] == "item 0") & (rows["window"] == 0)
    rule = naive_rule(rows[one], model_rows("n", 2, noise=0.01)[one])
    assert rule.state == "failed"
    assert rule.message.endswith("; that rests on 1 forecast of an item: more backtest.windows tell more")


@pytest.mark.parametrize("side", ["naive", "target"])
@pytest.mark.parametrize("factor", [1000, -1000])
def test_one_wrong_value_does_not_decide(side, factor):
    """Seasonal naive repeats it, or all miss it: then the other rows decide."""
    worse, naive = model_rows("x", 1, noise=0.4), model_rows("n", 2, noise=0.1)
    values = ["mean", "q10", "q50", "q90"]
    assert naive_rule(worse, naive).state == "failed"
    if side == "naive":
        naive.loc[5, values] *= factor
    else:
        worse.loc[5, "target"] *= factor
        naive.loc[5, "target"] *= factor
    rule = naive_rule(worse, naive)
    assert rule.state == "failed"
    assert rule.numbers["outlying"] == 1
    assert "1 row missed by more than 50 times the usual left out" in rule.message
    assert naive_rule(naive.assign(**{v: model_rows("n", 2, noise=0.01)[v] for v in values}), worse).state == "passed"


def test_peaks_of_an_item_that_is_mostly_zero_do_count():
    rows = model_rows("x", 1)
    peaks = rows["lead"] % 3 == 0
    target = np.where(peaks, 100.0, 0.01)
    flat = dict.fromkeys(["mean", "q10", "q50", "q90"], 0.0)
    knowing = dict.fromkeys(flat, target * 0.99)
    found = naive_rule(rows.assign(target=target, **knowing), rows.assign(target=target, **flat))
    assert found.state == "passed"
    assert found.numbers["outlying"] == 0
