"""Grow a forest: new trees on recent rows in place of its oldest ones, for a fraction of the cost of a new forest.

A warm start for a forest that is retrained again and again: the features, their encoding and the scaling stay as they
were learnt at the last refit, and each growth replaces a share of the trees, so that the forest is renewed piece by
piece. After Saffari et al. (2009), "On-line random forests", ICCV Workshops, where trees with a poor record are
replaced; here the oldest go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pandas as pd

from . import regressors
from .errors import UsageError
from .features import feature_columns
from .fitting import SHARE as ROWS_SHARE
from .fitting import Sample, fit_mixture
from .forecaster import LEVEL, Forecaster
from .kinds import Model
from .panel import TARGET, TIME
from .scaling import Scaling
from .task import Task
from .trees import Trees, join

SHARE = 0.25
"""Of the forest's trees that one growth replaces."""
RECENT = 0.5
"""Least share of the training rows, the latest, that new trees learn from."""


def why_not(old: Model, training: pd.DataFrame, task: Task) -> str:
    """Return why a forest cannot be grown on these rows, or an empty text."""
    if not isinstance(old, Forecaster) or not isinstance(old.model, Trees) or not regressors.is_forest(task.model.kind):
        return f"only forests grow, and the model is {task.model.kind}"
    if old.task != task:
        return "the task has changed since it was fitted (features, horizon, parameters)"
    if Scaling.from_name(str(training["scaling"].iloc[0])) != old.scaling:
        return "the data ask for another scaling than it was fitted with"
    if feature_columns(training) != old.encoding.names:
        return "the features are not those that it was fitted with"
    if missing := {*old.bases} - {LEVEL, *training.columns}:
        return f"its trees have learnt from what is no longer made ({', '.join(sorted(missing))})"
    return ""


def grow(
    old: Model,
    training: pd.DataFrame,
    trained_until: pd.Timestamp,
    share: float = SHARE,
    recent: float = RECENT,
) -> Forecaster:
    """Replace the oldest trees of a forest by new ones.

    Args:
        old: the forest; it is not changed.
        training: rows of `features.training_rows` up to the present.
        trained_until: the last timestamp that the forest has learnt from: what came after is always learnt from.
        share: of the trees to replace, above 0; at least one is.
        recent: least share of the rows, the latest, that the new trees learn from.

    Returns:
        A forest with as many trees as before, the new ones last.

    Raises:
        ValueError: `why_not` has a reason.
    """
    reason = why_not(old, training, old.task)
    if reason or not isinstance(old, Forecaster) or not isinstance(old.model, Trees):
        raise UsageError(f"the forest cannot be grown: {reason}")
    trees = old.model.count
    new = max(1, round(share * trees))
    times = pd.to_datetime(training[TIME])
    latest = times.sort_values().iloc[int((1 - recent) * (len(times) - 1)) :]
    since = min(latest.iloc[0], trained_until)
    rows = training[(times >= since).to_numpy()]
    model = old.task.model
    model = replace(model, seed=(model.seed + int(times.max().timestamp())) % 2**32)
    as_many = ROWS_SHARE * len(training) / len(rows)
    younger, bases, their_importance = fit_mixture(
        model, Sample.of(rows, old.encoding), Counter(old.bases[:new]), share=as_many
    )
    grown = join([old.model.part(new, trees), younger])
    importance = (1 - new / trees) * old.importance + new / trees * their_importance
    known = {"model": grown, "importance": importance, "bases": (*old.bases[new:], *bases)}
    return replace(old, **known, lowest=min(old.lowest, float(training[TARGET].min())))
