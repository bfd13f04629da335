"""The promotion gate: may a challenger become the champion? Pure; the `champion` asset carries the answer out."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite


@dataclass(frozen=True)
class Rule:
    """One rule of the gate with its outcome in words and numbers."""

    name: str
    passed: bool
    words: str


@dataclass(frozen=True)
class GateDecision:
    """The gate's answer: `promoted` or `refused`, and every rule that led to it."""

    outcome: str
    rules: tuple[Rule, ...]

    @property
    def promoted(self) -> bool:
        """Whether the challenger becomes the champion."""
        return self.outcome == "promoted"

    @property
    def reason(self) -> str:
        """One line: all rules with their numbers, the failed ones first."""
        return "; ".join(rule.words for rule in sorted(self.rules, key=lambda rule: rule.passed))


def decide(
    metric: str,
    challenger: float | None,
    naive: float | None,
    champion: float | None,
    has_champion: bool,
    tolerance: float = 0.0,
) -> GateDecision:
    """Judge a challenger by one metric (lower is better), all three measured on the same backtest rows.

    A missing or non-finite number never passes.

    Args:
        metric: name of the metric, for the words.
        challenger: the challenger's value.
        naive: seasonal naive's value.
        champion: the present champion's value.
        has_champion: whether there is a present champion.
        tolerance: relative excess over the champion that is still accepted.
    """
    rules = [_better_than_naive(metric, challenger, naive)]
    if has_champion:
        rules.append(_not_worse_than_champion(metric, challenger, champion, tolerance))
    else:
        rules.append(Rule("not_worse_than_champion", True, "no champion yet"))
    outcome = "promoted" if all(rule.passed for rule in rules) else "refused"
    return GateDecision(outcome, tuple(rules))


def _better_than_naive(metric: str, challenger: float | None, naive: float | None) -> Rule:
    name = "better_than_naive"
    if challenger is None or naive is None or not isfinite(challenger) or not isfinite(naive):
        return Rule(name, False, f"{metric} is missing for {_who(challenger, 'the challenger', 'seasonal naive')}")
    passed = challenger < naive
    sign = "below" if passed else "not below"
    return Rule(name, passed, f"{metric} {challenger:.4f} is {sign} seasonal naive's {naive:.4f}")


def _not_worse_than_champion(metric: str, challenger: float | None, champion: float | None, tolerance: float) -> Rule:
    name = "not_worse_than_champion"
    if challenger is None or champion is None or not isfinite(challenger) or not isfinite(champion):
        return Rule(name, False, f"{metric} is missing for {_who(challenger, 'the challenger', 'the champion')}")
    limit = champion * (1 + tolerance)
    passed = challenger <= limit
    allowed = f" ({tolerance:.1%} worse is accepted)" if tolerance else ""
    sign = "not worse than" if passed else "worse than"
    return Rule(name, passed, f"{metric} {challenger:.4f} is {sign} the champion's {champion:.4f}{allowed}")


def _who(challenger: float | None, first: str, second: str) -> str:
    return first if challenger is None or not isfinite(challenger) else second


def markdown(decision: GateDecision, facts: Mapping[str, object]) -> str:
    """Return the decision as a short Markdown page: the facts, then a row for each rule."""
    head = [f"**{decision.outcome}**", "", *(f"- {name}: {value}" for name, value in facts.items()), ""]
    rows = [f"| {rule.name} | {'passed' if rule.passed else 'failed'} | {rule.words} |" for rule in decision.rules]
    return "\n".join([*head, "| rule | outcome | numbers |", "|---|---|---|", *rows])
