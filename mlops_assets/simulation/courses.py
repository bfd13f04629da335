"""What other policies would have done with the same days: nothing, and a new model every day."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

import pandas as pd

from mlops_assets.analysis.recipes import Models, Recipe
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import periods
from mlops_assets.resources.protocols import Tables
from mlops_assets.simulation.hands import TRAIN
from mlops_assets.simulation.journal import Course, Day
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.train import history_of

LIVED, NEVER, DAILY = "as lived", "never retrained", "retrained daily"
ORIGINS = 20
"""Origins, evenly over the days, that the policies are compared on."""
DOUBT = 2.0
"""Standard errors of the mean difference up to which it may be chance."""


def courses(spec: ForecastSpec, tables: Tables, days: Sequence[Day], most: int = ORIGINS) -> tuple[Course, ...]:
    """Score what was forecast, and what others would have forecast, from the same origins.

    A model of every day would take as long as the year. The models of some days are made instead, evenly over the
    year, each on what was known on its day: a sample of the daily ones, without bias. What a day's training costs is
    the mean of those that were lived.

    Args:
        spec: the forecast.
        tables: hold what was lived.
        days: that were lived.
        most: origins to compare on.

    Returns:
        Three courses; none where no model was ever champion, or all too late.
    """
    first = next((at for at, day in enumerate(days) if day.champion), None)
    reach = periods(spec, spec.horizon)
    if first is None or len(days) - reach <= first + 1:
        return ()
    every = max(1, -(-(len(days) - reach - first - 1) // most))
    stored = tables.read([spec.name, OBSERVATIONS])
    models = Models(spec, history_of(spec, stored), AsKnown.wanted(Graph(spec), tables, stored))
    keys = [day.date for day in days]
    made = set(tables.partitions([spec.name, FORECASTS]))
    found: dict[str, list[float | None]] = {name: [None] * len(days) for name in (LIVED, NEVER, DAILY)}
    for at in range(first + 1, len(days) - reach, every):
        if keys[at] not in made:
            continue
        ledger = tables.read([spec.name, FORECASTS], partitions=[keys[at]])
        found[LIVED][at] = _wql(models, ledger)
        found[NEVER][at] = _wql(models, models.forecasts(Recipe(keys[first]), keys[at]))
        found[DAILY][at] = _wql(models, models.forecasts(Recipe(keys[at]), keys[at]))
    spent = [day.cpu_seconds.get(TRAIN, 0.0) for day in days]
    once = [one for one in spent if one > 0]
    mean = sum(once) / len(once) if once else 0.0
    costs = {
        LIVED: spent,
        NEVER: [spent[at] if at == first else 0.0 for at in range(len(days))],
        DAILY: [mean if at >= first else 0.0 for at in range(len(days))],
    }
    sample = f"the models of every {every} days were made, as a sample; each day is taken to cost what a training did"
    notes = {DAILY: sample if every > 1 else ""}
    verdicts = {name: verdict(found[LIVED], found[name]) for name in (NEVER, DAILY)}
    return tuple(
        Course(name, notes.get(name, ""), tuple(found[name]), tuple(costs[name]), verdicts.get(name, ""))
        for name in found
    )


def verdict(lived: Sequence[float | None], other: Sequence[float | None]) -> str:
    """Say, for a planner, how good another policy's forecasts would have been against those that were lived.

    Models that learn from the same data differ by chance, and so do few origins from others: a mean difference within
    two standard errors, of the differences at the same origins, tells nothing.

    Args:
        lived: scores by day, the lower the better; None: nothing was scored.
        other: those of the other policy.
    """
    pairs = [
        (mine, theirs) for mine, theirs in zip(lived, other, strict=True) if mine is not None and theirs is not None
    ]
    whole = sum(mine for mine, _ in pairs)
    if len(pairs) < 2 or whole == 0:
        return "not comparable: too little was scored"
    differences = [theirs - mine for mine, theirs in pairs]
    mean = fmean(differences)
    size = f"{abs(sum(differences)) / whole:.1%} {'better' if mean < 0 else 'worse'}"
    if abs(mean) <= DOUBT * stdev(differences) / sqrt(len(pairs)):
        return f"about as good: {size} over {len(pairs)} origins, which is within chance"
    return f"{size} over {len(pairs)} origins, which is beyond chance"


def _wql(models: Models, forecasts: pd.DataFrame) -> float | None:
    scores = models.scores(forecasts)
    return round(scores["wql"], 6) if scores and pd.notna(scores["wql"]) else None
