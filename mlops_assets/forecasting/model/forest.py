"""One forest for all items and all leads: fitted on training rows, asked for means and quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from . import baselines, conformal, features, guards, regressors
from .panel import ITEM, TARGET, TIME, Panel, require_columns
from .quantiles import GRID, NOMINAL, anchors, leaf_samples, of_more_trees, right_levels, row_quantiles, shifted
from .regressors import Calibrated
from .scaling import Scaling, Seasons
from .task import ModelSettings, Task

STATE_VERSION = 1
BINS = 255
BELOW_ALL = -1.0
ITEMS_AT_ONCE = 20_000
"""Items whose features are made at once: bounds the memory of a forecast."""
CHUNK = 16_384
"""Rows that are predicted at once: bounds the memory of their outcomes."""
SHARE, ROWS_PER_TREE = 0.2, 4000
"""Share of the rows that each tree of a bootstrapped forest learns from, or this many if that is more."""
HELD_OUT = 0.8
"""Share of the origins after which a trial forest is held against what came, for its `anchors`."""
TRIAL_TREES = 10
LEAST, MOST = 200, 6000
"""Rows on either side of the trial: with fewer there is none, and more are not looked at."""
DEFAULTS: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 40, "min_samples_leaf": 3, "max_features": 0.2, "n_jobs": -1},
    "extra_trees": {"n_estimators": 60, "min_samples_leaf": 5, "max_features": 1 / 2, "n_jobs": -1},
}


@dataclass(frozen=True)
class Encoding:
    """How feature columns become small whole numbers: halves the fit, and a split fits into one byte.

    Attributes:
        names: the feature columns, in order.
        categories: name of a column of strings -> its known values, sorted; unseen values become missing.
        edges: per column, ascending cut points, at most BINS - 1.
    """

    names: list[str]
    categories: dict[str, list[str]]
    edges: list[np.ndarray]

    @classmethod
    def learn(cls, training: pd.DataFrame) -> Encoding:
        """Take the cut points from the quantiles of the training rows."""
        names = features.feature_columns(training)
        columns = plain_columns(training, names)
        categories = {
            name: sorted({str(value) for value in values[pd.notna(values)]})
            for name, values in columns.items()
            if values.dtype == object
        }
        blank = cls(names, categories, [])
        return replace(blank, edges=[_edges(blank.column(columns, name)) for name in names])

    def column(self, rows: Any, name: str) -> np.ndarray:
        """One column as float32, categories as their rank; ValueError where text and numbers have been swapped."""
        values = np.asarray(rows[name])
        if name not in self.categories:
            if values.dtype == object:
                raise ValueError(f"{name!r} was a number when the model was trained and is text now: convert it")
            return values.astype(np.float32)
        if values.dtype != object:
            raise ValueError(f"{name!r} was text when the model was trained and is {values.dtype} now: convert it")
        place, found = pd.factorize(values)
        known = {category: rank for rank, category in enumerate(self.categories[name])}
        ranks = [known.get(str(value), np.nan) for value in found]
        return np.array([*ranks, np.nan], dtype=np.float32)[place]

    def matrix(self, rows: Any) -> np.ndarray:
        """Codes of all columns, shape (rows, columns), float32, NaN where missing."""
        matrix = np.empty((len(rows["lead"]), len(self.names)), dtype=np.float32)
        for number, name in enumerate(self.names):
            values = self.column(rows, name)
            codes = np.searchsorted(self.edges[number], values).astype(np.float32)
            matrix[:, number] = np.where(np.isnan(values), np.nan, codes)
        return matrix


def plain_columns(training: pd.DataFrame, names: list[str]) -> dict[str, np.ndarray]:
    """Return columns as arrays of numbers or, where they are text or categories of any kind, of objects."""
    return {
        name: training[name].to_numpy(np.float32 if pd.api.types.is_numeric_dtype(training[name]) else object)
        for name in names
    }


def _edges(values: np.ndarray) -> np.ndarray:
    values = np.sort(values[~np.isnan(values)])
    distinct = np.unique(values)
    if len(distinct) > BINS:
        distinct = np.unique(values[np.linspace(0, len(values) - 1, BINS).astype(np.int64)])
    return (distinct[:-1] + distinct[1:]) / 2


@dataclass(frozen=True)
class Trees:
    """Fitted trees as compact arrays, one behind the other.

    Attributes:
        start: first node of each tree, and the number of all nodes, shape (trees + 1,).
        left, right: children, counted within the tree, -1 at a leaf, shape (nodes,), int32.
        feature: column of the split, shape (nodes,), int16.
        threshold: codes up to this one go left, shape (nodes,), int16.
        missing_left: whether missing values go left, shape (nodes,), bool.
        mean: mean scaled target of each leaf, shape (leaves,), float32.
        samples: scaled targets of each leaf, shape (leaves, samples), float16.
    """

    start: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    mean: np.ndarray
    samples: np.ndarray

    @classmethod
    def of(cls, estimators: Sequence[Any], codes: np.ndarray, y: np.ndarray) -> Trees:
        """Take the trees out of a forest fitted on `known_codes`, and the targets that fall into their leaves."""
        trees = [estimator.tree_ for estimator in estimators]
        by_size = np.argsort(y)
        gaps = (codes == BELOW_ALL).any(axis=0)
        codes, y = codes[by_size], y[by_size]
        start = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])
        left = np.concatenate([tree.children_left for tree in trees]).astype(np.int32)
        feature = np.concatenate([tree.feature for tree in trees]).astype(np.int16)
        majority_left = np.concatenate([tree.__getstate__()["nodes"]["missing_go_to_left"] for tree in trees])
        is_leaf = left < 0
        samples = []
        for tree in trees:
            number = np.cumsum(tree.children_left < 0) - 1
            samples.append(leaf_samples(number[tree.apply(codes)], y, int(number[-1]) + 1))
        mean = np.concatenate([tree.value[:, 0, 0] for tree in trees])[is_leaf].astype(np.float32)
        kept = np.concatenate(samples)
        return cls(
            start=start,
            left=left,
            right=np.concatenate([tree.children_right for tree in trees]).astype(np.int32),
            feature=feature,
            threshold=_codes_left(np.concatenate([tree.threshold for tree in trees])),
            missing_left=np.where(gaps[feature], True, majority_left.astype(bool)),
            mean=mean,
            samples=np.where(np.isnan(kept), mean[:, None], kept).astype(np.float16),
        )

    @property
    def count(self) -> int:
        """Number of trees."""
        return len(self.start) - 1

    def locate(self, X: np.ndarray) -> np.ndarray:
        """Number of the leaf that each row falls into, per tree: shape (rows, trees)."""
        found = np.empty((len(X), self.count), dtype=np.int64)
        for place, (tree, leaf) in enumerate(self._ready):
            found[:, place] = leaf[tree.apply(X)]
        return found

    def outcomes(self, located: np.ndarray) -> np.ndarray:
        """Equally likely scaled targets, shape (rows, outcomes), for what `locate` has found."""
        return self.samples[located].reshape(len(located), -1).astype(np.float32)

    @cached_property
    def _ready(self) -> list[tuple[Any, np.ndarray]]:
        """scikit-learn's tree, which finds leaves quickly, and the number of the leaf of each of its nodes."""
        from sklearn.tree._tree import NODE_DTYPE, Tree

        found, number = [], np.cumsum(self.left < 0) - 1
        columns = max(int(self.feature.max()) + 1, 1)
        for first, stop in pairwise(self.start):
            nodes: Any = np.zeros(stop - first, dtype=NODE_DTYPE)
            nodes["left_child"], nodes["right_child"] = self.left[first:stop], self.right[first:stop]
            nodes["feature"] = self.feature[first:stop]
            nodes["threshold"] = self.threshold[first:stop] + 0.5
            nodes["missing_go_to_left"] = self.missing_left[first:stop]
            tree = Tree(columns, np.array([1], dtype=np.intp), 1)
            values = np.zeros((len(nodes), 1, 1))
            tree.__setstate__({"max_depth": 1, "node_count": len(nodes), "nodes": nodes, "values": values})
            found.append((tree, number[first:stop]))
        return found


