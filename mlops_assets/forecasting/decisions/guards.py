"""What holds a retraining back that a rule asks for."""

from __future__ import annotations

from typing import Final, Literal

import pandas as pd

from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.rules import PolicyRules
from mlops_assets.forecasting.decisions.triggers import SCHEDULE

Guard = Literal["under_way", "approval", "waits", "aside", "futility", "cool_down", "budget", "minimum_new"]
Held = tuple[Guard | Literal[""], str]
"""The guard that holds a retraining back and its words; two empty texts where none does."""
WAITS: Final = "waits"
FUTILITY: Final = "futility"
"""Guards that are told apart: another policy goes first; enough was tried."""


def tries_on(launches: pd.DataFrame, breach: str) -> pd.DataFrame:
    """Return the latest launch of each try on a breach; a try is launched again if its run has died."""
    own = launches[launches["breach"] == breach]
    return own.sort_values("partition", kind="stable").drop_duplicates("attempt", keep="last")


def held_by(evidence: Evidence, champion: Champion, breach: str, tries: pd.DataFrame, rules: PolicyRules) -> Held:
    """Return the guard that holds a retraining back.

    One retraining at a time, one for each partition but for tries of the same policy, and the budget are a matter of
    all policies together; the other guards look at what the policy itself has launched.

    Args:
        evidence: all that is known.
        champion: the present one.
        breach: key of what asks for the retraining.
        tries: launches on it, as `tries_on` returns them.
        rules: the policy.
    """
    stored, own = sorted(evidence.stored), evidence.launches_of(rules)
    for guard, words in (
        _of_all(evidence, champion, stored, rules),
        _of_breach(tries, breach, rules),
        _cool_down(own, champion, stored, rules),
        _budget(evidence.launches, stored, rules),
        _minimum_new(own, champion, stored, rules),
    ):
        if guard:
            return guard, words
    return "", ""


def _of_all(evidence: Evidence, champion: Champion, stored: list[str], rules: PolicyRules) -> Held:
    launches, others = evidence.launches, evidence.launches_of_others(rules)
    waiting = launches[launches["result"] == "under way"]
    if len(waiting):
        return "under_way", f"a retraining for the breach {waiting['breach'].iloc[-1]} is under way"
    asked = launches[(launches["champion"] == champion.version) & (launches["result"] == "awaiting approval")]
    if len(asked):
        return "approval", f"the challenger of the retraining at {asked['partition'].max()} awaits approval"
    here = others[others["partition"] >= stored[-1]] if stored else others
    if len(here):
        first = here["policy"].iloc[-1]
        return WAITS, f"waits for the next partition: the policy {first} has launched a retraining on this one"
    return "", ""


def _of_breach(tries: pd.DataFrame, breach: str, rules: PolicyRules) -> Held:
    if (tries["result"] == "kept aside").any():
        return "aside", f"the version that was trained for the breach {breach} stands aside, for a person to take"
    spent = tries[tries["result"] != "promoted"]
    if len(spent) < rules.futility:
        return "", ""
    told = ", ".join(f"{count} {result}" for result, count in spent["result"].value_counts().sort_index().items())
    return FUTILITY, (
        f"{len(spent)} tries on the breach {breach} have changed nothing ({told}): no further retraining until "
        "the champion changes or the breach ends"
    )


def _cool_down(own: pd.DataFrame, champion: Champion, stored: list[str], rules: PolicyRules) -> Held:
    if own.empty:
        return "", ""
    last = str(own["partition"].max())
    since = sum(key > last for key in stored)
    idle = own[(own["champion"] == champion.version) & ~own["result"].isin(("promoted", "kept aside"))]
    wait = rules.cool_down * 2 ** max(idle.drop_duplicates(["breach", "attempt"]).shape[0] - 1, 0)
    if since >= wait:
        return "", ""
    return "cool_down", f"cool-down: {since} of {wait} partitions have arrived since the retraining at {last}"


def _budget(launches: pd.DataFrame, stored: list[str], rules: PolicyRules) -> Held:
    """A schedule is bounded by itself: what it launches is not held back by the budget, and spends none of it."""
    if rules.scheduled or launches.empty:
        return "", ""
    since = stored[-rules.budget_window - 1] if len(stored) > rules.budget_window else ""
    lately = launches[(launches["partition"] > since) & ~launches["breach"].str.startswith(f"{SCHEDULE} ")]
    count = lately.drop_duplicates(["breach", "attempt"]).shape[0]
    if count < rules.budget:
        return "", ""
    return "budget", f"{count} retrainings in the last {rules.budget_window} partitions, {rules.budget} are allowed"


def _minimum_new(own: pd.DataFrame, champion: Champion, stored: list[str], rules: PolicyRules) -> Held:
    last = max([champion.seen, *own["partition"]])
    new = sum(key > last for key in stored)
    if new >= rules.minimum_new:
        return "", ""
    return "minimum_new", (f"only {new} partitions are new since the last training, {rules.minimum_new} are needed")
