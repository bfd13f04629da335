"""Why a forecast is what it is: what the model leans on, and the past that one row of it resembles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mlops_assets.forecasting.evaluation import backtest, metrics
from mlops_assets.forecasting.model import baselines, features, kinds
from mlops_assets.forecasting.model.encoding import plain_columns
from mlops_assets.forecasting.model.errors import DataError, UsageError
from mlops_assets.forecasting.model.forecaster import LEVEL, Forecaster
from mlops_assets.forecasting.model.kinds import Model
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME
from mlops_assets.forecasting.model.scaling import rebased
from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.model.trees import Trees


def by_group(importances: pd.DataFrame) -> pd.DataFrame:
    """Sum importances by group of features: columns group, importance; largest first.

    Args:
        importances: of `kinds.importances`.
    """
    total = importances.groupby("group")["importance"].sum().sort_values(ascending=False)
    return total.reset_index()


def permutation_importance(
    frame: pd.DataFrame,
    task: Task,
    windows: int = 3,
    step: int | None = None,
    *,
    metric: str = metrics.DEFAULT,
    repeats: int = 3,
) -> pd.DataFrame:
    """Say how much worse the backtest's forecasts get when a group of features tells nothing.

    At each of the backtest's origins a model is fitted on what was known; then the columns of one group are
    shuffled together between the rows that it forecasts. Breiman (2001), "Random forests", Machine Learning 45;
    groups, because shuffling one of several columns that say the same shows nothing.

    Args:
        frame: canonical long table.
        task: what is forecast.
        windows: number of origins.
        step: steps between origins; None is the horizon.
        metric: a column of `metrics.score` of which lower is better.
        repeats: shuffles of each group at each origin, seeded by the task's seed.

    Returns:
        Columns group, metric (its value with the group shuffled), worse (the difference to the value without), share
        (of the differences above zero); largest first. The first row, of group `none`, is the value without.

    Raises:
        UsageError: the kind of model has no features to shuffle.
        DataError: history too short for the windows, or no item has enough of it.
    """
    random = np.random.default_rng(task.model.seed)
    parts: dict[str, list[pd.DataFrame]] = {}
    for window, origin in enumerate(backtest.origins(frame, task, windows, step)):
        seen = frame.loc[(frame[TIME] <= origin).to_numpy()]
        model = kinds.fit(kinds.rows(seen, task), task)
        if not isinstance(model, Forecaster):
            raise UsageError(without_features(task.model.kind))
        place, rows = model.feature_rows(frame, origin, items=baselines.alive_items(seen, task, origin))
        came = frame[[ITEM, TIME, TARGET]].merge(metrics.seasonal_scale(seen, task), on=ITEM)
        known = place.assign(window=window).merge(came, on=[ITEM, TIME], how="left")
        for group, changed in [("none", rows), *_shuffled(rows, repeats, random)]:
            mean, levels = model.outcomes(changed, np.asarray(task.quantiles))
            forecast = known.assign(mean=mean, **dict(zip(task.quantile_columns, levels.T, strict=True)))
            parts.setdefault(group, []).append(forecast)
    scores = {group: metrics.score(pd.concat(tables), task)[metric].iloc[0] for group, tables in parts.items()}
    table = pd.DataFrame({"group": list(scores), metric: list(scores.values())})
    table["worse"] = table[metric] - scores["none"]
    gain = table["worse"].clip(lower=0)
    table["share"] = gain / gain.sum() if gain.sum() > 0 else 0.0
    first = table["group"] == "none"
    return pd.concat([table[first], table[~first].sort_values("worse", ascending=False)], ignore_index=True)


def _shuffled(rows: features.Rows, repeats: int, random: np.random.Generator) -> list[tuple[str, features.Rows]]:
    names: dict[str, list[str]] = {"lead": []}
    for name in rows.features:
        names.setdefault(features.group_of(name), []).append(name)
    found = []
    for group, columns in names.items():
        for _ in range(repeats):
            place = random.permutation(len(rows.lead))
            changed = {**rows.features, **{name: rows.features[name][place] for name in columns}}
            lead = rows.lead[place] if group == "lead" else rows.lead
            found.append((group, replace(rows, features=changed, lead=lead)))
    return found


def without_features(kind: str) -> str:
    """Say what cannot be explained of a kind of model that has no features."""
    return (
        f"{kind} looks at each series by itself and has no features: there are no importances to show, and a row rests "
        "on the item's own history alone"
    )


def forest_of(model: Model) -> Forecaster:
    """Return a model if it is a forest that this code makes rows for.

    Raises:
        UsageError: it is none, or was trained on features of another release.
    """
    if not hasattr(model, "feature_rows"):
        raise UsageError(without_features(model.task.model.kind))
    if not isinstance(model, Forecaster):  # then the code that travels with it, not this one, makes its rows
        raise UsageError(
            "the model was trained on features of another release, so no training row of this one is like its own; "
            "its importances say what it leans on"
        )
    if not isinstance(model.model, Trees):
        raise UsageError(
            f"only forests rest on training rows; {model.task.model.kind} does not. Its importances say what it "
            "leans on"
        )
    return model


def resemblance(
    forecaster: Model, training: pd.DataFrame, rows: features.Rows, row: int, top: int | None = None
) -> pd.DataFrame:
    """Training rows that a forecast row rests on: those that fall into the same leaves.

    The weight of a training row is its share in the leaves of the trees, each tree having one vote, as in
    Meinshausen (2006), "Quantile regression forests", Journal of Machine Learning Research 7; the forecast's
    quantiles are those of these targets by these weights (a leaf remembers a few of them, see `quantiles`).

    Args:
        forecaster: a fitted forest.
        training: rows that it was fitted on.
        rows: of `Forecaster.feature_rows`.
        row: which of them.
        top: how many to return; None is all of weight above zero.

    Returns:
        Columns item_id, origin, timestamp, lead, target, weight, outcome; the heaviest first. The weights of all add
        up to one. `outcome` is the target as it stands for the forecast row: moved and scaled to its level, or to the
        other reference that trees have learnt from (the mean of these by weight).

    Raises:
        UsageError: the model is not a forest, or was trained on features of another release.
        DataError: the training rows lack its features.
    """
    forecaster = forest_of(forecaster)
    encoding = forecaster.encoding
    missing = sorted({*encoding.names, *forecaster.bases} - {LEVEL, *training.columns})
    if missing:
        raise DataError(f"the model was trained on features that are no longer made ({', '.join(missing)}): retrain")
    X = encoding.matrix({**{name: values[[row]] for name, values in rows.features.items()}, "lead": rows.lead[[row]]})
    located = forecaster.model.locate(X)
    mine = located[0]
    others = {name: values[[row]] for name, values in forecaster.others(rows.features).items()}
    then = forecaster.others(training)
    weight, moved = np.zeros((2, len(training)))
    columns = plain_columns(training, encoding.names)
    leaves = forecaster.model.locate(encoding.matrix(columns))
    for tree, (leaf, base) in enumerate(zip(mine, forecaster.bases, strict=True)):
        same = leaves[:, tree] == leaf
        weight[same] += 1 / max(same.sum(), 1)
        if base != LEVEL:
            moved[same] += (np.nan_to_num(others[base]) - np.nan_to_num(then[base][same])) / max(same.sum(), 1)
    total = weight.sum()
    order = np.argsort(-weight, kind="stable")
    order = order[weight[order] > 0][:top]
    table = training.iloc[order][[ITEM, "origin", TIME, "lead", TARGET]].reset_index(drop=True)
    median = np.median(forecaster.scaled(X, others), axis=1)
    (reference,) = forecaster.drawn(rows.reference[[row]], rows.scale[[row]], others, median)
    y = rebased(training["y"].to_numpy(float)[order], moved[order] / weight[order])
    outcome = forecaster.scaling.outcomes(reference, rows.scale[row], y)
    return table.assign(
        weight=weight[order] / total, outcome=np.maximum(outcome, 0) if forecaster.task.non_negative else outcome
    )