def known_codes(X: np.ndarray) -> np.ndarray:
    """Give missing values a code below all others, which splits off as well as NaN does, for less."""
    return np.nan_to_num(X, nan=BELOW_ALL)


def _codes_left(threshold: np.ndarray) -> np.ndarray:
    """Highest code that goes left: all of them where scikit-learn splits off the missing values only."""
    return np.floor(np.nan_to_num(threshold, nan=-1.0, posinf=BINS)).astype(np.int16)


@dataclass(frozen=True)
class Forecaster:
    """A fitted regressor and all that it needs to forecast from a history.

    Attributes:
        task: what it forecasts.
        scaling: how targets were scaled.
        encoding: how features become codes.
        model: the trees of a forest, or any other regressor with its errors.
        importance: of each feature, summing to one, shape (features,): impurity-based of a forest, by permutation
            of others.
        anchors: levels of the model's own distribution that stand for the nominal levels of `quantiles.NOMINAL`.
        seen: lowest and highest level of an item in the training rows, in transformed units.
        widths: factors of the distances of the quantiles below and above the median, see `conformal.widths`.
    """

    task: Task
    scaling: Scaling
    encoding: Encoding
    model: Trees | Calibrated
    importance: np.ndarray
    anchors: tuple[float, ...] = NOMINAL
    seen: tuple[float, float] = (-np.inf, np.inf)
    widths: tuple[float, float] = (1.0, 1.0)

    def predict(
        self,
        history: pd.DataFrame,
        origin: pd.Timestamp | None = None,
        *,
        future: pd.DataFrame | None = None,
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        items: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Forecast every expected item at every lead.

        Args:
            history: canonical long table with the task's covariates. The last `features.lookback` steps up to
                the origin are enough. After the origin only known covariates are read.
            origin: last timestamp known; None is the last of the history.
            future: known covariates after the origin: timestamp, the covariates and, unless they are the same
                for all items, item_id. They go before those in `history`.
            horizon: leads 1 up to this; None, and at most, the task's.
            quantiles: levels in (0, 1); None is the task's.
            items: ids to forecast; None is every item alive at the origin (see `baselines.alive_items`).

        Returns:
            Columns item_id, origin, timestamp, lead, mean, one per quantile, source, sorted by item and lead.
            `source` is `model`, or `fallback` (seasonal naive) for items with hardly any history or none.

        Raises:
            ValueError: columns are missing or not numeric, the horizon is beyond the task's, a level is none, or there
            is no history.

        Warns:
            guards.UnusualInput: covariates are missing throughout, or lie where training never was, or so does the
            level of items.
        """
        task = self.task
        if horizon is not None and not 1 <= horizon <= task.horizon:
            raise ValueError(f"horizon {horizon} is not within 1..{task.horizon}, what the model was trained for")
        if quantiles is not None:
            strange = [level for level in quantiles if not 0 < level < 1]
            if strange:
                raise ValueError(f"quantiles are levels between 0 and 1, such as 0.9, not {strange}")
            task = replace(task, quantiles=tuple(sorted(set(quantiles))))
        require_columns(history, task)
        recent, now = baselines.recent_rows(history, task, origin)
        wanted = None if items is None else np.asarray(sorted(set(items)), dtype=object)
        tables, unusual = [], guards.Unusual()
        for part, ahead, asked in _chunks(history, recent, now, future, wanted):
            panel = baselines.panel_at(part, task, now, future=ahead)
            names = baselines.alive(panel, task) if asked is None else asked
            table = baselines.naive_table(panel, task, names, source="fallback")
            table[task.quantile_columns] = self.scaling.possible(table[task.quantile_columns].to_numpy())
            ready, rows = self._rows(panel, names)
            if ready.any():
                mean, levels = self.outcomes(rows, np.asarray(task.quantiles))
                place = np.repeat(ready, task.horizon)
                table.loc[place, ["mean", *task.quantile_columns]] = np.column_stack([mean, levels])
                table.loc[place, "source"] = "model"
                unusual.look(panel.items[rows.item], rows, self.encoding, self.seen)
            tables.append(table.loc[table["lead"].to_numpy() <= (horizon or task.horizon)])
        unusual.warn()
        return pd.concat(tables, ignore_index=True)

    def feature_rows(
        self,
        history: pd.DataFrame,
        origin: pd.Timestamp | None = None,
        *,
        future: pd.DataFrame | None = None,
        items: Sequence[str] | None = None,
    ) -> tuple[pd.DataFrame, features.Rows]:
        """Return the rows that `predict` asks the model about, for explanations.

        Returns:
            item_id, origin, timestamp and lead of each row, and the rows: all leads of the items with enough history.
        """
        require_columns(history, self.task)
        panel = baselines.recent_panel(history, self.task, origin, future=future)
        names = baselines.alive(panel, self.task) if items is None else np.asarray(sorted(set(items)), dtype=object)
        _, rows = self._rows(panel, names)
        target = panel.grid[rows.origin + rows.lead]
        place = {ITEM: panel.items[rows.item], "origin": panel.grid[rows.origin], TIME: target, "lead": rows.lead}
        return pd.DataFrame(place), rows

    def _rows(self, panel: Panel, names: np.ndarray) -> tuple[np.ndarray, features.Rows]:
        """Which of the names have enough history, and the rows of those."""
        item = pd.Index(panel.items).get_indexer(pd.Index(names))
        ready = item >= 0
        ready[ready] = self._enough_history(panel, item[ready])
        horizon = self.task.horizon
        return ready, features.forecast_rows(panel, self.task, self.scaling, item[ready], horizon, yearly=self._yearly)

    @property
    def _yearly(self) -> bool:
        return bool({"calendar_day_of_year", "calendar_month"} & {*self.encoding.names})

    def _enough_history(self, panel: Panel, item: np.ndarray) -> np.ndarray:
        end = panel.edges[1:][item] - self.task.horizon
        seen = np.concatenate([[0], np.cumsum(~np.isnan(panel.target))])
        return seen[end] - seen[end - Seasons.of(self.task).lookback] >= features.MINIMUM_HISTORY

    def outcomes(self, rows: features.Rows, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Means, shape (rows,), and quantiles, shape (rows, levels), in original units."""
        X = self.encoding.matrix({**rows.features, "lead": rows.lead})
        if self.widths == (1.0, 1.0):
            return self._outcomes(X, rows.reference, rows.scale, shifted(levels, self.anchors))
        asked = shifted(np.append(levels, 0.5), self.anchors)
        mean, found = self._outcomes(X, rows.reference, rows.scale, asked)
        found, middle = found[:, :-1], found[:, -1:]
        found = self.scaling.possible(middle + np.where(levels < 0.5, *self.widths) * (found - middle))
        return mean, np.maximum(found, 0.0) if self.task.non_negative else found

    def _outcomes(
        self, X: np.ndarray, references: np.ndarray, scales: np.ndarray, levels: np.ndarray, trees: slice = slice(None)
    ) -> tuple[np.ndarray, np.ndarray]:
        mean = np.empty(len(X))
        found = np.empty((len(X), len(levels)))
        for first in range(0, len(X), CHUNK):
            part = slice(first, first + CHUNK)
            reference, scale = references[part, None], scales[part, None]
            outcomes = self.model.outcomes(self.model.locate(X[part])[:, trees])
            mean[part] = self.scaling.outcomes(reference, scale, outcomes).mean(axis=1)
            spread = self.scaling.outcomes(reference, scale, row_quantiles(outcomes, levels))
            found[part] = self.scaling.possible(spread)
        if self.task.non_negative:
            return np.maximum(mean, 0.0), np.maximum(found, 0.0)
        return mean, found

    def corrected(self, predictions: pd.DataFrame, tolerance: float) -> Forecaster:
        """Return the same forecaster with the intervals that a backtest of its like asks for (`conformal.widths`)."""
        below, above = conformal.widths(predictions, self.task, tolerance)
        return replace(self, widths=(self.widths[0] * below, self.widths[1] * above))

    def importances(self) -> pd.DataFrame:
        """Importance of each feature: columns feature, group, importance; largest first."""
        table = pd.DataFrame(
            {
                "feature": self.encoding.names,
                "group": [features.group_of(name) for name in self.encoding.names],
                "importance": self.importance,
            }
        )
        return table.sort_values("importance", ascending=False, ignore_index=True)

    def state(self) -> dict[str, Any]:
        """Everything, as plain containers, strings, numbers, NumPy arrays and, for other than forests, regressors."""
        return {
            "version": STATE_VERSION,
            "task": self.task.to_dict(),
            "scaling": self.scaling.name,
            "encoding": {
                "names": list(self.encoding.names),
                "categories": self.encoding.categories,
                "edges": np.concatenate([np.zeros(0, np.float32), *self.encoding.edges]),
                "counts": np.array([len(edges) for edges in self.encoding.edges]),
            },
            "trees" if isinstance(self.model, Trees) else "regressor": {
                part.name: getattr(self.model, part.name) for part in fields(self.model)
            },
            "importance": self.importance,
            "anchors": np.array(self.anchors),
            "seen": np.array(self.seen),
            "widths": np.array(self.widths),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Forecaster:
        """Rebuild a forecaster from `state`; ValueError if a later version of this package wrote it."""
        if state["version"] != STATE_VERSION:
            raise ValueError(
                f"the model's state has version {state['version']}, this package reads {STATE_VERSION}: "
                "use the package's version that trained the model, or retrain"
            )
        encoding = state["encoding"]
        return cls(
            task=Task.from_dict(state["task"]),
            scaling=Scaling.from_name(state["scaling"]),
            encoding=Encoding(
                names=list(encoding["names"]),
                categories={name: list(values) for name, values in encoding["categories"].items()},
                edges=np.split(encoding["edges"], np.cumsum(encoding["counts"])[:-1]),
            ),
            model=Trees(**state["trees"]) if "trees" in state else Calibrated(**state["regressor"]),
            importance=np.asarray(state["importance"]),
            anchors=tuple(np.asarray(state.get("anchors", NOMINAL)).tolist()),
            seen=tuple(np.asarray(state.get("seen", (-np.inf, np.inf))).tolist()),
            widths=tuple(np.asarray(state.get("widths", (1.0, 1.0))).tolist()),
        )


def _chunks(
    history: pd.DataFrame, recent: np.ndarray, now: pd.Timestamp, future: pd.DataFrame | None, names: np.ndarray | None
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame | None, np.ndarray | None]]:
    """Parts of `ITEMS_AT_ONCE` items: rows, rows ahead, and which of the names; bounds the memory of features.

    Of the whole history, only the number of its part is kept for each row.
    """
    code, ids = pd.factorize(history[ITEM].to_numpy(dtype=object)[recent])
    present = np.zeros(len(ids), dtype=bool)
    present[code[(history[TIME] <= now).to_numpy()[recent]]] = True
    starts = np.sort(ids[present])[::ITEMS_AT_ONCE]
    if len(starts) <= 1:
        yield history.loc[recent], future, names
        return

    def chunk_of(ids: np.ndarray) -> np.ndarray:
        return np.searchsorted(starts[1:], ids, side="right").astype(np.int32)

    chunk = np.full(len(history), -1, dtype=np.int32)
    chunk[recent] = chunk_of(ids)[code]
    del code, ids
    own = future is not None and ITEM in future.columns
    ahead_of = chunk_of(future[ITEM].to_numpy(dtype=object)) if own and future is not None else None
    named = None if names is None else chunk_of(names)
    for number in range(len(starts)):
        part = history.iloc[np.flatnonzero(chunk == number)]
        ahead = future if future is None or ahead_of is None else future.loc[ahead_of == number]
        yield part, ahead, None if names is None else names[named == number]


def defaults(kind: str) -> dict[str, Any]:
    """Keyword arguments of a kind of model that the engine chooses, where the task does not."""
    return {**DEFAULTS, **regressors.DEFAULTS}.get(regressors.short_name(kind), {})


def fit(training: pd.DataFrame, task: Task) -> Forecaster:
    """Fit the task's regressor on rows of `features.training_rows`, also when read back from Parquet or SQL.

    Raises:
        ValueError: the kind of model or one of its parameters is not known, or there are no rows, or too few.
    """
    if training.empty:
        raise ValueError("there are no training rows")
    encoding = Encoding.learn(training)
    scaling = Scaling.from_name(str(training["scaling"].iloc[0]))
    X = encoding.matrix(plain_columns(training, encoding.names))
    y = training["y"].to_numpy(dtype=np.float32)
    seen = (float(training["reference"].min()), float(training["reference"].max()))
    origin, timestamp = (pd.to_datetime(training[name]).to_numpy() for name in ("origin", TIME))
    if not regressors.is_forest(task.model.kind):
        model, importance = regressors.fit_calibrated(task.model, X, y, origin, timestamp)
        return Forecaster(task, scaling, encoding, model, importance, seen=seen)
    model, importance = fit_trees(task.model, X, y)
    forecaster = Forecaster(task, scaling, encoding, model, importance, seen=seen)
    # Drawn by recency, the last fifth of the rows would be too few moments: there it is the last fifth of the time.
    moments = np.sort(origin) if task.model.recency is None else np.unique(origin)
    early, late = _before_and_after(moments[int(HELD_OUT * len(moments))], origin, timestamp)
    if min(len(early), len(late)) < LEAST:
        return forecaster
    trial, _ = fit_trees(task.model, X[early], y[early], most=TRIAL_TREES)
    reference, scale, target = (training[name].to_numpy()[late] for name in ("reference", "scale", TARGET))

    def levels(trees: slice) -> np.ndarray:
        found = replace(forecaster, model=trial)._outcomes(X[late], reference, scale, GRID, trees)[1]
        return right_levels(found, target)

    whole, half = levels(slice(None)), trial.count // 2
    if half:
        halves = (levels(slice(half)) + levels(slice(half, None))) / 2
        whole = of_more_trees(whole, halves, trial.count, model.count)
    return replace(forecaster, anchors=anchors(whole))


def fit_trees(
    model: ModelSettings, X: np.ndarray, y: np.ndarray, most: int | None = None, share: float = SHARE
) -> tuple[Trees, np.ndarray]:
    """Fit a forest on codes of shape (rows, columns) and scaled targets of shape (rows,).

    Args:
        model: kind, parameters and seed.
        X: codes, NaN where missing.
        y: scaled targets.
        most: upper bound of the number of trees.
        share: of the rows that each tree of a bootstrapped forest learns from.

    Returns:
        The trees, and the importance of each column.
    """
    forest = regressors.forest(model, defaults(model.kind))
    share = max(share, ROWS_PER_TREE / len(y))
    if forest.bootstrap and "max_samples" not in model.parameters and share < 1:
        forest.set_params(max_samples=share)
    if most is not None:
        forest.set_params(n_estimators=min(most, forest.n_estimators))
    codes = known_codes(X)
    forest.fit(codes, y)
    return Trees.of(forest.estimators_, codes, y), forest.feature_importances_


def _before_and_after(cut: Any, origin: np.ndarray, timestamp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that were known at a moment, and a bounded number of those with a later origin."""
    late = np.flatnonzero(origin >= cut)
    some = np.linspace(0, len(late) - 1, min(len(late), MOST)).astype(np.int64)
    return np.flatnonzero(timestamp <= cut), late[some]
