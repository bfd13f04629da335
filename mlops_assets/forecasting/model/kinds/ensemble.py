"""An average of several kinds of models, weighted by what each forecast of windows that it had not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from .. import baselines
from ..errors import DataError, UsageError
from ..panel import ITEM, TARGET, TIME, require_columns
from ..task import ModelSettings, Task
from . import weights as weighing
from .protocol import Model
from .series import shared_paths
from .statistical import LIBRARY
from .trials import SPARSE, Trial, of_member, require_segment, segments, try_out
from .values import Rule, anything, between

BY = "intermittent"
"""Segments that have weights of their own, where the task does not say; see `trials.segments`."""


@dataclass(frozen=True)
class Ensemble:
    """Fitted members, and the weights of each item.

    Attributes:
        task: what it forecasts.
        members: fitted models by their kind; those that weigh nothing anywhere are left out.
        items: sorted ids that have weights of their own, shape (items,).
        weights: shape (items, members).
        general: weights of all other items, shape (members,).
        record: segment, items, member, weight, loss (mean scaled quantile loss over the windows that they were tried
            on), chosen; a row for each segment and member tried, and one for the average.
        lowest: lowest target of the training.
    """

    task: Task
    members: dict[str, Model]
    items: np.ndarray
    weights: np.ndarray
    general: np.ndarray
    record: pd.DataFrame
    lowest: float = 0.0

    PARAMETERS: ClassVar[Mapping[str, Rule]] = {"windows": between(1, 100, whole=True), "by": anything}

    @classmethod
    def rows(cls, history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
        """Return the history, with its covariates, up to the last observed target; see `Model.rows`."""
        require_columns(history, task)
        known = history[TARGET].notna()
        if until is not None:
            known &= history[TIME] <= until
        if not known.any():
            raise DataError("no target is observed: there is nothing to learn from")
        past = history.loc[:, [ITEM, TIME, TARGET, *task.known, *task.past, *task.static]]
        past = past[past[TIME] <= history.loc[known, TIME].max()]
        return past.sort_values([ITEM, TIME], ignore_index=True)

    @classmethod
    def lookback(cls, task: Task) -> int:
        """Steps of history that the most demanding member looks at."""
        from . import registry

        return max(registry.lookback(of_member(task, kind)) for kind in cls.members_of(task))

    @classmethod
    def members_of(cls, task: Task) -> tuple[str, ...]:
        """Kinds that are averaged, or chosen among: the task's, else by what is installed.

        Raises:
            UsageError: an ensemble is to hold another.
        """
        from . import registry

        if nested := sorted({*task.model.members} & {*registry.COMBINING}):
            raise UsageError(f"{' and '.join(nested)} cannot be a member: members are single kinds")
        return tuple(dict.fromkeys(task.model.members)) or cls.usual()

    @classmethod
    def prove(cls, task: Task) -> None:
        """Check that there are such segments; see `Model`.

        Raises:
            UnknownNameError: `parameters.by` names none.
        """
        require_segment(str(task.model.parameters.get("by", BY)), task.static)

    @classmethod
    def usual(cls) -> tuple[str, ...]:
        """Members where the task names none."""
        if find_spec(LIBRARY) is None:
            return ("random_forest", "extra_trees", "seasonal_naive")
        return ("random_forest", "theta", "ets", "mstl", "seasonal_naive")

    @classmethod
    def fit(cls, rows: pd.DataFrame, task: Task) -> Ensemble:
        """Try the members on windows before the present, weigh them, and fit those that weigh something on all rows.

        That is a fit of each member to what was known at the earliest of `parameters.windows` origins, and one on
        all rows. With too little history for any window the weights are those of `weights.prior`.
        """
        from . import registry

        kinds = cls.members_of(task)
        segment = segments(rows, str(task.model.parameters.get("by", BY)), task.static)
        with shared_paths():
            trial = try_out(rows, task, kinds)
            general, weights, record = cls.weigh(trial, kinds, segment)
            used = (weights > 0).any(axis=0) | (general > 0)
            chosen = {kind: of_member(task, kind) for kind, weighs in zip(kinds, used, strict=True) if weighs}
            models = {kind: registry.fit(registry.rows(rows, mine), mine) for kind, mine in chosen.items()}
        items = segment.index.to_numpy(dtype=object)
        lowest = float(rows[TARGET].min())
        return cls(task, models, items, weights[:, used], general[used], record, lowest)

    @classmethod
    def weigh(
        cls, trial: Trial, kinds: Sequence[str], segment: pd.Series, before: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
        """Weights from a trial.

        Args:
            trial: what the members forecast.
            kinds: their names.
            segment: of each item.
            before: weights that losses tilt, shape (members,); None: `weights.prior`.

        Returns:
            Weights of items that are not known, shape (members,): the mean of the others; of each item, shape (items,
            members); and the `record`.
        """
        usual = weighing.ratios(trial)
        weights, parts = np.zeros((len(segment), len(kinds))), []
        for name in sorted(segment.unique()):
            own = segment.to_numpy() == name
            rows = trial.of(np.isin(trial.item, segment.index[own]))
            if len(trial.target):
                start = weighing.prior(kinds, rows.complete) if before is None else before
                mine = weighing.by_loss(weighing.ratios(rows, usual), start, trial.horizons)
            else:
                mine = cls.untried(kinds)
            weights[own], record = cls.settle(rows, kinds, segment.index[own].to_numpy(), mine)
            parts.append(record.assign(segment=name, items=int(own.sum())))
        others = weighing.without_negligible(weights.mean(axis=0))
        return others, weights, pd.concat(parts, ignore_index=True)

    @classmethod
    def untried(cls, kinds: Sequence[str]) -> np.ndarray:
        """Weights where there is too little history to try anything; see `weights.prior`."""
        return weighing.prior(kinds, np.array([kind != SPARSE for kind in kinds]))

    @classmethod
    def settle(
        cls, trial: Trial, kinds: Sequence[str], items: np.ndarray, weights: np.ndarray
    ) -> tuple[np.ndarray, pd.DataFrame]:
        """Return the weights of a segment's items, shape (items, members), and its part of the record."""
        return np.tile(weights, (len(items), 1)), record_of(trial, kinds, weights)

    def reweighed(self, history: pd.DataFrame, since: pd.Timestamp) -> Ensemble:
        """Return the same members with weights renewed by what came after their training; none is fitted.

        Args:
            history: canonical frame up to the present.
            since: the last timestamp that the members have learnt from.

        Raises:
            DataError: nothing was observed after it.
        """
        rows, kinds = self.rows(history, self.task), list(self.members)
        trial = try_out(rows, self.task, kinds, self.members, since)
        if not len(trial.target):
            raise DataError(f"no target is observed after {since}, up to which the members have learnt")
        segment = segments(rows, str(self.task.model.parameters.get("by", BY)), self.task.static)
        general, weights, record = self.weigh(trial, kinds, segment, self.general)
        items = segment.index.to_numpy(dtype=object)
        lowest = min(self.lowest, float(rows[TARGET].min()))
        return replace(self, items=items, weights=weights, general=general, record=record, lowest=lowest)

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
        """Average what the members forecast, mean and quantiles level by level; see `Model.predict`.

        Where a member has no say about an item (`fallback`), the others have it alone.
        """
        names = baselines.alive_items(history, self.task, origin) if items is None else sorted(set(items))
        weights = self.weights_of(names)
        asked = {"future": future, "horizon": horizon, "quantiles": quantiles}
        tables = []
        for number, model in enumerate(self.members.values()):
            own = [name for name, weight in zip(names, weights[:, number], strict=True) if weight > 0]
            if own:
                made = model.predict(history, origin, items=own, **asked)
                tables.append(made.assign(weight=made[ITEM].map(dict(zip(names, weights[:, number], strict=True)))))
        if not tables:
            return next(iter(self.members.values())).predict(history, origin, items=names, **asked)
        return averaged(pd.concat(tables, ignore_index=True))

    def weights_of(self, items: Sequence[str]) -> np.ndarray:
        """Weights of items, shape (items, members)."""
        place = pd.Index(self.items).get_indexer(pd.Index(items))
        return np.vstack([self.weights, self.general])[place]  # the last row is that of -1: of an item not known

    def reasons(self) -> list[str]:
        """Say of each segment who forecasts it, and how much better than the default kind that was."""
        return reasons(self.record, ModelSettings.kind)

    def state(self) -> dict[str, Any]:
        """Return the states of the members, the weights and how they came about."""
        from . import registry

        return {
            "members": {kind: registry.state_of(model) for kind, model in self.members.items()},
            "items": np.array(self.items, dtype=str),
            "weights": self.weights,
            "general": self.general,
            "record": {name: self.record[name].tolist() for name in self.record},
            "lowest": self.lowest,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Ensemble:
        """Rebuild the members and their weights."""
        from . import registry

        return cls(
            state["task"],
            {kind: registry.rebuild(member) for kind, member in state["members"].items()},
            np.asarray(state["items"]).astype(object),
            np.asarray(state["weights"]),
            np.asarray(state["general"]),
            pd.DataFrame(state["record"]),
            float(state["lowest"]),
        )


AVERAGE = "ensemble"
"""Name of the weighted average in the record."""


def record_of(
    trial: Trial, kinds: Sequence[str], weights: np.ndarray, rejected: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the rows of one segment: each member with its weight and loss, and the average, a rejected one too."""
    chosen = kinds[int(weights.argmax())] if weights.max() == 1 else AVERAGE
    seen = len(trial.target) > 0
    losses = trial.losses().mean(axis=1) if seen else np.full(len(kinds), np.nan)
    whole = float(trial.losses(weights if rejected is None else rejected).mean()) if seen else np.nan
    return pd.DataFrame(
        {
            "member": [*kinds, AVERAGE],
            "weight": [*weights, float(rejected is None)],
            "loss": [*losses, whole],
            "chosen": [name == chosen for name in (*kinds, AVERAGE)],
        }
    )


def averaged(tables: pd.DataFrame) -> pd.DataFrame:
    """Average forecasts of the same rows by their `weight`, those of `fallback` where there are no others only."""
    keys = [ITEM, "origin", TIME, "lead"]
    numbers = [name for name in tables if name not in (*keys, "source", "weight")]
    tables = tables.assign(own=tables["source"] == "model")
    tables = tables[tables["own"] | ~tables.groupby(keys)["own"].transform("any")]
    weighted = tables[numbers].mul(tables["weight"], axis=0)
    sums = pd.concat([tables[[*keys, "own", "weight"]], weighted], axis=1).groupby(keys, as_index=False).sum()
    made = sums[keys].assign(**{str(name): sums[name] / sums["weight"] for name in numbers})
    source = np.where(sums["own"] > 0, "model", "fallback").astype(object)
    return made.assign(source=source).sort_values([ITEM, "lead"], ignore_index=True)


def reasons(record: pd.DataFrame, default: str) -> list[str]:
    """Say of each segment who forecasts it, and why: `theta for 120 items (regular): 0.810 against 0.890 of ets`.

    Args:
        record: of an `Ensemble`.
        default: the member that the choice is held against.
    """
    said = []
    for segment, rows in record.groupby("segment", sort=False):
        chosen = rows[rows["chosen"]].iloc[0]
        name = str(chosen["member"])
        if name == AVERAGE:
            parts = rows[(rows["weight"] > 0) & (rows["member"] != AVERAGE)].sort_values("weight", ascending=False)
            name = " + ".join(f"{weight:.2f} {kind}" for kind, weight in parts[["member", "weight"]].to_numpy())
        count = int(chosen["items"])
        where = "" if segment == "all" else f" ({segment})"
        words = f"{name} for {count} item{'s' * (count != 1)}{where}"
        if pd.isna(chosen["loss"]):
            said.append(f"{words}: too little history to compare")
            continue
        rivals = rows[~rows["chosen"] & (rows["member"] != AVERAGE)].dropna(subset=["loss"]).sort_values("loss")
        rival = rivals[rivals["member"] == default] if (rivals["member"] == default).any() else rivals
        against = f" against {rival['loss'].iloc[0]:.3f} of {rival['member'].iloc[0]}" if len(rival) else ""
        said.append(f"{words}: {chosen['loss']:.3f}{against}")
    return said
