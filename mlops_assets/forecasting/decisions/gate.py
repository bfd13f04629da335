"""The promotion gate: may a challenger become the champion? Pure; the `champion` asset carries the answer out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite, isinf, isnan
from typing import Literal

import pandas as pd

from mlops_assets.forecasting.decisions import own_rules, wording
from mlops_assets.forecasting.decisions.smoke_test import SmokeTest
from mlops_assets.forecasting.evaluation.backtest import CHAMPION, NAIVE
from mlops_assets.forecasting.evaluation.compare import Blocks, Comparison
from mlops_assets.forecasting.evaluation.metrics import DEFAULT, outer_pair
from mlops_assets.forecasting.evaluation.standing import Standing
from mlops_assets.forecasting.formatting import counted
from mlops_assets.forecasting.model.errors import UsageError
from mlops_assets.forecasting.model.panel import ITEM
from mlops_assets.forecasting.model.task import Task

RuleName = Literal[
    "model_loads",
    "better_than_naive",
    "against_champion",
    "segments",
    "coverage",
    "complete",
    "possible_values",
    "forecasts_in_time",
    "model_size",
    "not_rolled_back",
]
State = Literal["passed", "failed", "missing", "not applicable"]
Outcome = Literal["promoted", "refused", "awaiting approval", "kept aside"]
Require = Literal["no_worse", "better", "nothing"]
Approval = Literal["automatic", "manual", "aside"]


@dataclass(frozen=True)
class GateRules:
    """What the rules allow.

    Attributes:
        metric: what the models are compared by; lower is better.
        require: `no_worse` or `better` than the champion, or `nothing`: the comparison with it stops nobody.
        tolerance: how much worse than the champion the challenger may be, at the upper end of the interval.
        margin: by how much it must be lower to be called better.
        confidence: of the interval.
        segment_tolerance: how much worse a segment may be.
        coverage_tolerance: how far the outer interval's coverage may be from its nominal one.
        predict_seconds: processor time that forecasting one origin may take.
        model_megabytes: size of the model's file.
        non_negative: whether a negative forecast is wrong.
        rules: of others, by their paths or entry points, that must hold as well; see `own_rules.OwnRule`.
    """

    metric: str = DEFAULT
    require: Require = "no_worse"
    tolerance: float = 0.02
    margin: float = 0.02
    confidence: float = 0.95
    segment_tolerance: float = 0.1
    coverage_tolerance: float = 0.2
    predict_seconds: float = 600.0
    model_megabytes: float = 500.0
    non_negative: bool = False
    rules: tuple[str, ...] = ()

    @property
    def evidence(self) -> str:
        """What a decision's evidence says of the rules: as release 0.1.0 did, so that no release judges twice."""
        said = {name: value for name, value in asdict(self).items() if name != "rules" or value}
        return f"Limits({', '.join(f'{name}={value!r}' for name, value in said.items())})"


@dataclass(frozen=True)
class Opponent:
    """The present champion: its version, and why it could not be compared, if it could not."""

    version: int
    problem: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule of the gate, a `RuleName` or one of others: how it ended, as a message and in numbers."""

    name: str
    state: State
    message: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the rule lets the challenger through."""
        return self.state in ("passed", "not applicable")


@dataclass(frozen=True)
class Decision:
    """The gate's answer and every rule that led to it.

    Attributes:
        outcome: `promoted`, `refused`, `awaiting approval` or `kept aside`.
        rules: all rules.
        verdict: the challenger against the champion: `better`, `no worse`, `worse` or, without one, `first`;
            `unknown` when they could not be compared.
        reason: one line.
    """

    outcome: Outcome
    rules: tuple[Rule, ...]
    verdict: str
    reason: str

    def as_json(self) -> str:
        """Return the rules and the verdict as JSON text."""
        return json.dumps({"verdict": self.verdict, "rules": [asdict(rule) for rule in self.rules]}, default=float)


