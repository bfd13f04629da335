"""What is looked at in each window, feature by feature, and how a difference is put into words."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from mlops_assets.forecasting.formatting import few
from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.forecasting.monitoring.drift.distance import distance, is_share, stability

MINIMUM = 4
"""Windows of the reference that a judgement needs."""
BACK = 4
"""Windows that levels and sets of items are compared over at most: both wander, and the model follows them."""


@dataclass(frozen=True)
class Feature:
    """One feature in every window.

    Attributes:
        name: of the column, or `items`.
        values: shape (windows, cells), the newest window first, NaN where missing.
        learnt: number of the first window that belongs to the reference.
    """

    kind: ClassVar[str]
    name: str
    values: np.ndarray
    learnt: int

    @cached_property
    def newest(self) -> np.ndarray:
        """What is there in the newest window, shape (values,)."""
        newest = self.values[0]
        return newest[~np.isnan(newest)]

    @cached_property
    def reference(self) -> np.ndarray:
        """Windows of the training in which there is anything, shape (windows, cells), NaN where missing."""
        reference = self.values[self.learnt :]
        return reference[~np.isnan(reference).all(axis=1)]

    @property
    def label(self) -> str:
        """The feature's name in a sentence."""
        return self.name

    def judge(self, rank: float) -> dict[str, Any]:
        """Return the feature's row of numbers, NaN where too little is there; `rank` as of `DriftRules`."""
        row: dict[str, Any] = {"feature": self.name, "kind": self.kind}
        row |= dict.fromkeys(["psi", "usual_psi", "statistic", "farthest", "p_value"], np.nan)
        row |= {"rows": len(self.newest), "reference_rows": int((~np.isnan(self.reference)).sum())}
        if not len(self.newest) or len(self.reference) < MINIMUM:
            return row
        psi, usual = stability(self.newest, self.reference)
        statistic, farthest, p_value = distance(self.newest, self.reference, rank)
        return {**row, "psi": psi, "usual_psi": usual, "statistic": statistic, "farthest": farthest, "p_value": p_value}

    def explain(self, drifted: bool) -> str:
        """Return one sentence: what is different, from what to what."""
        if len(self.reference) < MINIMUM:
            there = f"{len(self.reference)} earlier windows of the same season, {MINIMUM} are needed"
            return f"{self.label} cannot be judged: {there}"
        if not len(self.newest):
            return f"{self.label}: there is nothing in the window to look at"
        return f"{self.label} {'has drifted' if drifted else 'is as usual'}: {self.difference()}"

    @abstractmethod
    def difference(self) -> str:
        """Say how the newest window differs from the training."""


@dataclass(frozen=True)
class Values(Feature):
    """A covariate's values."""

    kind: ClassVar[str] = "values"

    def difference(self) -> str:
        """Say where the values lie, or which share of them is 1."""
        if is_share(self.newest, self.reference):
            usual = mean_of(self.reference, 1).mean()
            return f"{self.newest.mean():.1%} of the values are 1, in the training {usual:.1%}"
        now, was = (np.nanquantile(part, [0.5, 0.1, 0.9]) for part in (self.newest, self.reference))
        return f"{_spread(now)}, in the training {_spread(was)}"


@dataclass(frozen=True)
class Missing(Feature):
    """Which values are absent, as 0 and 1."""

    kind: ClassVar[str] = "missing"

    @property
    def label(self) -> str:
        """The column, and that it is missing."""
        return f"{self.name} missing"

    def difference(self) -> str:
        """Say which share is absent."""
        return f"{self.newest.mean():.1%} of the values, in the training {mean_of(self.reference, 1).mean():.1%}"


