"""How models are judged: the backtest, the gate, and when one is trained anew."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mlops_assets.forecasting.decisions.policy import PolicyRules
from mlops_assets.forecasting.evaluation.metrics import DEFAULT, gate_metrics
from mlops_assets.spec.parts import MisfitError, Part


class BacktestSettings(Part):
    """Rolling origins on which a new model is judged."""

    windows: int = Field(default=3, ge=1, le=52, description="How many origins.")
    step: int | None = Field(default=None, ge=1, description="Steps between two origins. Default: the horizon.")
    conformal: float | None = Field(
        default=None,
        ge=0,
        lt=0.5,
        description="Where the coverage on these windows is off by more than this, the quantiles are moved away from "
        "the median, or towards it, until it would have been right. null: never.",
    )


if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[tuple(gate_metrics())]


class Gate(Part):
    """When a challenger becomes the champion: every rule must hold (docs/lifecycle.md)."""

    metric: MetricName = Field(default=DEFAULT, description="Judged on the same backtest windows; lower is better.")
    require: Literal["auto", "no_worse", "better"] = Field(
        default="auto",
        description="What the challenger must be against the champion. auto: better, if a breach of the accuracy "
        "asked for the training; else no worse.",
    )
    tolerance: float = Field(
        default=0.02,
        ge=0,
        description="How much worse than the champion the upper end of the interval may be: 0.02 is 2 %.",
    )
    margin: float = Field(default=0.02, ge=0, description="How much lower the metric must be to be called better.")
    confidence: float = Field(default=0.95, gt=0, lt=1, description="Of the interval of the difference.")
    segment_tolerance: float = Field(
        default=0.1,
        ge=0,
        description="How much worse a segment may be: a static covariate's value, or a third by volume.",
    )
    coverage_tolerance: float = Field(
        default=0.2, ge=0, le=1, description="How far the outer interval's coverage may be from its nominal one."
    )
    predict_seconds: float = Field(default=600, gt=0, description="CPU seconds that one origin's forecast may take.")
    model_megabytes: float = Field(default=500, gt=0, description="Size that the model's file may have.")


class Retraining(Part):
    """When what has been seen asks for a new model, and what holds it back (docs/lifecycle.md)."""

    metric: MetricName = Field(
        default=DEFAULT, description="Of the forecasts that the partition's actuals allow to score."
    )
    threshold: float | None = Field(default=None, gt=0, description="A higher metric is a breach. Default: off.")
    relative: float | None = Field(
        default=1.25, gt=0, description="So many times the champion's own backtest is a breach. null: off."
    )
    skill: float | None = Field(
        default=None, lt=1, description="A lower skill against seasonal naive is a breach. Default: off."
    )
    coverage: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="A share of actuals in the outer interval outside [low, high] is a breach. Default: off.",
    )
    drift: float | None = Field(default=None, gt=0, description="A higher drift of the data is a breach. Default: off.")
    breaches: int = Field(
        default=3, ge=1, description="So many of the last `window` partitions must breach, the latest too."
    )
    window: int = Field(default=5, ge=1, description="How many of the latest scored partitions are looked at.")
    matured: float = Field(
        default=0.5, ge=0, le=1, description="Share of the fullest partition's rows that one needs to be judged."
    )
    max_age_days: float | None = Field(
        default=None, gt=0, description="A champion whose data ended longer ago is trained anew. Default: off."
    )
    new_rows: int | None = Field(
        default=None, ge=1, description="So many observations since the training ask for a new one. Default: off."
    )
    cool_down: int = Field(
        default=5, ge=0, description="Partitions between two retrainings; doubled while they change nothing."
    )
    minimum_new: int = Field(default=3, ge=0, description="Partitions that a new training must add to the last one's.")
    budget: int = Field(default=4, ge=1, description="At most so many retrainings in `budget_window` partitions.")
    budget_window: int = Field(default=30, ge=1, description="See budget.")
    futility: int = Field(
        default=3, ge=1, description="After so many retrainings in vain on one breach: stop, and alert a person."
    )
    ladder: list[Literal["grow", "refit"]] = Field(
        default=["refit"],
        min_length=1,
        description="What the first try on a breach does, the second, ...; the last for all further ones.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> "Retraining":
        if self.breaches > self.window:
            raise MisfitError("breaches", f"more than the window of {self.window} can hold")
        if self.coverage is not None and self.coverage[0] >= self.coverage[1]:
            raise MisfitError("coverage", "give the lowest share first, then the highest")
        return self

    @property
    def rules(self) -> PolicyRules:
        """The same in the policy's words."""
        values = self.model_dump()
        band = tuple(self.coverage) if self.coverage is not None else None
        return PolicyRules(**{**values, "coverage": band, "ladder": tuple(self.ladder)})
