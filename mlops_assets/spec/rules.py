"""How models are judged, by backtest and gate; what is looked at; why people may adjust; how long what is kept."""

from datetime import timedelta
from math import ceil
from typing import Literal

from pydantic import Field

from mlops_assets.forecasting.data.grid import PartitionKind
from mlops_assets.forecasting.evaluation.metrics import DEFAULT
from mlops_assets.spec.extensions import MetricName, Rules
from mlops_assets.spec.parts import Duration, MisfitError, Names, Part, span_of


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


Severity = Literal["error", "warn", "off"]
"""Of what does not hold: a person should look at it, it is worth knowing, it is not said."""


class Checks(Part):
    """How grave it is that something does not hold: in Dagster's checks as in `status` (docs/watching.md)."""

    stores: Severity = Field(default="error", description="Every store answers.")
    same_spec: Severity = Field(default="error", description="Observations were ingested under the spec of now.")
    contract: Severity = Field(
        default="error", description="The latest rows that were read could be stored: not too many break the contract."
    )
    quarantine: Severity = Field(default="error", description="No row of the latest partition is in quarantine.")
    completeness: Severity = Field(
        default="error", description="No partition, item or lead is missing among observations and forecasts."
    )
    freshness: Severity = Field(
        default="error", description="The partition that the schedule asked for is there in time."
    )
    read_back: Severity = Field(default="error", description="As many rows are stored as there should be.")
    outliers: Severity = Field(default="error", description="None of the latest values is hardly true.")
    champion: Severity = Field(default="error", description="There is a champion, and it can forecast.")
    gate: Severity = Field(default="warn", description="The latest challenger was not refused.")
    approval: Severity = Field(default="error", description="No version waits for a person.")
    published: Severity = Field(
        default="error", description="The latest forecasts are not those of a rolled-back version."
    )
    known_covariates: Severity = Field(default="error", description="Known covariates reach over the horizon.")
    zero_median: Severity = Field(default="error", description="The latest forecasts are not zero nearly everywhere.")
    external_service: Severity = Field(default="error", description="A service that is champion has answered in time.")
    accuracy: Severity = Field(default="error", description="The watched metric is within its limit.")
    bias: Severity = Field(default="error", description="The forecasts are not too high or too low in all.")
    better_than_naive: Severity = Field(
        default="error", description="Most of the latest forecasts were better than seasonal naive."
    )
    interval_coverage: Severity = Field(
        default="error", description="The outer interval held about as many actuals as it should, most of the time."
    )
    breach: Severity = Field(default="error", description="No retraining policy sees a breach of the champion's.")
    anomalies: Severity = Field(default="error", description="The latest observations are as was expected.")
    drift: Severity = Field(
        default="error", description="The latest data are like those that the champion has learnt from."
    )
    runs: Severity = Field(default="error", description="No run has failed of late.")


LOOKED_BACK = 60
"""Partitions that rounds, status and the filling of holes may look back over."""
_DAYS: dict[PartitionKind, float] = {
    "hourly": 1 / 24, "daily": 1, "weekly": 7, "monthly": 31, "quarterly": 92, "yearly": 366,
}  # fmt: skip


class Retention(Part):
    """How long what is made each round is kept (docs/retention.md); what is not named here is kept for ever."""

    forecasts: Duration | None = Field(
        default=None, description="Forecasts by origin: as delivered, as published, added up, and why they changed."
    )
    forecast_accuracy: Duration | None = Field(
        default=None, description="Forecasts beside what came, row by row; their scores are kept for ever."
    )
    data_drift: Duration | None = Field(default=None, description="What was measured of the drift of the data.")
    anomalies: Duration | None = Field(default=None, description="Odd observations.")
    report: Duration | None = Field(default=None, description="That a page was made of a partition, and when.")
    quarantine: Duration | None = Field(default=None, description="Rejected rows.")
    revisions: Duration | None = Field(
        default=None,
        description="What observations said before they were corrected. Not with as_known, which learns from it.",
    )

    @property
    def spans(self) -> dict[str, timedelta]:
        """How long what is named is kept, by the name of the setting."""
        return {name: span_of(said) for name, said in self.model_dump(exclude_none=True).items()}

    def check(self, kind: PartitionKind, horizon: timedelta, window: int, as_known: bool) -> None:
        """Raise MisfitError if a round, a policy or a training would miss what is not kept.

        Args:
            kind: of the partitions.
            horizon: its length.
            window: partitions that the retraining policies look back over.
            as_known: whether trainings learn from revisions.
        """
        if self.revisions is not None and as_known:
            raise MisfitError("retention.revisions", "as_known learns from revisions of any age: leave one of them out")
        least = 2 * horizon + timedelta(days=_DAYS[kind]) * max(LOOKED_BACK, window + 1)
        for name, span in self.spans.items():
            if span < least:
                days = ceil(least / timedelta(days=1))
                raise MisfitError(f"retention.{name}", f"rounds and policies look further back: {days}d is the least")
