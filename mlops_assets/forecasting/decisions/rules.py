"""One retraining policy: what it looks for, what holds it back, what it does then, and what becomes of the version."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.forecasting.evaluation.metrics import DEFAULT

KEEP, REFRESH, REWEIGH, GROW, REFIT, TUNE = "keep", "refresh", "reweigh", "grow", "refit", "tune"
"""The ladder of reuse, cheapest first: nothing; the same model on new history; new weights for the members of an
ensemble; new trees for the oldest; anew; anew, with settings that were searched for. Any other name is a kind of model
that is trained."""
AT_REST = (KEEP, REFRESH)
"""What asks for no training."""
CHALLENGE, REPLACE, KEEP_ASIDE = "challenger", "replace", "keep_aside"
"""What becomes of the new version: it must pass the gate; all of the gate but the comparison with the champion; or it
stands beside the champion until a person takes it."""
RETRAINING = "retraining"
"""Name of the policy that is the spec's `retraining`."""


@dataclass(frozen=True)
class PolicyRules:
    """When to retrain, and how. None switches a rule off.

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
        budget_window: ... in so many partitions, of all policies together.
        futility: after so many tries on the same breach that changed nothing: stop, and say so.
        ladder: what the first try on a breach does, the second, ...; the last for all further ones.
        name: of the policy, unique among those of a forecast.
        bias: a relative bias further from zero is a breach, on the side on which the latest partition is.
        scheduled: whether each tick of a schedule asks for a retraining.
        becomes: what becomes of the new version: `challenger`, `replace` or `keep_aside`.
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
    name: str = RETRAINING
    bias: float | None = None
    scheduled: bool = False
    becomes: str = CHALLENGE

    @property
    def asks(self) -> bool:
        """Whether there is anything that it looks for."""
        rules = (self.threshold, self.relative, self.skill, self.coverage, self.drift, self.bias)
        return self.scheduled or any(rule is not None for rule in (*rules, self.max_age_days, self.new_rows))
