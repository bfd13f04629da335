"""What is to be forecast and how: the engine's only settings object."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .errors import UsageError

POINT, UNDER, OVER = "point", "cost_under", "cost_over"
"""Columns of forecasts with costs: the point that costs least, and what a unit too low and one too high costs."""


@dataclass(frozen=True)
class ModelSettings:
    """Which kind of model, with which parameters, and how many rows it learns from.

    Attributes:
        kind: `random_forest` (default), or another of `kinds.registry`.
        parameters: of the kind; they replace the engine's defaults.
        max_training_rows: upper bound of sampled (item, origin, lead) rows.
        seed: seed of the sampling and of the model.
        recency: half-life of an origin's chance to be sampled, in steps; None: all origins alike.
        accelerator: `intelex`: scikit-learn-intelex fits the forest; None: scikit-learn does.
        members: kinds that an ensemble averages, or that `auto` chooses among; empty: the engine's.
        features: features of others beside the engine's, by their paths or entry points (`extensions.resolve`).
    """

    kind: str = "random_forest"
    parameters: dict[str, Any] = field(default_factory=dict)
    max_training_rows: int = 100_000
    seed: int = 0
    recency: float | None = None
    accelerator: str | None = None
    members: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """One forecasting task, in the engine's words.

    Attributes:
        frequency: pandas offset alias of the grid of timestamps (`h`, `D`, `W-SUN`, `MS`, ...).
        horizon: number of leads, in steps of the frequency, from 1 up to and including this.
        season_lengths: season lengths in steps, shortest first; the first is the one of seasonal naive. Never
            empty: `(1,)` means no season.
        quantiles: levels in (0, 1), ascending.
        point: the point forecast: `median` (the 0.5 quantile), `mean`, or `costs`: the quantile that costs least.
        known: covariates known for future timestamps.
        past: covariates known up to the origin only.
        static: covariates that are constant per item (numbers or categories).
        holidays: country code of the `holidays` package, with an optional subdivision (`US`, `US-NY`), or None.
        non_negative: forecasts are clipped at zero.
        may_be_negative: forecasts may lie below zero though no observation did; else they are clipped where none did
            (see `baselines.clipped`). About what is delivered: no part of what a model learns, nor stored with it.
        model: which kind of model makes the forecasts, with what.
        costs: what a unit too low, and one too high, costs: numbers, or names of static covariates; None: not declared.
        minimum: nothing below it is delivered: a number or the name of a static covariate; as `may_be_negative`, no
            part of what a model learns.
        maximum: nothing above it is delivered, likewise.
        whole: whether targets are whole numbers; None: whether all training rows are.
        metrics: of others that forecasts are scored by beside ours, by their paths or entry points; no part of what a
            model learns.
    """

    frequency: str
    horizon: int
    season_lengths: tuple[int, ...]
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    point: str = "median"
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    holidays: str | None = None
    non_negative: bool = False
    model: ModelSettings = field(default_factory=ModelSettings)
    may_be_negative: bool = field(default=False, compare=False)
    costs: tuple[float | str, float | str] | None = None
    minimum: float | str | None = field(default=None, compare=False)
    maximum: float | str | None = field(default=None, compare=False)
    whole: bool | None = None
    metrics: tuple[str, ...] = field(default=(), compare=False)

    @property
    def quantile_columns(self) -> list[str]:
        """Names of the quantile columns, in the order of `quantiles`."""
        return [quantile_column(level) for level in self.quantiles]

    @property
    def point_column(self) -> str:
        """Name of the column that holds the point forecast."""
        return {"median": quantile_column(0.5), "mean": "mean", "costs": POINT}[self.point]

    @property
    def cost_columns(self) -> list[str]:
        """Names of the columns that forecasts have because of costs."""
        return [] if self.costs is None else [UNDER, OVER, *([POINT] if self.point == "costs" else [])]

    def asked(self, horizon: int | None, quantiles: Sequence[float] | None) -> "Task":
        """Return the task with other quantile levels, if any are given.

        Raises:
            UsageError: a level is none, or the horizon is beyond the task's.
        """
        if horizon is not None and not 1 <= horizon <= self.horizon:
            raise UsageError(f"horizon {horizon} is not within 1..{self.horizon}, what the model was trained for")
        if quantiles is None:
            return self
        strange = [level for level in quantiles if not 0 < level < 1]
        if strange:
            raise UsageError(f"quantiles are levels between 0 and 1, such as 0.9, not {strange}")
        return replace(self, quantiles=tuple(sorted(set(quantiles))))

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain JSON types; without what an older release of this package did not know, if unset."""
        values = asdict(self)
        for name in ("may_be_negative", "minimum", "maximum", "metrics"):
            del values[name]
        for name in ("costs", "whole"):
            if values[name] is None:
                del values[name]
        for name in ("recency", "accelerator", "members", "features"):
            if not values["model"][name]:
                del values["model"][name]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Task":
        """Rebuild a task from `to_dict` (or from its JSON)."""
        lists = ("season_lengths", "quantiles", "known", "past", "static", "costs")
        plain = {name: tuple(value) if name in lists else value for name, value in values.items()}
        model = {**values["model"]}
        model |= {name: tuple(model.get(name, ())) for name in ("members", "features")}
        return cls(**{**plain, "model": ModelSettings(**model)})


def quantile_column(level: float) -> str:
    """Name the column of a quantile: 0.1 is `q10`, 0.975 is `q97_5`."""
    return f"q{level * 100:.6g}".replace(".", "_")