@dataclass(frozen=True)
class ItemSet(Feature):
    """Which items came or went, as 0 and 1.

    Attributes:
        came: items that are there now and were not.
        went: items that were there and are not.
    """

    kind: ClassVar[str] = "set"
    came: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The feature in a sentence."""
        return "the set of items"

    def difference(self) -> str:
        """Say how many came and went, and name a few."""
        named = [f"{verb} {few(items)}" for verb, items in (("gone:", self.went), ("come:", self.came)) if items]
        listed = f" ({'; '.join(named)})" if named else ""
        most = int(np.nansum(self.reference, axis=1).max())
        count = f"{int(self.newest.sum())} of {len(self.newest)} came or went against {_ago(self.learnt)}{listed}"
        return f"{count}, in the training at most {most}"


@dataclass(frozen=True)
class Shape(Feature):
    """What of the target neither the item's level nor the season explains.

    Attributes:
        relative: values are shares of the level, not multiples of usual deviations.
    """

    kind: ClassVar[str] = "shape"
    relative: bool = True

    @property
    def label(self) -> str:
        """The feature in a sentence."""
        return "the pattern of the target"

    def difference(self) -> str:
        """Say how far off values lie."""
        now, was = (self._size(part) for part in (self.newest, self.reference[~np.isnan(self.reference)]))
        return f"values lie {now} off what their item and the season let expect, in the training {was}"

    def _size(self, values: np.ndarray) -> str:
        size = float(np.abs(values).mean())
        return f"{size:.0%}" if self.relative else f"{size:.2f} of its usual deviations"


@dataclass(frozen=True)
class Level(Feature):
    """How the levels of the items have changed.

    Attributes:
        relative: values are logarithms of ratios, not multiples of usual deviations.
    """

    kind: ClassVar[str] = "level"
    relative: bool = True

    @property
    def label(self) -> str:
        """The feature in a sentence."""
        return "the level of the items"

    def difference(self) -> str:
        """Say how the item in the middle has changed."""
        usual = np.quantile(np.nanmedian(self.reference, axis=1), [0.1, 0.9])
        now, low, high = (self._change(float(value)) for value in (np.median(self.newest), *usual))
        return f"{now} against {_ago(self.learnt)} (the item in the middle), in the training mostly {low} to {high}"

    def _change(self, value: float) -> str:
        return f"{np.expm1(value):+.0%}" if self.relative else f"{value:+.1f} usual deviations"


def _ago(learnt: int) -> str:
    back = min(learnt, BACK)
    return "the window before" if back == 1 else f"{back} windows before"


def _spread(quantiles: np.ndarray) -> str:
    return "{:.4g} (80 % lie in {:.4g} to {:.4g})".format(*quantiles)


def of_target(target: np.ndarray, learnt: int) -> list[Feature]:
    """Return shape and level of targets of shape (items, windows, steps)."""
    positive = not (target < 0).any()
    level = mean_of(target, 2)
    for _ in range(2):  # once more with the season known: a window may lack its busy days
        parts = target / _above_zero(level)[..., None] if positive else target - level[..., None]
        profile = mean_of(parts[:, learnt:], 1)[:, None]
        there = np.where(np.isnan(target), np.nan, np.broadcast_to(profile, target.shape))
        if positive:
            level = mean_of(np.where(np.isnan(there), np.nan, target), 2) / _above_zero(mean_of(there, 2))
        else:
            level = mean_of(target - there, 2)
    parts = target / _above_zero(level)[..., None] if positive else target - level[..., None]
    profile = mean_of(parts[:, learnt:], 1)[:, None]
    rest = parts - profile
    known = (~np.isnan(parts[:, learnt:])).sum(axis=1)[:, None]
    # A window's own values are in the profile: leaving them out makes its distance so much larger.
    rest[:, learnt:] *= np.where(known > 1, known / np.maximum(known - 1, 1), np.nan)
    unit = mean_of(np.abs(rest[:, learnt:]).reshape(len(target), -1), 1)
    if positive:
        height = np.log(_above_zero(level))
    else:
        rest, height = rest / _above_zero(unit)[:, None, None], level / _above_zero(unit)[:, None]
    back = min(learnt, BACK)
    change = height[:, : height.shape[1] - back] - height[:, back:]
    return [Shape(TARGET, cells(rest), learnt, positive), Level(TARGET, change.T, learnt, positive)]


def mean_of(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _above_zero(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def cells(values: np.ndarray) -> np.ndarray:
    """Turn (items, windows, steps) into (windows, cells)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)
