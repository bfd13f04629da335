"""The spec of one forecast, with what its parts must keep together."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from mlops_assets.forecasting.data.events import feature_names
from mlops_assets.forecasting.data.grid import (
    PartitionKind,
    default_season_lengths,
    parse_frequency,
    partition_kinds,
    span_of_steps,
    stamp_misfit,
)
from mlops_assets.forecasting.data.wall_clock import keeps_whole_hours
from mlops_assets.forecasting.decisions.rules import PolicyRules
from mlops_assets.forecasting.model.task import Task, quantile_column
from mlops_assets.settings import Approval
from mlops_assets.spec.data import OUR_COLUMNS, Columns, Covariates, Freshness, Hierarchy, Partitions, Quarantine
from mlops_assets.spec.extensions import Extended
from mlops_assets.spec.external import External
from mlops_assets.spec.joined import Calendar
from mlops_assets.spec.limits import Costs, check_limits, require_no_costs
from mlops_assets.spec.model import Model
from mlops_assets.spec.parts import (
    NAME_PATTERN,
    Cron,
    MisfitError,
    Name,
    Names,
    Owners,
    Tags,
    Zone,
    known_country,
    repeated,
)
from mlops_assets.spec.retraining import Policy, Retraining
from mlops_assets.spec.rules import AdjustmentRules, BacktestSettings, Checks, Gate, Retention
from mlops_assets.spec.sources import ArrivalsOrSwitch, AssetSource, Source


def _valid_frequency(value: str) -> str:
    parse_frequency(value)
    return value


class ForecastSpec(Extended):
    """One forecast: its data, its columns, its time, its model and its rules."""

    name: str = Field(pattern=NAME_PATTERN, description="Prefix of all asset keys and name of the MLflow model.")
    description: str = Field(default="", description="One line for the people who use the forecast.")
    source: Source
    columns: Columns
    frequency: Annotated[str, AfterValidator(_valid_frequency)] = Field(
        description="pandas offset alias of the series: h, D, W-SUN, MS, 30min, ..."
    )
    time_zone: Zone = Field(
        default="UTC", description="IANA zone of the timestamps, of the partitions and of the schedule."
    )
    season_lengths: list[Annotated[int, Field(ge=1)]] | None = Field(
        default=None,
        min_length=1,
        max_length=2,
        description="In steps, shortest first. Default: by frequency (daily: 7).",
    )
    partitions: Partitions
    horizon: int = Field(ge=1, le=1000, description="Steps ahead of the origin.")
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        default=[0.1, 0.5, 0.9], min_length=1, description="Levels between 0 and 1, the limits excluded."
    )
    point: Literal["median", "mean", "costs"] = Field(
        default="median",
        description="Which one is scored as the point forecast. Default: with costs, the quantile that costs least; "
        "else the median.",
    )
    costs: Costs | None = Field(
        default=None,
        description="What a unit too low (under), and one too high (over), costs: the point is then the quantile under "
        "/ (under + over), and the metric `cost` tells what errors cost.",
    )
    non_negative: bool | None = Field(
        default=None,
        description="true: forecasts are clipped at zero; false: never. null: where no observation was ever below it.",
    )
    minimum: float | Name | None = Field(
        default=None, description="Nothing below it is forecast: a number, or the name of a static covariate."
    )
    maximum: float | Name | None = Field(
        default=None,
        description="Nothing above it is forecast, such as a capacity: a number, or the name of a static covariate.",
    )
    whole: bool | None = Field(
        default=None,
        description="true: quantiles are whole numbers; false: they need not be. null: where all observations are.",
    )
    covariates: Covariates = Field(default_factory=Covariates)
    hierarchy: Hierarchy | None = Field(
        default=None, description="Sums of items that get forecasts too, with means that add up."
    )
    holidays: Annotated[str | None, AfterValidator(known_country)] = Field(
        default=None, description="Country of public holidays, with a subdivision: US, US-NY."
    )
    calendars: list[Calendar] = Field(default_factory=list, description="Events by file: school holidays, own ones.")
    fill: Literal["missing", "zero"] = Field(
        default="missing",
        description="What an absent row of a running series means: unknown, or nothing happened.",
    )
    outliers: Literal["missing", "keep"] = Field(
        default="missing",
        description="What a target twenty times as far from the item's median as all others counts as: unknown, or "
        "(keep) in scores what it says, and in training and forecasts as far as the farthest other. It is told in "
        "any case.",
    )
    as_known: Names = Field(
        default_factory=list,
        description="Columns (target, covariates) that training and backtest see at each origin as they were known at "
        "it: before revisions, without what came late, known covariates as they were forecast. Default: as they are "
        "known now.",
    )
    quarantine: Quarantine = Field(default_factory=Quarantine)
    model: Model = Field(default_factory=Model)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    gate: Gate = Field(default_factory=Gate)
    approval: Approval = Field(
        default="automatic",
        description="manual: what the gate lets through waits for a person. MLOPS_APPROVAL replaces it.",
    )
    deliver: Literal["always", "champion_only"] = Field(
        default="always",
        description="always: without a champion that can forecast, an earlier one does, or seasonal naive, and the "
        "rows say so. champion_only: the round fails.",
    )
    retraining: Retraining = Field(default_factory=Retraining)
    policies: list[Policy] = Field(
        default_factory=list, description="Further policies beside `retraining`: when to train anew, and how."
    )
    external: External | None = Field(
        default=None, description="A service that makes the same forecasts, beside ours or in their place."
    )
    adjustments: AdjustmentRules = Field(default_factory=AdjustmentRules)
    retention: Retention = Field(default_factory=Retention)
    schedule: Cron | None = Field(
        default=None, description="Cron line of the daily round in the spec's zone. Default: none."
    )
    arrivals: ArrivalsOrSwitch = Field(
        default=None, description="true: data that arrive start their round, late and revised ones are scored again."
    )
    automation: bool | None = Field(
        default=None, description="true: its schedule and the sensors are on from the start; false: they are off."
    )
    freshness: Freshness = Field(default_factory=Freshness)
    checks: Checks = Field(default_factory=Checks)
    owners: Owners = Field(default_factory=list, description="E-mail addresses or team:NAME.")
    tags: Tags = Field(default_factory=dict, description="Tags of the assets in Dagster.")

    _path: Path | None = PrivateAttr(None)
    _source: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _costs_decide(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("costs") is not None:
            return {"point": "costs", **values}
        return values

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if twice := repeated(quantile_column(level) for level in value):
            raise ValueError(f"a quantile stands twice (its column would be {twice})")
        return sorted(value)

    @field_validator("season_lengths")
    @classmethod
    def _shortest_first(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and value != sorted(set(value)):
            raise ValueError("give different lengths, shortest first")
        return value

    @field_validator("policies")
    @classmethod
    def _of_names(cls, value: list[Policy]) -> list[Policy]:
        names = [policy.name for policy in value]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise MisfitError(f"{number}.name", "another policy has that name")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "ForecastSpec":
        if self.point == "median" and 0.5 not in self.quantiles:
            raise MisfitError("quantiles", "point: median needs 0.5 among the quantiles (or say point: mean)")
        sides = min(self.quantiles) < 0.5 < max(self.quantiles) and 0.5 in self.quantiles
        if self.backtest.conformal is not None and not sides:
            raise MisfitError("quantiles", "backtest.conformal needs 0.5, and levels below and above it")
        if self.arrivals is not None and self.arrivals.marker is not None and self.source.kind != "file":
            raise MisfitError("arrivals.marker", "belongs to source.kind: file")
        allowed = partition_kinds(self.frequency)
        if self.partitions.kind is not None and self.partitions.kind not in allowed:
            raise MisfitError(
                "partitions.kind", f"finer than the frequency {self.frequency}; allowed: {', '.join(allowed)}"
            )
        if self.external is not None:
            self.external.check(self.frequency, self.horizon, self.quantiles)
        if problem := stamp_misfit(self.frequency, self.columns.stamp):
            raise MisfitError("columns.stamp", problem)
        if self.partition_kind == "hourly" and not keeps_whole_hours(self.zone, self.partitions.first_day):
            raise MisfitError(
                "partitions.kind",
                f"since {self.partitions.first_day} the clocks of {self.time_zone} are moved by parts of an hour, "
                "so that hours do not follow one another; take daily partitions (the frequency may stay), or "
                "time_zone: UTC",
            )
        roles = {self.columns.target: "target", self.columns.timestamp: "timestamp"}
        for kind in ("known", "past", "static"):
            for name in getattr(self.covariates, kind if kind == "static" else f"all_{kind}"):
                if name in roles:
                    raise MisfitError(
                        f"covariates.{kind}", f"{name!r} is the {roles[name]} itself, which would leak it"
                    )
                if name in OUR_COLUMNS:
                    raise MisfitError(
                        f"covariates.{kind}",
                        f"{name!r} is a name that we use ourselves; rename it in the source",
                    )
        return self

    @model_validator(mode="after")
    def _tables_are_of_items(self) -> "ForecastSpec":
        for number, one in enumerate(self.covariates.sources):
            self._require_items(f"covariates.sources.{number}.by", one.by)
        ours = {*OUR_COLUMNS, *self.covariate_columns}
        for number, one in enumerate(self.calendars):
            self._require_items(f"calendars.{number}.by", one.by)
            names = feature_names(one.name, self.frequency)
            if taken := sorted(ours.intersection(names)):
                raise MisfitError(f"calendars.{number}.name", f"there is a covariate {taken[0]!r} already")
            ours.update(names)
        return self

    def _require_items(self, path: str, names: Sequence[str]) -> None:
        """Raise MisfitError unless each name is a static covariate or a column of the item id."""
        allowed = [*dict.fromkeys([*self.columns.item_id, *self.covariates.static])]
        for name in names:
            if name not in allowed:
                raise MisfitError(
                    path,
                    f"{name!r} is neither a column of the item id nor a static covariate; there are: "
                    f"{', '.join(allowed)}",
                )

    @model_validator(mode="after")
    def _limits_fit(self) -> "ForecastSpec":
        check_limits(self)
        self.covariates.require_columns("as_known", self.as_known)
        watched = [("gate.metric", self.gate.metric), ("retraining.metric", self.retraining.metric)]
        watched += [("policies", rules.metric) for rules in self.rules_of_retraining]
        self.require_measured(watched)
        if self.retention.spans:
            window, horizon = (
                max(one.window for one in self.rules_of_retraining),
                span_of_steps(self.frequency, self.horizon),
            )
            self.retention.check(self.partition_kind, horizon, window, bool(self.as_known))
        if self.costs is None:
            require_no_costs([*watched, ("point", self.point)])
        return self

    @model_validator(mode="after")
    def _levels_are_of_items(self) -> "ForecastSpec":
        parts = self.columns.item_id if len(self.columns.item_id) > 1 else []
        allowed = [*self.covariates.static, *(name for name in parts if name not in self.covariates.static)]
        for name in self.hierarchy.levels if self.hierarchy is not None else ():
            if name not in allowed:
                raise MisfitError(
                    "hierarchy.levels",
                    f"{name!r} is neither a static covariate nor one of several columns of the item id; "
                    f"there are: {', '.join(allowed) or 'none'}",
                )
        return self

    def read_from(self, file: Path, source: dict[str, Any] | None = None) -> "ForecastSpec":
        """Note the file that it was read from, and its source with `${VARIABLE}` as it stands there, and return it."""
        self._path, self._source = file, dict(source or {})
        return self

    @property
    def variables(self) -> dict[str, str]:
        """Fields of the source that hold a `${VARIABLE}`, as they stand in the file."""
        return {name: text for name, text in self._source.items() if isinstance(text, str) and "${" in text}

    @property
    def folder(self) -> Path:
        """Folder that relative paths of the spec start from."""
        return self._path.parent if self._path is not None else Path.cwd()

    @property
    def file(self) -> str:
        """Name of the spec's file, for messages."""
        return str(self._path) if self._path is not None else self.name

    @property
    def zone(self) -> ZoneInfo:
        """The spec's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def partition_kind(self) -> PartitionKind:
        """Kind of the partitions, by default the frequency's own."""
        return self.partitions.kind or partition_kinds(self.frequency)[0]

    @cached_property
    def task(self) -> Task:
        """The same in the engine's words."""
        seasons = self.season_lengths or default_season_lengths(self.frequency)
        return Task(
            frequency=self.frequency,
            horizon=self.horizon,
            season_lengths=tuple(seasons),
            quantiles=tuple(self.quantiles),
            point=self.point,
            known=(*self.covariates.all_known, *self.calendar_columns),
            past=tuple(self.covariates.all_past),
            static=tuple(self.covariates.static),
            holidays=self.holidays,
            non_negative=bool(self.non_negative),
            may_be_negative=self.non_negative is False or (isinstance(self.minimum, float) and self.minimum < 0),
            costs=None if self.costs is None else (self.costs.under, self.costs.over),
            minimum=self.minimum,
            maximum=self.maximum,
            whole=self.whole,
            metrics=tuple(self.metrics),
            model=self.model.settings,
        )

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The task, and the same with each kind of model that a policy may train: any of them may be champion."""
        kinds = [one for policy in self.policies for one in policy.strategy if isinstance(one, Model)]
        return (self.task, *(replace(self.task, model=kind.settings) for kind in kinds))

    def task_by(self, policy: str, strategy: str) -> Task:
        """Return the task with the kind of model that a policy's strategy names; for any other strategy, as it is."""
        kinds = (one.model(strategy) for one in self.policies if one.name == policy)
        model = next((kind for kind in kinds if kind is not None), self.model)
        return replace(self.task, model=model.settings)

    def minutes_of(self, policy: str) -> float:
        """Return what a search that a policy asks for may take."""
        minutes = (one.minutes for one in self.policies if one.name == policy)
        return next(minutes, Policy.model_fields["minutes"].default)

    @property
    def rules_of_retraining(self) -> tuple[PolicyRules, ...]:
        """The policies in the engine's words: `retraining`, then `policies`, in their order.

        Beside others `retraining` is left out where all its rules are off.
        """
        first, others = self.retraining.rules, [policy.rules(self.retraining) for policy in self.policies]
        return (*others,) if others and not first.asks else (first, *others)

    @property
    def sources(self) -> list[Source]:
        """All that rows and covariates are read from."""
        return [self.source, *(source for one in self.covariates.sources for source in one.sources)]

    @property
    def upstream(self) -> list[str]:
        """Keys of the assets that its sources are, or are made by."""
        assets = [source.key for source in self.sources if isinstance(source, AssetSource)]
        return list(dict.fromkeys([*assets, *(key for source in self.sources for key in source.after)]))

    @property
    def calendar_columns(self) -> list[str]:
        """Known covariates that come of the calendars; they are not stored, but made whenever they are wanted."""
        return [column for one in self.calendars for column in feature_names(one.name, self.frequency)]

    @property
    def covariate_columns(self) -> list[str]:
        """All covariates that are stored: known, past, static."""
        return [*self.covariates.all_known, *self.covariates.all_past, *self.covariates.static]

    def fingerprint(self) -> str:
        """Hash of everything that a trained model depends on, the data aside (32 hex digits)."""
        judged = self.backtest.model_dump()
        if self.backtest.conformal is None:
            del judged["conformal"]
        said = {"task": self.task.to_dict(), "fill": self.fill, "backtest": judged}
        if self.as_known:
            said["as_known"] = sorted(self.as_known)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
