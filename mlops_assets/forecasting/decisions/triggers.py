"""What looks for a reason to retrain: rules on the last partitions, on the model's age and the data, on the clock."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

import pandas as pd

from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.rules import RETRAINING, PolicyRules

Trigger = Literal["bias", "relative", "threshold", "skill", "coverage", "drift", "age", "new_rows", "schedule"]
"""What a policy can look for."""
SCHEDULE: Final = "schedule"
BIAS: Final = "bias"
"""The rule on forecasts that are too high, or too low, on the whole."""
STOCK = ("age", "new_rows", SCHEDULE)
"""Rules that look at the model's age, at the data that wait and at the clock, not at how single partitions went."""


@dataclass(frozen=True)
class Finding:
    """What a rule found: whether it fires, since when, and what it says."""

    rule: Trigger
    fires: bool
    message: str
    began: str = ""


def findings(evidence: Evidence, judged: pd.DataFrame, champion: Champion, rules: PolicyRules) -> list[Finding]:
    """Return what every rule of a policy that is switched on has found.

    Args:
        evidence: all that is known.
        judged: the partitions that vote, as `Evidence.judged` returns them.
        champion: the present one.
        rules: the policy.
    """
    return [
        *_of_window(evidence, judged, champion, rules),
        *_of_stock(evidence, champion, rules),
        *_of_schedule(evidence, champion, rules),
    ]


def key_of(finding: Finding, champion: Champion, rules: PolicyRules) -> str:
    """Name a breach by champion, beginning and policy; a tick of a schedule is none of the champion's."""
    whose = SCHEDULE if finding.rule == SCHEDULE else f"v{champion.version}"
    return f"{whose} {finding.began}" + ("" if rules.name == RETRAINING else f" ({rules.name})")


def _of_window(evidence: Evidence, judged: pd.DataFrame, champion: Champion, rules: PolicyRules) -> list[Finding]:
    """Return what the rules found that need so many of the last partitions."""
    found = []
    if rules.bias is not None:  # before the others: what it finds is told by an alert of its own
        bias = _column(judged, "bias")
        side = 1.0 if bias.dropna().tail(1).ge(0).all() else -1.0
        where = f"{'above' if side > 0 else 'below'} {side * rules.bias:g}"
        found.append(_counted(BIAS, "bias", bias, side * bias > rules.bias, where, rules))
    metric = judged.set_index("partition")[rules.metric] if len(judged) else pd.Series(dtype=float)
    if rules.relative is not None:
        own = champion.backtest.get(rules.metric)
        if own is None or not isfinite(own):
            words = f"the backtest of version {champion.version} has no {rules.metric} to compare with"
            found.append(Finding("relative", False, words))
        else:
            named = f"{rules.relative:g} × its backtest's {own:.4f}"
            found.append(_above("relative", rules.metric, metric, rules.relative * own, named, rules))
    if rules.threshold is not None:
        found.append(_above("threshold", rules.metric, metric, rules.threshold, "the threshold", rules))
    if rules.skill is not None:
        skill = _column(judged, "skill")
        found.append(_counted("skill", "skill", skill, skill < rules.skill, f"below {rules.skill:g}", rules))
    if rules.coverage is not None:
        low, high = rules.coverage
        share = _column(judged, "coverage")
        outside = (share < low) | (share > high)
        found.append(_counted("coverage", "coverage", share, outside, f"outside {low:g} to {high:g}", rules))
    if rules.drift is not None:
        table = evidence.drift if evidence.drift is not None else pd.DataFrame(columns=["partition", "drift"])
        later = table[table["partition"] > champion.seen].sort_values("partition")
        drift = later.set_index("partition")["drift"].astype(float)
        found.append(_above("drift", "drift", drift, rules.drift, "the limit", rules))
    return found


def _column(judged: pd.DataFrame, name: str) -> pd.Series:
    if judged.empty or name not in judged:
        return pd.Series(dtype=float)
    return judged.set_index("partition")[name].astype(float)


def _above(rule: Trigger, what: str, values: pd.Series, limit: float, named: str, rules: PolicyRules) -> Finding:
    return _counted(rule, what, values, values > limit, f"above {limit:.4f} ({named})", rules)


def _counted(rule: Trigger, what: str, values: pd.Series, bad: pd.Series, where: str, rules: PolicyRules) -> Finding:
    """Fire if enough of the last partitions are bad, the latest too; partitions without a value are passed over."""
    known = values.notna()
    values, bad = values[known].tail(rules.window), bad[known].tail(rules.window)
    if values.empty:
        return Finding(rule, False, f"{what}: no forecast of the champion has been scored yet")
    count, partition = int(bad.sum()), str(values.index[-1])
    fires = bool(bad.iloc[-1]) and count >= rules.breaches
    verb = "is" if bad.iloc[-1] else "is not"
    words = (
        f"{what} {values.iloc[-1]:.4f} of {partition} {verb} {where}; "
        f"{count} of the last {len(values)} partitions {'is' if count == 1 else 'are'}, "
        f"{rules.breaches} of {rules.window} are needed"
    )
    return Finding(rule, fires, words, str(bad.index[bad][0]) if count else "")


def _of_stock(evidence: Evidence, champion: Champion, rules: PolicyRules) -> list[Finding]:
    """Return what the rules found that look at the model's age and at the data that wait."""
    found = []
    if rules.max_age_days is not None and evidence.until is not None:
        days = (evidence.until - champion.trained_until) / pd.Timedelta(days=1)
        times = int(days // rules.max_age_days)
        words = f"version {champion.version} was trained on data up to {champion.trained_until}, {days:.0f} days ago"
        words += f" ({rules.max_age_days:g} are allowed)"
        found.append(Finding("age", times > 0, words, f"age {times} × {rules.max_age_days:g} days"))
    if rules.new_rows is not None and evidence.new_rows is not None:
        times = evidence.new_rows // rules.new_rows
        words = f"{evidence.new_rows:,} observations came after the training ({rules.new_rows:,} are enough)"
        found.append(Finding("new_rows", times > 0, words, f"new rows {times} × {rules.new_rows}"))
    return found


def _of_schedule(evidence: Evidence, champion: Champion, rules: PolicyRules) -> list[Finding]:
    """Return whether the latest tick of the schedule asks for a retraining.

    It does if it came after the policy was asked first, and nothing but failed runs has come of it. So of ticks that
    were missed, the last is made up for.
    """
    if not rules.scheduled:
        return []
    tick, log = evidence.ticks.get(rules.name), evidence.log_of(rules)
    if tick is None or log.empty or tick <= log["at"].min():
        return [Finding(SCHEDULE, False, "its schedule has not ticked yet")]
    due = Finding(SCHEDULE, True, f"its schedule ticked at {tick:%Y-%m-%d %H:%M}", f"{tick:%Y-%m-%d %H:%M}")
    launches = evidence.launches
    if ((launches["breach"] == key_of(due, champion, rules)) & (launches["result"] != "failed")).any():
        return [Finding(SCHEDULE, False, f"nothing is due until it ticks again after {due.began}")]
    return [due]