def judge(
    backtest: pd.DataFrame | Iterable[pd.DataFrame],
    task: Task,
    limits: GateRules,
    *,
    smoke_test: SmokeTest,
    champion: Opponent | None = None,
    segments: pd.DataFrame | None = None,
    rolled_back: str = "",
    approval: Approval = "automatic",
) -> Decision:
    """Judge a challenger by what it, seasonal naive and the champion forecast at the same origins.

    A rule whose evidence is missing does not hold. Only a champion that cannot be loaded, or cannot do the task, need
    not be beaten: nothing can be forecast with it, and a challenger that can takes its place.

    Args:
        backtest: rows of the models `challenger`, `seasonal_naive` and `champion`, as of
            `backtest.Backtest.predictions`; at once, or those of some items after those of others.
        task: what is forecast.
        limits: what the rules allow.
        smoke_test: how the registered challenger did.
        champion: the present champion; None without one.
        segments: item_id and segment, for the rule on segments; an item may be in several. None: by volume.
        rolled_back: if this training was rolled back, by whom and when.
        approval: `manual`: what passes waits for a person; `aside`: it stands beside the champion until one takes it.
    """
    standing, whole = Standing(task, limits.metric), []
    for rows in [backtest] if isinstance(backtest, pd.DataFrame) else backtest:
        standing.add(rows)
        whole += [rows] if limits.rules else []
    segments = standing.by_volume() if segments is None else segments
    present = standing.against(CHAMPION) if champion is not None else None
    against = None
    if present is not None and champion is not None and not champion.problem:
        against = present.compared(confidence=limits.confidence)
    rules = [
        _loads(smoke_test),
        Rule("better_than_naive", "not applicable", "it is seasonal naive itself")
        if task.model.kind == NAIVE
        else better_than_naive(standing.against(NAIVE).compared(confidence=limits.confidence), limits),
        against_champion(against, champion, limits),
        _segments(present, segments, limits, champion),
        _coverage(standing.coverage(), task, limits),
        _complete(smoke_test),
        _possible(smoke_test, limits),
        _measured("forecasts_in_time", smoke_test, smoke_test.seconds, limits.predict_seconds),
        _measured("model_size", smoke_test, smoke_test.megabytes, limits.model_megabytes),
        Rule(
            "not_rolled_back",
            "failed" if rolled_back else "passed",
            f"this training was rolled back {rolled_back}" if rolled_back else "never rolled back",
        ),
        *(_of_others(name, whole, task) for name in limits.rules),
    ]
    return concluded(rules, against, champion, limits, approval)


def concluded(
    rules: list[Rule], against: Comparison | None, champion: Opponent | None, limits: GateRules, approval: Approval
) -> Decision:
    """Return what follows from how the rules ended; arguments as of `judge`."""
    stopping = [rule for rule in rules if not rule.holds]
    spared = limits.require == "nothing" or (champion is not None and bool(champion.problem))
    passes = all(spared and rule.name in _OF_CHAMPION for rule in stopping)
    outcome: Outcome = _PASSED[approval] if passes else "refused"
    verdict = _verdict(against, champion, limits)
    return Decision(outcome, tuple(rules), verdict, _reason(outcome, rules, limits.require))


_PASSED: Mapping[str, Outcome] = {"automatic": "promoted", "manual": "awaiting approval", "aside": "kept aside"}
_OF_CHAMPION = ("against_champion", "segments")
_LITTLE = 4
"""Fewer items × origins are little to go by."""
_SEGMENT_BLOCKS = 6
"""Fewer items × origins say nothing of a segment."""


def _of_others(name: str, backtest: list[pd.DataFrame], task: Task) -> Rule:
    try:
        passed, message = own_rules.ask(name, pd.concat(backtest, ignore_index=True), task)
    except (UsageError, own_rules.ExtensionError) as error:
        return Rule(name, "missing", str(error))
    return Rule(name, "passed" if passed else "failed", message)


def _loads(smoke_test: SmokeTest) -> Rule:
    if smoke_test.made is None:
        return Rule("model_loads", "missing", f"the registered model cannot be used: {smoke_test.problem}")
    return Rule("model_loads", "passed", "the registered model loads, and its checksum is the recorded one")


