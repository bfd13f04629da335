"""What the rows of a forecast mean: columns, partitions, covariates, levels, and how many may be wrong or late."""

import datetime
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mlops_assets.errors import nearest
from mlops_assets.forecasting.data.aggregation import Aggregate
from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE
from mlops_assets.forecasting.data.grid import PartitionKind
from mlops_assets.forecasting.data.parsing import EPOCHS, with_months, with_weekday
from mlops_assets.spec.joined import CovariateSource
from mlops_assets.spec.parts import MisfitError, Name, Names, Part, choice, day_of, repeated

OUR_COLUMNS = frozenset({"item_id", "timestamp", "target", "partition", ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM})
"""Columns that we add to a user's rows."""


class Columns(Part):
    """Which of the source's columns hold what."""

    item_id: Names = Field(
        default_factory=list,
        description="Column that names the series; of several, the values are joined by '/'. Default: none, the table "
        "is one series, which is called by its target.",
    )
    timestamp: Name = Field(description="Column of the time; without an offset, it is in the spec's time zone.")
    target: Name = Field(description="Column of the value to forecast.")
    timestamp_format: str | None = Field(
        default=None,
        description="strptime format of text timestamps, such as %d.%m.%Y; a week without its day (%G-W%V) is its "
        "Monday, a quarter (%YQ%q) its first day. Or what numbers count since 1970: epoch_s, epoch_ms, epoch_us, "
        "epoch_ns. Default: ISO 8601.",
    )
    timestamp_floor: bool = Field(
        default=False,
        description="Stamps between two steps of the grid, such as 23:59:59 or 08:13 of a day, count to the period "
        "that they lie in.",
    )
    aggregate: Aggregate | None = Field(
        default=None,
        description="How several rows of an item and timestamp become one: sum, for sales that come one by one. "
        "Default: they contradict each other.",
    )
    future: Literal["quarantine", "ignore"] = Field(
        default="quarantine",
        description="What a target of a moment that has not come yet is: a fault, or a plan that is left out (known "
        "covariates of its row are used).",
    )
    stamp: Literal["start", "end"] | None = Field(
        default=None,
        description="What a timestamp says of its period: the moment or day that begins it, or the one that ends it "
        "(docs/spec.md). Default: end for ME, BME, QE, YE, else start.",
    )

    @field_validator("timestamp_format")
    @classmethod
    def _holds_a_year(cls, value: str | None) -> str | None:
        moment = datetime.datetime(2013, 12, 31, tzinfo=datetime.timezone.utc)
        if value is None or value in EPOCHS:
            return value
        code, day = with_weekday(value)
        form = with_months(value)
        try:
            read = datetime.datetime.strptime(moment.strftime(form) + day, form + code).year == moment.year
        except ValueError:
            read = False
        if not read:
            near = nearest(value, EPOCHS)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"not a strptime format of a date, such as %d.%m.%Y %Y-%m-%d %H:%M, %G-W%V or %YQ%q{hint}")
        return value

    @model_validator(mode="after")
    def _one_role_each(self) -> "Columns":
        columns = [*self.item_id, self.timestamp, self.target]
        if twice := repeated(columns):
            raise ValueError(f"{twice} cannot stand for two of item_id, timestamp and target")
        if ours := sorted({ROW_SOURCE, ROW_NUMBER, ROW_PROBLEM}.intersection(columns)):
            raise ValueError(f"{', '.join(ours)} is a name that we use ourselves; rename the column in the source")
        return self


