"""Play a retraining policy over a stretch of time: over stored history, over a simulated one, against others. Pure.

The world says what would have happened, the policy what it would have done about it, partition by partition, each
knowing only what was known then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.policy import Answer, Champion, Evidence

Policy = Callable[[Evidence], Answer]
"""What decides: from the evidence of a partition to an answer."""


@dataclass(frozen=True)
class TrainingOutcome:
    """A retraining in the world.

    Attributes:
        model: the challenger; None where it is not known what came of it.
        promoted: whether it became the champion.
        cpu_seconds: what it cost.
    """

    model: Champion | None
    promoted: bool
    cpu_seconds: float


class World(Protocol):
    """What a policy is played against."""

    @property
    def partitions(self) -> Sequence[str]:
        """Keys of all partitions, oldest first."""
        ...

    def end(self, partition: str) -> pd.Timestamp:
        """Return when a partition ends."""
        ...

    def stored(self, partition: str) -> bool:
        """Return whether observations came in for it."""
        ...

    def given(self, partition: str) -> Champion | None:
        """Return the champion that the world itself brings in at the end of a partition, if any."""
        ...

    def scores(self, champion: Champion, since: str, partition: str) -> Mapping[str, float] | None:
        """Return rows, the metric and the like of a champion in charge since the end of a partition, or None."""
        ...

    def train(self, champion: Champion, partition: str, answer: Answer) -> TrainingOutcome:
        """Train a challenger on what is known at the end of a partition, and let it meet the champion."""
        ...


@dataclass(frozen=True)
class Play:
    """How a policy fared.

    Attributes:
        days: a row for each partition: partition, champion, value (the metric), action, rule, guard, breach, attempt,
            promoted, cpu_seconds, reason.
    """

    days: pd.DataFrame

    @property
    def retrainings(self) -> pd.DataFrame:
        """Only the partitions at which a training was asked for."""
        return self.days[self.days["action"].isin([policy.GROW, policy.REFIT])]

    def summary(self) -> dict[str, Any]:
        """Return in figures: how many retrainings and promotions, their processor time, and the mean metric."""
        asked = self.retrainings
        return {
            "retrainings": len(asked),
            "promoted": int(asked["promoted"].sum()),
            "cpu_seconds": float(asked["cpu_seconds"].sum()),
            "mean": float(self.days["value"].mean()),
            "at": [str(key) for key in asked["partition"]],
        }


@dataclass
class _Memory:
    """What the tables would hold."""

    stored: list[str] = field(default_factory=list)
    accuracy: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    launches: list[dict[str, Any]] = field(default_factory=list)

    def evidence(self, champion: Champion | None, until: pd.Timestamp) -> Evidence:
        rows = {"accuracy": self.accuracy[-LOOK_BACK:], "log": self.log[-LOOK_BACK:], "launches": self.launches}
        frames: dict[str, Any] = {name: pd.DataFrame(kept) for name, kept in rows.items() if kept}
        return Evidence(champion, self.stored, until, **frames)


LOOK_BACK = 100
"""Partitions of accuracy and answers that are looked back on."""


def play(world: World, decide: Policy, metric: str) -> Play:
    """Let a policy live through a world.

    Args:
        world: what happens.
        decide: the policy; `policy.decide` with its rules filled in, or another one.
        metric: which score the play reports.
    """
    memory, champion, since = _Memory(), None, ""
    days = []
    for partition in world.partitions:
        scores = world.scores(champion, since, partition) if champion is not None else None
        if scores is not None and champion is not None:
            memory.accuracy.append({"partition": partition, "model_version": champion.version, **scores})
        row = {
            "partition": partition,
            "champion": champion.version if champion is not None else 0,
            "value": scores[metric] if scores is not None else float("nan"),
        }
        given = world.given(partition)
        if given is not None and (champion is None or given.version != champion.version):
            champion, since = given, partition
        answer = Answer(policy.KEEP, "no observations have come in")
        trial = TrainingOutcome(None, False, 0.0)
        if world.stored(partition):
            memory.stored.append(partition)
            answer = decide(memory.evidence(champion, world.end(partition)))
            memory.log.append(policy.as_row(answer, champion))
            if answer.retrain and champion is not None:
                trial = world.train(champion, partition, answer)
                memory.launches.append(
                    {
                        "breach": answer.breach,
                        "attempt": answer.attempt,
                        "partition": partition,
                        "champion": champion.version,
                        "result": "promoted" if trial.promoted else "refused",
                    }
                )
                if trial.promoted and trial.model is not None:
                    champion, since = trial.model, partition
        said = policy.as_row(answer, champion)
        row |= {name: said[name] for name in ("action", "rule", "guard", "breach", "attempt", "reason")}
        days.append({**row, "promoted": trial.promoted, "cpu_seconds": trial.cpu_seconds})
    return Play(pd.DataFrame(days))


def never(_: Evidence) -> Answer:
    """Never retrain."""
    return Answer(policy.REFRESH, "never")


def always(every: int = 1) -> Policy:
    """Retrain whenever so many partitions have come in, whatever they say."""

    def decide(evidence: Evidence) -> Answer:
        due = evidence.champion is not None and len(evidence.stored) % every == 0
        return Answer(policy.REFIT, f"every {every}") if due else Answer(policy.REFRESH, f"not the {every}th")

    return decide


def naive_threshold(metric: str, threshold: float) -> Policy:
    """Retrain whenever the latest partition is above a threshold: the sensor that most pipelines have."""

    def decide(evidence: Evidence) -> Answer:
        latest = evidence.accuracy
        value = float(latest[metric].iloc[-1]) if len(latest) else float("nan")
        fresh = len(latest) > 0 and latest["partition"].iloc[-1] == evidence.stored[-1]
        if fresh and value > threshold:
            return Answer(policy.REFIT, f"{metric} {value:.4f} is above {threshold:g}", rule="threshold")
        return Answer(policy.REFRESH, f"{metric} {value:.4f} is within {threshold:g}")

    return decide
