"""A fitted model for all items and all leads, asked for means and quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from . import baselines, conformal, features, guards
from .encoding import Encoding
from .panel import ITEM, TIME, Panel, require_columns
from .quantiles import NOMINAL, row_quantiles, shifted
from .regressors import Calibrated, prove
from .scaling import Scaling, Seasons, rebased, stretch
from .task import Task
from .trees import Trees

STATE_VERSION = 2
"""Version of what the state of a model holds (`kinds.state_of`) and of the features behind it.

Whoever changes what a stored model would forecast, or what the same rows would teach a new one, raises it; stored
models then go on by the code that travels with them (docs/upgrading.md).
"""
STATE_RELEASE = "0.2.0"
"""The release that raised it: later ones train the same model on the same data."""
LEVEL = ""
"""The reference of trees that have learnt targets from the level."""
ITEMS_AT_ONCE = 20_000
"""Items whose features are made at once: bounds the memory of a forecast."""
CHUNK = 16_384
"""Rows that are predicted at once: bounds the memory of their outcomes."""


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
        lowest: lowest target of the training rows.
        population: what the training rows say of items with hardly any history.
        blend: smoothed forecasts (features, see `features.is_smoothed`) that its own are drawn towards -> how far, as
            shares that add up to less than one.
        bases: of each tree the reference (see `features.is_reference`) that it has learnt targets from, or `LEVEL`;
            none of other models than forests.
    """

    task: Task
    scaling: Scaling
    encoding: Encoding
    model: Trees | Calibrated
    importance: np.ndarray
    anchors: tuple[float, ...] = NOMINAL
    seen: tuple[float, float] = (-np.inf, np.inf)
    widths: tuple[float, float] = (1.0, 1.0)
    lowest: float = 0.0
    population: baselines.Population = field(default_factory=baselines.Population)
    blend: dict[str, float] = field(default_factory=dict)
    bases: tuple[str, ...] = ()

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the feature rows of past origins; see `features.training_rows`."""
        return features.training_rows(history, task, until)

    @classmethod
    def prove(cls, task: Task) -> None:
        """Have the regressor take the task's parameters; see `regressors.prove`."""
        prove(task.model)

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> Forecaster:
        """Fit the task's regressor; see `fitting.fit`, which stands above this module."""
        from .fitting import fit

        return fit(rows, task)

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
        task = self.task.asked(horizon, quantiles)
        require_columns(history, task)
        recent, now = baselines.recent_rows(history, task, origin)
        wanted = None if items is None else np.asarray(sorted(set(items)), dtype=object)
        tables, unusual = [], guards.Unusual()
        for part, ahead, asked in _chunks(history, recent, now, future, wanted):
            panel = baselines.panel_at(part, task, now, future=ahead)
            names = baselines.alive(panel, task) if asked is None else asked
            table = baselines.naive_table(panel, task, names, source="fallback", population=self.population)
            table[task.quantile_columns] = self.scaling.possible(table[task.quantile_columns].to_numpy())
            ready, rows = self._rows(panel, names)
            if ready.any():
                mean, levels = self.outcomes(rows, np.asarray(task.quantiles))
                place = np.repeat(ready, task.horizon)
                table.loc[place, ["mean", *task.quantile_columns]] = np.column_stack([mean, levels])
                table.loc[place, "source"] = "model"
                unusual.inspect(panel.items[rows.item], rows, self.encoding, self.seen)
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
        others = self.others(rows.features)
        if self.widths == (1.0, 1.0):
            return self.distribution(X, rows.reference, rows.scale, others, shifted(levels, self.anchors))
        asked = shifted(np.append(levels, 0.5), self.anchors)
        mean, found = self.distribution(X, rows.reference, rows.scale, others, asked)
        found, middle = found[:, :-1], found[:, -1:]
        found = self.scaling.possible(middle + np.where(levels < 0.5, *self.widths) * (found - middle))
        return mean, np.maximum(found, 0.0) if self.task.non_negative else found

    def others(self, columns: Any) -> dict[str, np.ndarray]:
        """Forecasts that `blend` and `bases` name, in scales from the reference, shape (rows,), NaN where unknown."""
        names = {*self.blend, *self.bases} - {LEVEL}
        return {name: np.asarray(columns[name], dtype=np.float64) for name in names}

    def scaled(self, X: np.ndarray, others: dict[str, np.ndarray], trees: slice = slice(None)) -> np.ndarray:
        """Equally likely outcomes, squashed, in scales from the reference, shape (rows, outcomes)."""
        outcomes = self.model.outcomes(self.model.locate(X)[:, trees])
        bases = self.bases[trees]
        each = outcomes.shape[1] // max(len(bases), 1)
        for base in {*bases} - {LEVEL}:
            its = np.repeat([base == name for name in bases], each)
            outcomes[:, its] = rebased(outcomes[:, its], np.nan_to_num(others[base])[:, None])
        return outcomes

    def drawn(
        self, references: np.ndarray, scales: np.ndarray, others: dict[str, np.ndarray], medians: np.ndarray
    ) -> np.ndarray:
        """References at which a row's distribution, of that scaled median, is drawn to the smoothed forecasts.

        Shape (rows,), as those of the arguments.
        """
        middle = stretch(medians)
        for name, share in self.blend.items():
            references = references + scales * share * np.nan_to_num(others[name] - middle)
        return references

    def distribution(
        self,
        X: np.ndarray,
        references: np.ndarray,
        scales: np.ndarray,
        others: dict[str, np.ndarray],
        levels: np.ndarray,
        trees: slice = slice(None),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Means and quantiles of the model as it is, neither moved to its `anchors` nor widened.

        Args:
            X: codes of `encoding`, NaN where missing, shape (rows, columns).
            references: level of each row, in transformed units, shape (rows,).
            scales: scale of each row, shape (rows,).
            others: see the method of that name.
            levels: of the quantiles, shape (levels,).
            trees: which trees of a forest are asked.

        Returns:
            Means, shape (rows,), and quantiles, shape (rows, levels), in original units.
        """
        mean = np.empty(len(X))
        found = np.empty((len(X), len(levels)))
        for first in range(0, len(X), CHUNK):
            part = slice(first, first + CHUNK)
            own = {name: values[part] for name, values in others.items()}
            outcomes = self.scaled(X[part], own, trees)
            asked = row_quantiles(outcomes, np.append(levels, 0.5))
            reference = self.drawn(references[part], scales[part], own, asked[:, -1])[:, None]
            scale = scales[part, None]
            mean[part] = self.scaling.outcomes(reference, scale, outcomes).mean(axis=1)
            spread = self.scaling.outcomes(reference, scale, asked[:, :-1])
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
            "lowest": float(self.lowest),
            "population": asdict(self.population),
            "blend": self.blend,
            "bases": list(self.bases),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Forecaster:
        """Rebuild a forecaster from its `state` and the task; see `Model.from_state`."""
        encoding = state["encoding"]
        return cls(
            task=state["task"],
            scaling=Scaling.from_name(state["scaling"]),
            encoding=Encoding(
                names=list(encoding["names"]),
                categories={name: list(values) for name, values in encoding["categories"].items()},
                edges=np.split(encoding["edges"], np.cumsum(encoding["counts"])[:-1]),
            ),
            model=Trees(**state["trees"]) if "trees" in state else Calibrated(**state["regressor"]),
            importance=np.asarray(state["importance"]),
            anchors=tuple(state["anchors"].tolist()),
            seen=tuple(state["seen"].tolist()),
            widths=tuple(state["widths"].tolist()),
            lowest=state["lowest"],
            blend=dict(state["blend"]),
            bases=tuple(state.get("bases", [LEVEL] * len(state["trees"]["start"][1:]) if "trees" in state else [])),
            population=baselines.Population(**state["population"]),
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