class Partitions(Part):
    """The slices of time that are ingested, forecast from and scored one by one."""

    kind: PartitionKind | None = Field(default=None, description="Default: the frequency's own, at least a day.")
    start: str = Field(
        description="A day such as 2013-01-01. The first partition begins with the next week, month, ..."
    )
    end: str | None = Field(default=None, description="First day after the last partition. Default: open end.")
    history_from: str | None = Field(
        default=None,
        description="A day before the start. The first partition holds all rows from there on: history to learn from, "
        "which no forecasts are made in. Default: the start.",
    )
    reread: int = Field(
        default=0,
        ge=0,
        description="So many partitions before the latest are read and scored again in each round: rows that come "
        "late, corrections.",
    )
    max_shrink: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Share of a partition's stored rows that may vanish when it is read again; if more would, they are "
        "kept, and an alert says so.",
    )

    @field_validator("start", "end", "history_from")
    @classmethod
    def _iso_date(cls, value: str | None) -> str | None:
        return None if value is None else day_of(value)

    @model_validator(mode="after")
    def _ordered(self) -> "Partitions":
        if self.end is not None and self.end <= self.start:
            raise MisfitError("end", f"not after the start, {self.start}")
        if self.history_from is not None and self.history_from >= self.start:
            raise MisfitError("history_from", f"not before the start, {self.start}")
        return self

    @property
    def first_day(self) -> str:
        """The first day of which rows are read."""
        return self.history_from or self.start


class Covariates(Part):
    """Columns that help to forecast, by when they are known."""

    known: Names = Field(default_factory=list, description="Known for the future too: price, promotion.")
    past: Names = Field(default_factory=list, description="Known up to the origin only: weather seen.")
    static: Names = Field(
        default_factory=list,
        description="What an item is, such as its category; where it changes, the latest known value counts.",
    )
    missing_future: Literal["warn", "error", "last"] = Field(
        default="warn",
        description="What happens where known covariates are missing over the horizon: they count as unknown and that "
        "is said; nothing is forecast; the item's last known value counts.",
    )
    sources: list[CovariateSource] = Field(
        default_factory=list, description="Tables of their own that more covariates stand in: a weather service."
    )

    @model_validator(mode="after")
    def _one_kind_each(self) -> "Covariates":
        if twice := repeated([*self.all_known, *self.all_past, *self.static]):
            raise ValueError(f"{twice} stands twice; a covariate is of one kind only (known, past or static)")
        if twice := repeated(one.name for one in self.sources):
            raise MisfitError("sources", f"{twice} stands twice")
        return self

    def require_columns(self, field: str, names: list[str]) -> None:
        """Raise MisfitError unless each name of a field is `target` or a covariate, and none stands twice."""
        allowed = ["target", *self.all_known, *self.all_past, *self.static]
        for number, name in enumerate(names):
            if name not in allowed:
                raise MisfitError(f"{field}.{number}", choice(name, allowed))
        if twice := repeated(names):
            raise MisfitError(field, f"{twice} stands twice")

    @property
    def all_known(self) -> list[str]:
        """Known covariates, of whatever table."""
        return [*self.known, *(name for one in self.sources for name in one.known)]

    @property
    def all_past(self) -> list[str]:
        """Past covariates, of whatever table."""
        return [*self.past, *(name for one in self.sources for name in one.past)]


class Hierarchy(Part):
    """Groups of items whose sums are forecast too."""

    levels: Names = Field(
        min_length=1,
        description="Static covariates, or columns of the item id, from the top down: region, shop. The sum of all is "
        "always there.",
    )
    method: Literal["bottom_up", "min_trace"] = Field(
        default="bottom_up", description="How means are made to add up; min_trace needs the extra `hierarchy`."
    )

    @model_validator(mode="after")
    def _different_levels(self) -> "Hierarchy":
        if twice := repeated(self.levels):
            raise MisfitError("levels", f"{twice} stands twice")
        return self


class Quarantine(Part):
    """What happens to rows that break the contract."""

    max_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A larger share of rejected rows, of all or of the latest partition, fails the run; the last good "
        "partition stays. An earlier partition with a larger share is told: what is stored of it stays; where nothing "
        "is, its good rows are stored.",
    )
    max_repeated_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="So does a larger share of good rows that repeat another one of their file word for word: two "
        "sales alike, or an export that repeats itself. 1: they always count once.",
    )


class Freshness(Part):
    """When a partition is late."""

    grace_hours: float = Field(
        default=6,
        ge=0,
        description="So long after the schedule's tick its partition must be stored; later it is stale, and an alert.",
    )
