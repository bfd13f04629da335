"""What must hold of the decisions on a simulated forecast: one champion, and every decision explains itself."""

from collections.abc import Sequence
from functools import cache

import pandas as pd

from mlops_assets.forecasting.decisions.rules import AT_REST
from mlops_assets.lifecycle.decisions import verdict_of
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.journal import Asked
from mlops_assets.tracking.registry import CHAMPION


def faults_of_decisions(forecast: Forecast) -> list[str]:
    """Return what is wrong with the log of decisions and with the registry beside it, in words."""
    log = forecast.life.log.all()
    found, before = [], None
    told = ["number", "champion_before", "champion_after", "outcome", "reason", "rules"]
    for number, was, becomes, outcome, reason, rules in zip(*(log[name] for name in told), strict=True):
        who = f"decision {number}"
        if (said := _number(was)) != before:
            found.append(f"{who} takes {said} for the champion, who is {before}")
        if not reason:
            found.append(f"{who} says nothing of why")
        found += [f"{who}: {words}" for words in _of_verdict(outcome, reason, rules)]
        before = _number(becomes)
    registry = forecast.life.registry
    alias, there = registry.by_alias(CHAMPION), {version.number for version in registry.versions()}
    if before is not None and before not in there:
        return found  # it was lost since anybody looked: the log learns of it in the next round
    if (alias.number if alias is not None else None) != before:
        found.append(f"the registry calls {alias.number if alias else 'nobody'} champion, and the log {before}")
    production = [version.number for version in registry.versions() if version.tags.get("stage") == "Production"]
    if production != [before] and (production or before is not None):
        found.append(f"versions {production} are in production, and the champion is {before}")
    return found


def faults_of_answers(asked: Sequence[Asked]) -> list[str]:
    """Return what does not fit together in what the policies have answered on a day."""
    found = [f"the policy {one.policy} says nothing of why" for one in asked if not one.reason]
    found += [f"{one.policy} trains, and no rule asks for it" for one in asked if _trains(one) and not one.rule]
    found += [f"{one.policy} trains, and {one.guard} holds it back" for one in asked if _trains(one) and one.guard]
    found += [f"{one.policy} is held back from nothing" for one in asked if one.guard and not one.rule]
    if len(several := [one.policy for one in asked if _trains(one)]) > 1:
        found.append(f"several policies train at once: {', '.join(several)}")
    return found


def _trains(answer: Asked) -> bool:
    return answer.action not in AT_REST


@cache  # each evening looks at all decisions
def _of_verdict(outcome: str, reason: str, rules: str) -> list[str]:
    """Return what does not fit together in a verdict of the gate."""
    verdict = verdict_of(rules)
    if verdict is None:
        return []
    failed = [rule["name"] for rule in verdict["rules"] if rule["state"] in ("failed", "missing")]
    found = []
    if outcome == "refused" and not failed:
        found.append("it refuses, and no rule has failed")
    if outcome == "refused" and (silent := [name for name in failed if name not in reason]):
        found.append(f"it does not name the rules {', '.join(silent)}")
    if outcome != "refused" and (grave := {*failed} - {"against_champion", "segments"}):
        found.append(f"it lets a version pass that fails {', '.join(sorted(grave))}")
    naive = next(rule for rule in verdict["rules"] if rule["name"] == "better_than_naive")
    numbers = naive["numbers"]
    if numbers and (numbers["first"] < numbers["second"]) != (naive["state"] == "passed"):
        found.append(f"it calls {numbers['first']} against seasonal naive's {numbers['second']} {naive['state']}")
    return found


def _number(value: object) -> int | None:
    return None if pd.isna(value) else int(value)  # pyright: ignore[reportArgumentType, reportCallIssue]
