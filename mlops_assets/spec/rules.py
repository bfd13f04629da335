"""How models are judged, by backtest and gate, and why people may adjust what they forecast."""

from typing import Literal

from pydantic import Field

from mlops_assets.forecasting.evaluation.metrics import DEFAULT
from mlops_assets.spec.extensions import MetricName, Rules
from mlops_assets.spec.parts import Names, Part


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
    rules: Rules = Field(
        default_factory=list,
        description="Rules of your own, by path or entry point, that must hold as well.",
    )


class AdjustmentRules(Part):
    """What people who adjust a forecast have to keep to (docs/adjusting.md)."""

    reasons: Names = Field(
        default_factory=list, description="Reasons that an adjustment may have: promotion, weather. Default: any word."
    )
