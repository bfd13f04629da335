"""Tables beside the observations, joined to them: calendars of events, and covariates of another source."""

from pydantic import Field, field_validator, model_validator

from mlops_assets.spec.parts import NAME_PATTERN, MisfitError, Name, Names, day_of
from mlops_assets.spec.sources import Text

ICALENDAR = ".ics"
"""Ending of files that say themselves where their events are."""


class Calendar(Text):
    """Events that are known ahead, by file: school holidays, promotions, matches."""

    name: str = Field(pattern=NAME_PATTERN, description="Of the covariates that come of it.")
    path: Name | dict[Name, Name] = Field(
        description="A file: CSV, Parquet, JSON, Excel or iCalendar (.ics), relative to the spec's folder; may hold "
        "${VARIABLE}. Several: one for each value of `by`, {berlin: be.ics, bremen: hb.ics}.",
    )
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

    @property
    def says_when(self) -> bool:
        """Whether its files are iCalendar, which have no columns to name."""
        return all(path.lower().endswith(ICALENDAR) for path in self.paths.values())

    @property
    def paths(self) -> dict[str | None, str]:
        """Its files, by the value of `by` that they are of; None: of whoever they say."""
        return {None: self.path} if isinstance(self.path, str) else {**self.path}
