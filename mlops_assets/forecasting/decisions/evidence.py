"""All that retraining policies look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mlops_assets.forecasting.decisions.rules import PolicyRules


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

    @property
    def seen(self) -> str:
        """The same as a partition's key: those that sort after it came after the champion's training."""
        return f"{self.trained_until:%Y-%m-%d-%H:%M}"


def _table(**columns: str) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})


@dataclass(frozen=True)
class Evidence:
    """All that the policies look at. Frames may have more columns and any order of rows; partitions sort as text.

    Attributes:
        champion: the present champion, or None.
        stored: keys of the stored partitions of observations, `%Y-%m-%d` or `%Y-%m-%d-%H:%M`.
        until: end of the latest of them.
        accuracy: a row for each scored partition and model version: partition, model_version, rows, the metric and,
            for the rules that need them, skill, coverage and bias.
        log: earlier answers: partition, champion, action, rule, breach ("" where no rule fired) and level; where there
            are several policies, policy; for a scheduled one, at.
        launches: a row for each retraining that was asked for: breach, attempt, partition (the latest stored when it
            began), champion (when it began), result (`under way`, `promoted`, `awaiting approval`, `kept aside`; all
            else, such as `refused`, `failed` or `unchanged`, is a try that changed nothing); where there are several
            policies, policy ("": none has asked for it, and it counts for all).
        drift: a row for each partition: partition, drift.
        new_rows: observations that came after the champion's training; None if nobody counted.
        ticks: name of a scheduled policy -> the latest tick of its schedule, by the clock of `at` and `until`.
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
    ticks: Mapping[str, pd.Timestamp] = field(default_factory=dict)

    def log_of(self, rules: PolicyRules) -> pd.DataFrame:
        """Return the earlier answers of a policy."""
        return self.log[self.log["policy"] == rules.name] if "policy" in self.log else self.log

    def launches_of(self, rules: PolicyRules) -> pd.DataFrame:
        """Return the launches that count for a policy: its own, and those that no policy has asked for."""
        launches = self.launches
        return launches[launches["policy"].isin((rules.name, ""))] if "policy" in launches else launches

    def launches_of_others(self, rules: PolicyRules) -> pd.DataFrame:
        """Return the launches of the other policies."""
        return self.launches.drop(self.launches_of(rules).index)

    def judged(self, rules: PolicyRules) -> pd.DataFrame:
        """Return the partitions that vote, oldest first: scored for the present champion, with enough rows."""
        accuracy, champion = self.accuracy, self.champion
        if accuracy.empty or champion is None:
            return pd.DataFrame(columns=["partition", "rows", rules.metric, "skill", "coverage"])
        own = accuracy[(accuracy["model_version"] == champion.version) & (accuracy["rows"] > 0)]
        own = own[own[rules.metric].notna()]
        fullest = own["rows"].max() if len(own) else 0
        return own[own["rows"] >= rules.matured * fullest].sort_values("partition")