def better_than_naive(found: Comparison, limits: GateRules) -> Rule:
    """Whether it beats seasonal naive."""
    name = "better_than_naive"
    if not found.rows:
        return Rule(
            name, "missing", "no row of the backtest has a target and both forecasts, of it and of seasonal naive"
        )
    zero = ", whose targets are all zero" if isnan(found.first) else ""
    rows = f"the {found.rows} rows of the backtest{zero}"
    if found.losses == 0:
        words = f"neither it nor seasonal naive makes any error on {rows}: nothing tells them apart"
        return Rule(name, "missing", words, wording.numbers(found))
    passed, sign = found.change < 0, wording.sign(found)
    if isinf(found.change):
        message = f"seasonal naive makes no error on {rows}, and the challenger does"
    elif zero:
        message = f"the error is {sign} seasonal naive's ({wording.percent(found)}) on {rows}"
    else:
        first, second = wording.sides(found)
        message = f"{limits.metric} {first} is {sign} seasonal naive's {second} ({wording.percent(found)})"
    if not passed and found.blocks < _LITTLE:
        message += f"; that rests on {counted(found.blocks, 'forecast')} of an item: more backtest.windows tell more"
    return Rule(name, "passed" if passed else "failed", message + wording.left_out(found), wording.numbers(found))


def against_champion(found: Comparison | None, champion: Opponent | None, limits: GateRules) -> Rule:
    """Whether it is, against the champion, what it must be."""
    name = "against_champion"
    if champion is None:
        return Rule(name, "not applicable", "no champion yet")
    if found is None:
        return Rule(
            name, "missing", f"version {champion.version}, the champion, cannot be compared: {champion.problem}"
        )
    if not found.rows:
        words = f"no row of the backtest has a target and both forecasts, of it and of version {champion.version}"
        return Rule(name, "missing", words)
    first, second = wording.sides(found)
    numbers = f"{limits.metric} {first} against {second} of version {champion.version}"
    if isnan(found.first):
        numbers = f"the targets are all zero; its errors against those of version {champion.version}"
    if isinf(found.change):
        return Rule(name, "failed", f"version {champion.version} makes no error there, and the challenger does")
    numbers += f" ({wording.percent(found)})"
    if limits.require == "better":
        passed = _is_better(found, limits)
        message = f"{numbers} is {'' if passed else 'not '}better by {limits.margin:.1%} beyond doubt"
        if found.low == found.high == 0:
            message += "; they forecast alike: no window begins after the champion's training, or nothing was new"
    else:
        passed = found.high <= limits.tolerance
        message = f"{numbers} {'stays' if passed else 'may not stay'} within {limits.tolerance:.1%} of it"
    return Rule(name, "passed" if passed else "failed", message + wording.left_out(found), wording.numbers(found))


def _segments(present: Blocks | None, segments: pd.DataFrame, limits: GateRules, champion: Opponent | None) -> Rule:
    name = "segments"
    if champion is None or present is None:
        return Rule(name, "not applicable", "no champion yet")
    if champion.problem:
        return Rule(name, "missing", "the champion cannot be compared in any segment")
    groups = [(str(segment), set(items)) for segment, items in segments.groupby("segment")[ITEM]]
    found: dict[str, Comparison] = {}
    for segment, items in groups:
        compared = present.of_items(items).compared(confidence=limits.confidence)
        if compared.blocks >= _SEGMENT_BLOCKS and isfinite(compared.change):
            found[segment] = compared
    if not found:
        message = f"no segment with {_SEGMENT_BLOCKS} or more items × origins"
        return Rule(name, "not applicable", message)
    # Many segments are looked at: each gets its share of the doubt (Bonferroni), else one is hurt by chance alone.
    doubt = (1 - limits.confidence) / len(found)
    worst = max(found, key=lambda segment: found[segment].change)
    hurt = [
        f"{segment} ({wording.percent(compared)})"
        for segment, compared in found.items()
        if compared.change > limits.segment_tolerance and compared.chance < doubt
    ]
    allowed = f"worse than the champion by more than {limits.segment_tolerance:.0%}"
    if hurt:
        return Rule(name, "failed", f"{allowed} in {', '.join(hurt[:5])}", wording.numbers(found[worst]))
    message = f"none of {len(found)} is beyond doubt {allowed}; the worst is {worst} ({wording.percent(found[worst])})"
    return Rule(name, "passed", message, wording.numbers(found[worst]))


