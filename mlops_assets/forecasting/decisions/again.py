"""A recorded decision of the gate, judged again: the numbers of then by the rules of today. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

from mlops_assets.forecasting.decisions import gate, wording
from mlops_assets.forecasting.decisions.gate import Approval, Decision, GateRules, Opponent, Rule, RuleName
from mlops_assets.forecasting.evaluation.metrics import METRICS


def judge_again(recorded: Sequence[Rule], limits: GateRules, champion: int | None, approval: Approval) -> Decision:
    """Judge by what was measured then and is allowed now.

    Intervals are those of then, at the confidence and by the metric of then. How a rule ended stands where only the
    backtest's rows could tell more: of segments other than the worst, and of the rules of others.

    Args:
        recorded: how the rules ended; those of others count if they are asked today.
        limits: what the rules allow today.
        champion: who was champion; None: nobody.
        approval: as of `gate.judge`, today.
    """
    kept = [rule for rule in recorded if rule.name in get_args(RuleName) or rule.name in limits.rules]
    was = {rule.name: rule for rule in kept}
    if (metric := was["better_than_naive"].message.partition(" ")[0]) in METRICS:
        limits = replace(limits, metric=metric)
    segments = was["segments"]
    problem = was["against_champion"].message if segments.state == "missing" else ""
    opponent = Opponent(champion, problem) if champion is not None else None
    numbers = was["against_champion"].numbers
    rules = [_again(rule, limits, opponent) if rule.numbers else rule for rule in kept]
    return gate.concluded(rules, wording.comparison(numbers) if numbers else None, opponent, limits, approval)


def _again(rule: Rule, limits: GateRules, champion: Opponent | None) -> Rule:
    numbers = rule.numbers
    if rule.name == "better_than_naive":
        return gate.better_than_naive(wording.comparison(numbers), limits)
    if rule.name == "against_champion":
        return gate.against_champion(wording.comparison(numbers), champion, limits)
    if rule.name == "coverage":
        return gate.covers(numbers["coverage"], numbers["nominal"], limits)
    if rule.name == "forecasts_in_time":
        return gate.bounded("forecasts_in_time", numbers["value"], limits.predict_seconds)
    if rule.name == "model_size":
        return gate.bounded("model_size", numbers["value"], limits.model_megabytes)
    if rule.name == "segments" and numbers["change"] <= limits.segment_tolerance:
        return replace(rule, state="passed")
    return rule
