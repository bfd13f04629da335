"""Tables beside the observations, joined to them: calendars of events, and covariates of another source."""

from inspect import signature
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from mlops_assets.forecasting.data.grid import parse_frequency
from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.extensions import named, resolved
from mlops_assets.spec.parts import NAME_PATTERN, MisfitError, Name, Names, Part, day_of
from mlops_assets.spec.sources import HttpSource, Parameter, Source, Text

ICALENDAR = ".ics"
"""Ending of files that say themselves where their events are."""


class Calendar(Text):
    """Events that are known ahead, by file: school holidays, promotions, matches."""

    name: str = Field(pattern=NAME_PATTERN, description="Of the covariates that come of it.")
    path: Name | dict[Name, Name] | None = Field(
        default=None,
        description="A file: CSV, Parquet, JSON, Excel or iCalendar (.ics), relative to the spec's folder; may hold "
        "${VARIABLE}. Several: one for each value of `by`, {berlin: be.ics, bremen: hb.ics}.",
    )
    events: Annotated[Name, WithJsonSchema(named(extensions.CALENDARS))] | None = Field(
        default=None,
        description="In the place of a file: a function of your own, by path or entry point, of such a table.",
    )
    parameters: dict[Name, Any] = Field(default_factory=dict, description="Of that function.")
    date: Name | None = Field(default=None, description="Column of the day, of events of one day. Default: date.")
    start: Name | None = Field(default=None, description="Column of the first day, of longer events.")
    end: Name | None = Field(
        default=None, description="Column of the last day, which belongs to the event; a time of day ends it."
    )
    date_format: Name | None = Field(
        default=None, description="strptime format of text dates, such as %d.%m.%Y. Default: ISO 8601."
    )
    by: Names = Field(
        default_factory=list,
        description="Columns that say whose event it is: those of the item id, or static covariates. Default: "
        "everybody's.",
    )
    value: Name | None = Field(default=None, description="Column of how large an event is. Default: 1.")
    kind: Name | None = Field(default=None, description="Column of what it is; of iCalendar the summary.")
    kinds: Names = Field(default_factory=list, description="Only events of these kinds. Default: all.")
    until: str | None = Field(
        default=None, description="The last day that the calendar knows of, if later than its last event."
    )

    @field_validator("until")
    @classmethod
    def _iso_date(cls, value: str | None) -> str | None:
        return None if value is None else day_of(value)

    @model_validator(mode="after")
    def _one_way_to_say_when(self) -> "Calendar":
        if (self.path is None) == (self.events is None):
            raise MisfitError("path", "give either path or events")
        if self.events is not None:
            self._takes_parameters(self.events)
        elif self.parameters:
            raise MisfitError("parameters", "belongs to events")
        if self.date is not None and self.start is not None:
            raise MisfitError("date", "give either date, or start and end")
        if self.end is not None and self.start is None:
            raise MisfitError("start", "end needs start")
        if isinstance(self.path, dict) and len(self.by) != 1:
            raise MisfitError("by", "path has a file for each value of one column: name it")
        if self.kinds and self.kind is None and not self.says_when:
            raise MisfitError("kind", "kinds needs the column that has them")
        columns = (self.date, self.start, self.end, self.value)
        if self.says_when and (any(columns) or (self.by and isinstance(self.path, str))):
            raise MisfitError("path", "iCalendar has no such columns; of `by` give it a file for each value")
        return self

    def _takes_parameters(self, events: str) -> None:
        """Raise MisfitError unless the function is there and takes the parameters."""
        try:
            function = resolved(extensions.CALENDARS, events)
        except ValueError as error:
            raise MisfitError("events", str(error)) from None
        try:
            signature(function).bind(None, None, **self.parameters)
        except TypeError as error:
            raise MisfitError("parameters", f"{events} takes start, end and others than these: {error}") from None

    @property
    def says_when(self) -> bool:
        """Whether its files are iCalendar, which have no columns to name."""
        return all(path.lower().endswith(ICALENDAR) for path in self.paths.values())

    @property
    def paths(self) -> dict[str | None, str]:
        """Its files, or its function, by the value of `by` that they are of; None: of whoever they say."""
        return {**self.path} if isinstance(self.path, dict) else {None: self.path or str(self.events)}


def _valid_frequency(value: str | None) -> str | None:
    return value if value is None or parse_frequency(value) else None


Rule = Literal["mean", "sum", "min", "max", "last"]


class CovariateSource(Part):
    """Covariates that stand in a table of their own: weather, prices, a plan."""

    name: str = Field(pattern=NAME_PATTERN, description="For messages.")
    source: Source
    future: Source | None = Field(
        default=None, description="Where the values after the origin are, if elsewhere: a weather forecast."
    )
    timestamp: Name | None = Field(default=None, description="Column of the time. Default: columns.timestamp.")
    timestamp_format: Name | None = Field(
        default=None, description="As columns.timestamp_format, of this table. Default: ISO 8601."
    )
    known: Names = Field(default_factory=list, description="Its columns that are known for the future too.")
    past: Names = Field(default_factory=list, description="Its columns that are known up to the origin only.")
    by: Names = Field(
        default_factory=list,
        description="Its columns that say whose a row is: those of the item id, or static covariates. Default: "
        "everybody's.",
    )
    each: dict[Name, dict[Name, Parameter]] = Field(
        default_factory=dict,
        description="A web service is asked once for each value of `by`, and :NAME in its query stands for what is "
        "given here: {berlin: {latitude: 52.5, longitude: 13.4}}.",
    )
    frequency: Annotated[str | None, AfterValidator(_valid_frequency)] = Field(
        default=None,
        description="Of this table. A row of a coarser one holds for all steps within its period; a finer one needs "
        "aggregate. Default: the forecast's.",
    )
    aggregate: Rule | dict[Name, Rule] | None = Field(
        default=None, description="How the rows of a finer table become one: mean, or {rain: sum, wind: max}."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "CovariateSource":
        if not self.known and not self.past:
            raise MisfitError("known", "name the columns that are wanted, as known or past")
        if self.future is not None and not self.known:
            raise MisfitError("future", "only known covariates are looked up after the origin")
        if self.each and (len(self.by) != 1 or not all(isinstance(one, HttpSource) for one in self.sources)):
            raise MisfitError("each", "belongs to a web service (kind: http), and to one column `by`")
        if self.aggregate is not None and self.frequency is None:
            raise MisfitError("frequency", "say which frequency its rows have, so that they can be aggregated")
        if isinstance(self.aggregate, dict) and (odd := {*self.aggregate} ^ {*self.known, *self.past}):
            raise MisfitError("aggregate", f"needs a rule for each column, and no other: {', '.join(sorted(odd))}")
        return self

    @property
    def sources(self) -> list[Source]:
        """Where it is read from."""
        return [self.source, *([self.future] if self.future is not None else [])]
