"""The retraining policy: does what has been seen ask for a new model? Pure; the sensor carries the answer out.

Rules look for a reason to retrain; guards hold it back. What counts as the *same breach* decides when to stop trying:

- For the rules on accuracy, coverage and drift, a breach belongs to one champion and begins with the first bad
  partition of the window in which a rule fired. It goes on until no rule has fired for a whole window of partitions
  that could be judged, as the log of earlier answers tells. A new champion is a new breach: its own forecasts must be
  bad. So is a level of error half as high again as at the last try: something else has happened since.
- For age and new rows, a breach is each further multiple of the limit, so that a model that was once kept because its
  challengers were no better is challenged again when it is twice as old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import pandas as pd

from mlops_assets.forecasting.evaluation.metrics import DEFAULT

KEEP, REFRESH, GROW, REFIT = "keep", "refresh", "grow", "refit"
"""The ladder of reuse, cheapest first: nothing; the same forest on new history; new trees for the oldest; anew."""


@dataclass(frozen=True)
class PolicyRules:
    """When to retrain. None switches a rule off.

    Attributes:
        metric: what is watched; lower is better.
        threshold: a higher metric is a breach.
        relative: a metric higher than this many times the champion's own in its backtest is a breach.
        skill: a lower skill against seasonal naive (1 - MASE / naive's MASE) is a breach.
        coverage: lowest and highest share of actuals within the interval; outside is a breach.
        drift: a higher drift of the data is a breach.
        breaches: so many of the last `window` partitions must be in breach, the latest too.
        window: how many of the latest partitions that can be judged are looked at.
        matured: share of the fullest partition's rows that a partition needs to be judged.
        max_age_days: a champion whose data ended longer ago is too old.
        new_rows: so many observations since the champion's training are reason enough.
        cool_down: partitions that must arrive after a retraining before the next; doubled with each further one in a
            row that changed nothing.
        minimum_new: partitions that must have arrived since the last training.
        budget: at most so many ...
        budget_window: ... in so many partitions.
        futility: after so many tries on the same breach that changed nothing: stop, and say so.
        ladder: what the first try on a breach does, the second, ...; the last for all further ones.
    """

    metric: str = DEFAULT
    threshold: float | None = None
    relative: float | None = 1.25
    skill: float | None = None
    coverage: tuple[float, float] | None = None
    drift: float | None = None
    breaches: int = 3
    window: int = 5
    matured: float = 0.5
    max_age_days: float | None = None
    new_rows: int | None = None
    cool_down: int = 5
    minimum_new: int = 3
    budget: int = 4
    budget_window: int = 30
    futility: int = 3
    ladder: tuple[str, ...] = (REFIT,)


@dataclass(frozen=True)
class Champion:
    """The present champion.

    Attributes:
        version: its number.
        trained_until: the last timestamp that it has learnt from.
        backtest: its own scores when it was trained: metric -> value.
    """

    version: int
    trained_until: pd.Timestamp
    backtest: Mapping[str, float] = field(default_factory=dict)


WORSE = 1.5
"""A breach that is so many times worse than when something was last tried against it is another one."""
STOCK = ("age", "new_rows")
"""Rules that look at the model's age and at the data that wait, not at how single partitions went."""


def _table(**columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


@dataclass(frozen=True)
class Evidence:
    """All that the policy looks at. Frames may have more columns and any order of rows; partitions sort as text.

    Attributes:
        champion: the present champion, or None.
        stored: keys of the stored partitions of observations, `%Y-%m-%d` or `%Y-%m-%d-%H:%M`.
        until: end of the latest of them.
        accuracy: a row for each scored partition and model version: partition, model_version, rows, the metric and,
            for the rules that need them, skill and coverage.
        log: earlier answers: partition, champion, action, rule, breach ("" where no rule fired) and level.
        launches: a row for each retraining asked for by this policy: breach, attempt, partition (the latest stored when
            it began), champion (when it began), result (`under way`, `promoted`, `awaiting approval`; all else, such as
            `refused`, `failed` or `unchanged`, is a try that changed nothing).
        drift: a row for each partition: partition, drift.
        new_rows: observations that came after the champion's training; None if nobody counted.
    """

    champion: Champion | None
    stored: Sequence[str] = ()
    until: pd.Timestamp | None = None
    accuracy: pd.DataFrame = field(
        default_factory=lambda: _table(partition="object", model_version="int64", rows="int64")
    )
    log: pd.DataFrame = field(
        default_factory=lambda: _table(
            partition="object", champion="int64", action="object", rule="object", breach="object", level="float64"
        )
    )
    launches: pd.DataFrame = field(
        default_factory=lambda: _table(
            breach="object", attempt="int64", partition="object", champion="int64", result="object"
        )
    )
    drift: pd.DataFrame | None = None
    new_rows: int | None = None


@dataclass(frozen=True)
class Answer:
    """What the policy says.

    Attributes:
        action: `keep`, `refresh`, `grow` or `refit`.
        reason: why, in words and numbers.
        rule: the rule that fired; "" if none did.
        guard: the guard that held a retraining back; "" if none did.
        breach: key of the breach: the champion and where it began; "" if no rule fired.
        attempt: number of the try on this breach that this is, or would be.
        partition: the latest partition that was judged, else the latest stored; "" without either.
        value: the metric of that partition, NaN if it was not judged.
        level: median of the metric over the last window, NaN if nothing was judged.
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

    @property
    def retrain(self) -> bool:
        """Whether a training is asked for."""
        return self.action in (GROW, REFIT)


@dataclass(frozen=True)
class _Finding:
    """What a rule found: whether it fires, since when, and what it says."""

    rule: str
    fires: bool
    message: str
    began: str = ""


def decide(evidence: Evidence, rules: PolicyRules) -> Answer:
    """Judge the present champion by all rules, and hold back what a guard forbids."""
    champion = evidence.champion
    latest = max(evidence.stored, default="")
    if champion is None:
        return Answer(KEEP, "there is no champion yet: train one first", partition=latest)
    judged = _judged(evidence.accuracy, champion, rules)
    partition, value, level = latest, float("nan"), float("nan")
    if len(judged):
        partition, value = str(judged["partition"].iloc[-1]), float(judged[rules.metric].iloc[-1])
        level = float(judged[rules.metric].tail(rules.window).median())
    findings = [*_window_findings(evidence, judged, champion, rules), *_stock_findings(evidence, champion, rules)]
    firing = [finding for finding in findings if finding.fires]
    rest = REFRESH if latest > _seen(champion) else KEEP
    if not firing:
        words = "; ".join(finding.message for finding in findings) or "no rule is set"
        return Answer(rest, words, partition=partition, value=value, level=level)
    first = firing[0]
    breach = _breach(evidence.log, judged, level, champion, first, rules)
    tries = _tries(evidence.launches, breach)
    reason = "; ".join(finding.message for finding in firing)
    guard, held = _guard(evidence, champion, breach, tries, rules)
    attempt = len(tries) + 1
    if guard:
        action = rest
        reason = f"{held}. What asks for it: {reason}"
    else:
        action = rules.ladder[min(attempt, len(rules.ladder)) - 1]
        reason = f"{reason}; {action}, try {attempt} on this breach, on data up to {latest}"
    return Answer(action, reason, first.rule, guard, breach, attempt, partition, value, level)


def _seen(champion: Champion) -> str:
    """As a partition's key: those that sort after it came after the champion's training."""
    return f"{champion.trained_until:%Y-%m-%d-%H:%M}"


def _judged(accuracy: pd.DataFrame, champion: Champion, rules: PolicyRules) -> pd.DataFrame:
    """Return the partitions that vote, oldest first: scored for the present champion, with enough rows."""
    if accuracy.empty:
        return pd.DataFrame(columns=["partition", "rows", rules.metric, "skill", "coverage"])
    own = accuracy[(accuracy["model_version"] == champion.version) & (accuracy["rows"] > 0)]
    own = own[own[rules.metric].notna()]
    fullest = own["rows"].max() if len(own) else 0
    return own[own["rows"] >= rules.matured * fullest].sort_values("partition")


def _window_findings(
    evidence: Evidence, judged: pd.DataFrame, champion: Champion, rules: PolicyRules
) -> list[_Finding]:
    """Return what the rules found that need so many of the last partitions."""
    findings = []
    metric = judged.set_index("partition")[rules.metric] if len(judged) else pd.Series(dtype=float)
    if rules.relative is not None:
        own = champion.backtest.get(rules.metric)
        if own is None or not isfinite(own):
            words = f"the backtest of version {champion.version} has no {rules.metric} to compare with"
            findings.append(_Finding("relative", False, words))
        else:
            named = f"{rules.relative:g} × its backtest's {own:.4f}"
            findings.append(_above("relative", rules.metric, metric, rules.relative * own, named, rules))
    if rules.threshold is not None:
        findings.append(_above("threshold", rules.metric, metric, rules.threshold, "the threshold", rules))
    if rules.skill is not None:
        skill = _column(judged, "skill")
        findings.append(_counted("skill", "skill", skill, skill < rules.skill, f"below {rules.skill:g}", rules))
    if rules.coverage is not None:
        low, high = rules.coverage
        share = _column(judged, "coverage")
        outside = (share < low) | (share > high)
        findings.append(_counted("coverage", "coverage", share, outside, f"outside {low:g} to {high:g}", rules))
    if rules.drift is not None:
        table = evidence.drift if evidence.drift is not None else pd.DataFrame(columns=["partition", "drift"])
        later = table[table["partition"] > _seen(champion)].sort_values("partition")
        drift = later.set_index("partition")["drift"].astype(float)
        findings.append(_above("drift", "drift", drift, rules.drift, "the limit", rules))
    return findings


def _column(judged: pd.DataFrame, name: str) -> pd.Series:
    if judged.empty or name not in judged:
        return pd.Series(dtype=float)
    return judged.set_index("partition")[name].astype(float)


def _above(rule: str, what: str, values: pd.Series, limit: float, named: str, rules: PolicyRules) -> _Finding:
    return _counted(rule, what, values, values > limit, f"above {limit:.4f} ({named})", rules)


def _counted(rule: str, what: str, values: pd.Series, bad: pd.Series, where: str, rules: PolicyRules) -> _Finding:
    """Fire if enough of the last partitions are bad, the latest too; partitions without a value are passed over."""
    known = values.notna()
    values, bad = values[known].tail(rules.window), bad[known].tail(rules.window)
    if values.empty:
        return _Finding(rule, False, f"{what}: no forecast of the champion has been scored yet")
    count, partition = int(bad.sum()), str(values.index[-1])
    fires = bool(bad.iloc[-1]) and count >= rules.breaches
    verb = "is" if bad.iloc[-1] else "is not"
    words = (
        f"{what} {values.iloc[-1]:.4f} of {partition} {verb} {where}; "
        f"{count} of the last {len(values)} partitions {'is' if count == 1 else 'are'}, "
        f"{rules.breaches} of {rules.window} are needed"
    )
    return _Finding(rule, fires, words, str(bad.index[bad][0]) if count else "")


def _stock_findings(evidence: Evidence, champion: Champion, rules: PolicyRules) -> list[_Finding]:
    """Return what the rules found that look at the model's age and at the data that wait."""
    findings = []
    if rules.max_age_days is not None and evidence.until is not None:
        days = (evidence.until - champion.trained_until) / pd.Timedelta(days=1)
        times = int(days // rules.max_age_days)
        words = f"version {champion.version} was trained on data up to {champion.trained_until}, {days:.0f} days ago"
        words += f" ({rules.max_age_days:g} are allowed)"
        findings.append(_Finding("age", times > 0, words, f"age {times} × {rules.max_age_days:g} days"))
    if rules.new_rows is not None and evidence.new_rows is not None:
        times = evidence.new_rows // rules.new_rows
        words = f"{evidence.new_rows:,} observations came after the training ({rules.new_rows:,} are enough)"
        findings.append(_Finding("new_rows", times > 0, words, f"new rows {times} × {rules.new_rows}"))
    return findings


def _breach(
    log: pd.DataFrame, judged: pd.DataFrame, level: float, champion: Champion, first: _Finding, rules: PolicyRules
) -> str:
    """Return the key of the breach: an earlier one's that goes on, or a new one's."""
    new = f"v{champion.version} {first.began}"
    if first.rule in STOCK or log.empty:
        return new
    recent = set(judged["partition"].tail(rules.window + 1))
    earlier = log[(log["champion"] == champion.version) & log["partition"].isin(recent) & (log["breach"] != "")]
    earlier = earlier[~earlier["rule"].isin(STOCK)]
    if earlier.empty:
        return new
    known = str(earlier.sort_values(["partition", "breach"])["breach"].iloc[-1])
    tried = log[(log["breach"] == known) & log["action"].isin([GROW, REFIT])]
    if len(tried) and level > WORSE * tried["level"].max():
        return f"v{champion.version} {judged['partition'].iloc[-1]}"
    return known


def _tries(launches: pd.DataFrame, breach: str) -> pd.DataFrame:
    """Return the latest launch of each try on a breach; a try is launched again if its run has died."""
    own = launches[launches["breach"] == breach]
    return own.sort_values("partition", kind="stable").drop_duplicates("attempt", keep="last")


def _guard(
    evidence: Evidence, champion: Champion, breach: str, tries: pd.DataFrame, rules: PolicyRules
) -> tuple[str, str]:
    """Return the guard that holds a retraining back and its words, or two empty texts."""
    launches = evidence.launches
    waiting = launches[launches["result"] == "under way"]
    if len(waiting):
        return "under_way", f"a retraining for the breach {waiting['breach'].iloc[-1]} is under way"
    asked = launches[(launches["champion"] == champion.version) & (launches["result"] == "awaiting approval")]
    if len(asked):
        return "approval", f"the challenger of the retraining at {asked['partition'].max()} awaits approval"
    spent = tries[tries["result"] != "promoted"]
    if len(spent) >= rules.futility:
        told = ", ".join(f"{count} {result}" for result, count in spent["result"].value_counts().sort_index().items())
        return "futility", (
            f"{len(spent)} tries on the breach {breach} have changed nothing ({told}): no further retraining until "
            "the champion changes or the breach ends"
        )
    stored = sorted(evidence.stored)
    if len(launches):
        last = str(launches["partition"].max())
        since = sum(key > last for key in stored)
        idle = launches[(launches["champion"] == champion.version) & (launches["result"] != "promoted")]
        wait = rules.cool_down * 2 ** max(idle.drop_duplicates(["breach", "attempt"]).shape[0] - 1, 0)
        if since < wait:
            return "cool_down", f"cool-down: {since} of {wait} partitions have arrived since the retraining at {last}"
        lately = launches[
            launches["partition"] > (stored[-rules.budget_window - 1] if len(stored) > rules.budget_window else "")
        ]
        count = lately.drop_duplicates(["breach", "attempt"]).shape[0]
        if count >= rules.budget:
            return "budget", (
                f"{count} retrainings in the last {rules.budget_window} partitions, {rules.budget} are allowed"
            )
    last = max([_seen(champion), *launches["partition"]]) if len(launches) else _seen(champion)
    new = sum(key > last for key in stored)
    if new < rules.minimum_new:
        return "minimum_new", f"only {new} partitions are new since the last training, {rules.minimum_new} are needed"
    return "", ""


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
    }
