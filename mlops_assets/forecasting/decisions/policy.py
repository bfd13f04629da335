"""The retraining policies: does what has been seen ask for a new model? Pure; the sensor carries the answer out.

Rules look for a reason to retrain (`triggers`); guards hold it back (`guards`). What counts as the *same breach*
decides when to stop trying:

- For the rules on accuracy, coverage, bias and drift, a breach belongs to one champion and begins with the first bad
  partition of the window in which a rule fired. It goes on until no rule has fired for a whole window of partitions
  that could be judged, as the log of earlier answers tells. A new champion is a new breach: its own forecasts must be
  bad. So is a level of error half as high again as at the last try: something else has happened since.
- For age and new rows, a breach is each further multiple of the limit, so that a model that was once kept because its
  challengers were no better is challenged again when it is twice as old.
- For a schedule, it is the tick.

Of several policies the first in the list that may launch does; the others wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlops_assets.forecasting.decisions import guards
from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.rules import AT_REST, CHALLENGE, KEEP, REFRESH, RETRAINING, PolicyRules
from mlops_assets.forecasting.decisions.triggers import STOCK, Finding, findings, key_of

WORSE = 1.5
"""A breach that is so many times worse than when something was last tried against it is another one."""


@dataclass(frozen=True)
class Answer:
    """What a policy says.

    Attributes:
        action: `keep`, `refresh`, or how to train: `reweigh`, `grow`, `refit`, `tune` or a kind of model.
        reason: why, in words and numbers.
        rule: the rule that fired; "" if none did.
        guard: the guard that held a retraining back; "" if none did.
        breach: key of the breach: the champion and where it began; "" if no rule fired.
        attempt: number of the try on this breach that this is, or would be.
        partition: the latest partition that was judged, else the latest stored; "" without either.
        value: the metric of that partition, NaN if it was not judged.
        level: median of the metric over the last window, NaN if nothing was judged.
        policy: name of the policy.
        becomes: what becomes of the version: `challenger`, `replace` or `keep_aside`.
    """

    action: str
    reason: str
    rule: str = ""
    guard: str = ""
    breach: str = ""
    attempt: int = 0
    partition: str = ""
    value: float = float("nan")
    level: float = float("nan")
    policy: str = RETRAINING
    becomes: str = CHALLENGE

    @property
    def retrain(self) -> bool:
        """Whether a training is asked for."""
        return self.action not in AT_REST


def decide_all(evidence: Evidence, policies: Sequence[PolicyRules]) -> tuple[Answer, ...]:
    """Ask every policy; of those that would launch a retraining, the first in the list does, and the others wait."""
    answers: list[Answer] = []
    first: Answer | None = None
    for rules in policies:
        answer = decide(evidence, rules)
        if answer.retrain and first is not None:
            words = f"waits for the policy {first.policy}, which comes before it. What asks for it: {answer.reason}"
            answer = replace(answer, action=_at_rest(evidence), guard=guards.WAITS, reason=words)
        elif answer.retrain:
            first = answer
        answers.append(answer)
    return tuple(answers)


def leading(answers: Sequence[Answer]) -> Answer:
    """Return the answer that counts of those of all policies: who launches, else who would, else the first."""
    return next((a for a in answers if a.retrain), next((a for a in answers if a.breach), answers[0]))


def decide(evidence: Evidence, rules: PolicyRules) -> Answer:
    """Judge the present champion by all rules of a policy, and hold back what a guard forbids."""
    champion = evidence.champion
    latest = max(evidence.stored, default="")
    plain = Answer(_at_rest(evidence), "", partition=latest, policy=rules.name, becomes=rules.becomes)
    if champion is None:
        return replace(plain, reason="there is no champion yet: train one first")
    judged = evidence.judged(rules)
    if len(judged):
        metric = judged[rules.metric]
        level = float(metric.tail(rules.window).median())
        plain = replace(plain, partition=str(judged["partition"].iloc[-1]), value=float(metric.iloc[-1]), level=level)
    found = findings(evidence, judged, champion, rules)
    firing = [finding for finding in found if finding.fires]
    if not firing:
        return replace(plain, reason="; ".join(finding.message for finding in found) or "no rule is set")
    first = firing[0]
    breach = _breach(evidence.log_of(rules), judged, plain.level, champion, first, rules)
    tries = guards.tries_on(evidence.launches, breach)
    reason = "; ".join(finding.message for finding in firing)
    guard, held = guards.held_by(evidence, champion, breach, tries, rules)
    attempt = len(tries) + 1
    asked = replace(plain, rule=first.rule, guard=guard, breach=breach, attempt=attempt)
    if guard:
        return replace(asked, reason=f"{held}. What asks for it: {reason}")
    action = rules.ladder[min(attempt, len(rules.ladder)) - 1]
    reason = f"{reason}; {action}, try {attempt} on this breach, on data up to {latest}"
    return replace(asked, action=action, reason=reason)


def _at_rest(evidence: Evidence) -> str:
    champion = evidence.champion
    return REFRESH if champion is not None and max(evidence.stored, default="") > champion.seen else KEEP


def _breach(
    log: pd.DataFrame, judged: pd.DataFrame, level: float, champion: Champion, first: Finding, rules: PolicyRules
) -> str:
    """Return the key of the breach: an earlier one's that goes on, or a new one's."""
    new = key_of(first, champion, rules)
    if first.rule in STOCK or log.empty:
        return new
    recent = set(judged["partition"].tail(rules.window + 1))
    earlier = log[(log["champion"] == champion.version) & log["partition"].isin(recent) & (log["breach"] != "")]
    earlier = earlier[~earlier["rule"].isin(STOCK)]
    if earlier.empty:
        return new
    known = str(earlier.sort_values(["partition", "breach"])["breach"].iloc[-1])
    tried = log[(log["breach"] == known) & ~log["action"].isin(AT_REST)]
    if len(tried) and level > WORSE * tried["level"].max():
        return key_of(replace(first, began=str(judged["partition"].iloc[-1])), champion, rules)
    return known


def as_row(answer: Answer, champion: Champion | None) -> dict[str, Any]:
    """Return an answer as the row of the log that the next evaluation reads."""
    return {
        "partition": answer.partition,
        "champion": champion.version if champion is not None else 0,
        "action": answer.action,
        "rule": answer.rule,
        "guard": answer.guard,
        "breach": answer.breach,
        "attempt": answer.attempt,
        "value": answer.value,
        "level": answer.level,
        "reason": answer.reason,
        "policy": answer.policy,
        "becomes": answer.becomes,
    }
