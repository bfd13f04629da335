"""The retraining policy: does the accuracy so far ask for a new model? Pure; the sensor carries the answer out."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class RetrainingDecision:
    """The policy's answer for the latest scored partition.

    Attributes:
        retrain: whether to ask for a retraining.
        partition: the latest scored partition, or None without any.
        reason: why or why not, in words and numbers.
    """

    retrain: bool
    partition: str | None
    reason: str


def decide(
    history: pd.DataFrame, metric: str, threshold: float | None, breaches: int = 3, window: int = 5
) -> RetrainingDecision:
    """Judge the accuracy of the latest partitions.

    A retraining is asked for when at least `breaches` of the last `window` scored partitions lie above the
    threshold, the latest among them: a single bad day is not a reason (on healthy daily errors a single point
    breaches about once a month).

    Args:
        history: one row for each partition that could be scored, with the columns `partition` (sortable text),
            `rows` (how many forecasts were scored) and one named as the metric; any order.
        metric: name of the metric; lower is better.
        threshold: a higher value is a breach; None: never retrain by accuracy.
        breaches: how many breaches it takes.
        window: among how many of the latest partitions.
    """
    if threshold is None:
        return RetrainingDecision(
            False, None, "retraining.threshold is not set, so accuracy never asks for a retraining"
        )
    scored = history[history["rows"] > 0] if len(history) else history
    scored = scored[scored[metric].notna()] if len(scored) else scored
    if scored.empty:
        return RetrainingDecision(False, None, "no forecast has been scored yet")
    recent = scored.sort_values("partition").tail(window)
    latest = recent.iloc[-1]
    partition, value = str(latest["partition"]), float(latest[metric])
    count = int((recent[metric] > threshold).sum())
    counted = f"{count} of the last {len(recent)} partitions above {threshold:g} ({breaches} of {window} are needed)"
    if value <= threshold:
        return RetrainingDecision(
            False, partition, f"{metric} of {partition} is {value:.4f}, within {threshold:g}; {counted}"
        )
    if count < breaches:
        return RetrainingDecision(
            False, partition, f"{metric} of {partition} is {value:.4f}, above {threshold:g}, but only {counted}"
        )
    return RetrainingDecision(True, partition, f"{metric} of {partition} is {value:.4f}; {counted}")