def _coverage(found: float, task: Task, limits: GateRules) -> Rule:
    name, pair = "coverage", outer_pair(task.quantiles)
    if pair is None:
        return Rule(name, "not applicable", "the quantiles hold no interval")
    nominal = pair[1] - pair[0]
    if not isfinite(found):
        return Rule(name, "missing", "coverage is missing")
    return covers(found, nominal, limits)


def covers(found: float, nominal: float, limits: GateRules) -> Rule:
    """Whether the outermost interval covers about as much as it says."""
    passed = abs(found - nominal) <= limits.coverage_tolerance
    message = f"the {nominal:.0%} interval covers {found:.1%}, {'within' if passed else 'not within'}"
    message += f" {limits.coverage_tolerance:.0%} of it"
    return Rule("coverage", "passed" if passed else "failed", message, {"coverage": found, "nominal": nominal})


def _complete(smoke_test: SmokeTest) -> Rule:
    name = "complete"
    if smoke_test.made is None:
        return Rule(name, "missing", "there is no forecast by the registered model")
    made = smoke_test.made
    passed = made == smoke_test.rows and made > 0
    message = f"{made} of {smoke_test.rows} rows (items × leads) are forecast"
    return Rule(name, "passed" if passed else "failed", message, {"rows": made, "expected": smoke_test.rows})


def _possible(smoke_test: SmokeTest, limits: GateRules) -> Rule:
    name = "possible_values"
    if smoke_test.made is None:
        return Rule(name, "missing", "there is no forecast by the registered model")
    infinite, negative = smoke_test.infinite, smoke_test.negative if limits.non_negative else 0
    asked = "finite and non-negative" if limits.non_negative else "finite"
    if infinite or negative:
        message = f"{infinite} rows are not finite" + (f", {negative} are negative" if limits.non_negative else "")
        return Rule(name, "failed", message, {"not_finite": infinite, "negative": negative})
    return Rule(name, "passed", f"all forecasts are {asked}")


def _measured(name: RuleName, smoke_test: SmokeTest, value: float, limit: float) -> Rule:
    if smoke_test.made is None:
        return Rule(name, "missing", "the registered model could not be measured")
    return bounded(name, value, limit)


def bounded(name: RuleName, value: float, limit: float) -> Rule:
    """Whether a model takes no more than it may."""
    unit = "MB of model file" if name == "model_size" else "CPU seconds for an origin"
    passed = value <= limit
    message = f"{value:.3g} {unit}, {'at most' if passed else 'more than'} {limit:g}"
    return Rule(name, "passed" if passed else "failed", message, {"value": value, "limit": limit})


def _is_better(found: Comparison, limits: GateRules) -> bool:
    return found.change <= -limits.margin and found.high < 0


def _verdict(found: Comparison | None, champion: Opponent | None, limits: GateRules) -> str:
    if champion is None:
        return "first"
    if found is None or not isfinite(found.change):
        return "unknown"
    if _is_better(found, limits):
        return "better"
    return "no worse" if found.high <= limits.tolerance else "worse"


def _reason(outcome: str, rules: list[Rule], require: Require) -> str:
    if outcome == "refused":
        return "; ".join(f"{rule.name}: {rule.message}" for rule in rules if not rule.holds)
    against = next(rule for rule in rules if rule.name == "against_champion")
    naive = next(rule for rule in rules if rule.name == "better_than_naive")
    whole = all(rule.holds for rule in rules)
    all_hold = "every rule holds" if whole else "every rule but those on the champion holds"
    why = {"awaiting approval": "approval is manual", "kept aside": "the policy keeps it aside"}.get(outcome)
    if outcome == "promoted" and require == "nothing" and not whole:
        why = "the policy asks for no more"
    return f"{f'{all_hold}, and {why}; ' if why else ''}{naive.message}; {against.message}"
