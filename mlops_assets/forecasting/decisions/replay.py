"""Play retraining policies over a stretch of time: over stored history, over a simulated one, against others. Pure.

The world says what would have happened, the policies what they would have done about it, partition by partition, each
knowing only what was known then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.evidence import Champion, Evidence
from mlops_assets.forecasting.decisions.policy import Answer
from mlops_assets.forecasting.decisions.rules import AT_REST, KEEP, KEEP_ASIDE, REFIT, REFRESH

Policies = Callable[[Evidence], Sequence[Answer]]
"""What decides: from the evidence of a partition to the answers of all policies, of which at most one asks for a
retraining."""


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
    """How some policies fared together.

    Attributes:
        days: a row for each partition, with the answer that counts of those of all policies (`policy.leading`):
            partition, champion, value (the metric), policy, action, becomes, rule, guard, breach, attempt, promoted,
            cpu_seconds, reason.
        answers: what each policy said of each partition that came in, as `policy.as_row` has it.
    """

    days: pd.DataFrame
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def retrainings(self) -> pd.DataFrame:
        """Only the partitions at which a training was asked for."""
        return self.days[~self.days["action"].isin(AT_REST)]

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

    def evidence(self, champion: Champion | None, until: pd.Timestamp, policies: int) -> Evidence:
        log = self.log[-LOOK_BACK * policies :]
        rows = {"accuracy": self.accuracy[-LOOK_BACK:], "log": log, "launches": self.launches}
        frames: dict[str, Any] = {name: pd.DataFrame(kept) for name, kept in rows.items() if kept}
        return Evidence(champion, self.stored, until, **frames)


LOOK_BACK = 100
"""Partitions of accuracy and answers that are looked back on."""


def play(world: World, decide: Policies, metric: str) -> Play:
    """Let policies live through a world.

    Args:
        world: what happens.
        decide: the policies; `policy.decide_all` with their rules filled in, or others. They are asked at the
            end of each partition.
        metric: which score the play reports.
    """
    memory, champion, since = _Memory(), None, ""
    days, said = [], [Answer(KEEP, "")]
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
        answer = Answer(KEEP, "no observations have come in")
        trial = TrainingOutcome(None, False, 0.0)
        if world.stored(partition):
            memory.stored.append(partition)
            end = world.end(partition)
            said = decide(memory.evidence(champion, end, len(said)))
            memory.log += [{**policy.as_row(one, champion), "at": end} for one in said]
            answer = policy.leading(said)
            if answer.retrain and champion is not None:
                trial = world.train(champion, partition, answer)
                memory.launches.append(_launch(answer, champion, partition, trial))
                if trial.promoted and trial.model is not None:
                    champion, since = trial.model, partition
        told = policy.as_row(answer, champion)
        row |= {name: told[name] for name in _TOLD}
        days.append({**row, "promoted": trial.promoted, "cpu_seconds": trial.cpu_seconds})
    return Play(pd.DataFrame(days), pd.DataFrame(memory.log))


_TOLD = ("policy", "action", "becomes", "rule", "guard", "breach", "attempt", "reason")


def _launch(answer: Answer, champion: Champion, partition: str, trial: TrainingOutcome) -> dict[str, Any]:
    """Return a retraining as the row of the launches that the policies read."""
    aside = "kept aside" if answer.becomes == KEEP_ASIDE else "refused"
    return {
        "policy": answer.policy,
        "breach": answer.breach,
        "attempt": answer.attempt,
        "partition": partition,
        "champion": champion.version,
        "result": "promoted" if trial.promoted else aside,
    }


def never(_: Evidence) -> Sequence[Answer]:
    """Never retrain."""
    return (Answer(REFRESH, "never"),)


def always(every: int = 1) -> Policies:
    """Retrain whenever so many partitions have come in, whatever they say."""

    def decide(evidence: Evidence) -> Sequence[Answer]:
        due = evidence.champion is not None and len(evidence.stored) % every == 0
        return (Answer(REFIT, f"every {every}") if due else Answer(REFRESH, f"not the {every}th"),)

    return decide


def naive_threshold(metric: str, threshold: float) -> Policies:
    """Retrain whenever the latest partition is above a threshold: the sensor that most pipelines have."""

    def decide(evidence: Evidence) -> Sequence[Answer]:
        latest = evidence.accuracy
        value = float(latest[metric].iloc[-1]) if len(latest) else float("nan")
        fresh = len(latest) > 0 and latest["partition"].iloc[-1] == evidence.stored[-1]
        if fresh and value > threshold:
            return (Answer(REFIT, f"{metric} {value:.4f} is above {threshold:g}", rule="threshold"),)
        return (Answer(REFRESH, f"{metric} {value:.4f} is within {threshold:g}"),)

    return decide
