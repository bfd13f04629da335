"""The forecast spec: what a user declares in one short YAML file, validated."""

import datetime
import difflib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from mlops_assets.forecasting import regressors
from mlops_assets.forecasting.contract import PROBLEM, ROW, SOURCE
from mlops_assets.forecasting.grid import (
    PartitionKind,
    default_season_lengths,
    parse_frequency,
    partition_kinds,
)
from mlops_assets.forecasting.policy import Rules
from mlops_assets.forecasting.task import ModelSettings, Task, quantile_column
from mlops_assets.settings import Approval
from mlops_assets.yaml_text import Document, YamlTextError, read_yaml

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
OUR_COLUMNS = frozenset({"item_id", "timestamp", "target", "partition", SOURCE, ROW, PROBLEM})
"""Columns that we add to a user's rows."""
FOREST_PARAMETERS = (
    "n_estimators",
    "criterion",
    "max_depth",
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_fraction_leaf",
    "max_features",
    "max_leaf_nodes",
    "min_impurity_decrease",
    "bootstrap",
    "oob_score",
    "n_jobs",
    "verbose",
    "warm_start",
    "ccp_alpha",
    "max_samples",
    "monotonic_cst",
)
"""Parameters of RandomForestRegressor, the seed aside: importing scikit-learn to ask would cost seconds."""
BOOSTING_PARAMETERS = (
    "loss",
    "quantile",
    "learning_rate",
    "max_iter",
    "max_leaf_nodes",
    "max_depth",
    "min_samples_leaf",
    "l2_regularization",
    "max_features",
    "max_bins",
    "categorical_features",
    "monotonic_cst",
    "interaction_cst",
    "warm_start",
    "early_stopping",
    "scoring",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "verbose",
)
"""The same of HistGradientBoostingRegressor."""


_COMMON_COUNTRIES = """
AR AT AU BE BG BR CA CH CL CN CO CY CZ DE DK EE EG ES FI FR GB GR HR HU ID IE IL IN IS IT JP KE KR LT LU LV MA MT
MX MY NG NL NO NZ PE PH PK PL PT RO RS SA SE SG SI SK TH TN TR TW UA US UY VN ZA
"""
COMMON_COUNTRIES = frozenset(_COMMON_COUNTRIES.split())
"""Countries whose holidays are known for sure: importing the package to ask takes half a second."""


class SpecError(ValueError):
    """A spec that cannot be used; the message names the file and every wrong field."""


class _MisfitError(ValueError):
    """Fields that are right by themselves and wrong together; `path` says which one to look at."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = tuple(path.split("."))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[
    list[Name],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Part(BaseModel):
    """Base of all parts: unknown fields are errors, no type is guessed, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FileSource(Part):
    """Files on a disk or in object storage: CSV, Parquet or JSON lines."""

    kind: Literal["file"]
    path: str = Field(
        min_length=1,
        description="A file, a folder or a glob, relative to the spec's folder or at s3://, gs:// or az://; may hold "
        "${VARIABLE}.",
    )
    format: Literal["auto", "csv", "parquet", "jsonl"] = Field(
        default="auto",
        description="Format of the files; auto: by their ending (.csv, .csv.gz, .parquet, .jsonl, ...).",
    )
    delimiter: str = Field(
        default=",",
        min_length=1,
        max_length=1,
        description="Field separator of CSV files (of .tsv files, the tab).",
    )


class SqlSource(Part):
    """A table or a query in any database that SQLAlchemy reaches."""

    kind: Literal["sql"]
    url: SecretStr = Field(description="SQLAlchemy URL; keep secrets out of the file: ${MY_DATABASE_URL}.")
    table: str | None = Field(
        default=None,
        min_length=1,
        description="Table or view, with its schema where needed (sales.daily); may hold ${VARIABLE}.",
    )
    query: str | None = Field(
        default=None,
        min_length=1,
        description="A SELECT statement in place of a table; :window_start and :window_end stand for the "
        "span wanted, in the spec's time zone, end excluded.",
    )
    chunk_rows: int = Field(default=100_000, ge=1, description="Rows fetched at a time.")

    @model_validator(mode="after")
    def _table_or_query(self) -> "SqlSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


class Pages(Part):
    """How the pages of an HTTP source follow one another."""

    kind: Literal["page", "offset", "cursor", "link"] = Field(
        description="What asks for the next page: its number, how many rows came before, a cursor, or its link."
    )
    parameter: Name | None = Field(
        default=None, description="Query parameter of number, offset or cursor. Default: page, offset, cursor."
    )
    start: int | None = Field(default=None, ge=0, description="Of the first page. Default: page 1, offset 0.")
    path: Name | None = Field(
        default=None,
        description="Where the JSON has the next cursor or link, such as meta.next. A link's default: the header Link.",
    )
    total: Name | None = Field(
        default=None,
        description="Where it says how many rows there are in all, which is then checked: in the JSON (meta.total), "
        "for CSV the response header (X-Total-Count).",
    )

    @model_validator(mode="after")
    def _of_its_kind(self) -> "Pages":
        numbered = self.kind in ("page", "offset")
        if self.kind == "cursor" and self.path is None:
            raise _MisfitError("path", "say where the JSON has the next cursor, such as meta.next")
        if numbered and self.path is not None:
            raise _MisfitError("path", "belongs to the kinds cursor and link")
        if not numbered and self.start is not None:
            raise _MisfitError("start", "belongs to the kinds page and offset")
        if self.kind == "link" and self.parameter is not None:
            raise _MisfitError("parameter", "a link holds all its parameters")
        return self


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Parameter = Annotated[
    str, BeforeValidator(_as_text), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
]


class HttpSource(Part):
    """Rows of a web service: JSON or CSV, in one answer or in pages."""

    kind: Literal["http"]
    url: str = Field(description="Address without parameters; may hold ${VARIABLE}, but no secret: that is a header.")
    query: dict[Name, Parameter] = Field(
        default_factory=dict,
        description="Query parameters; :window_start and :window_end in them stand for the span wanted.",
    )
    time_format: Name | None = Field(
        default=None, description="strftime format of the span's moments, such as %Y-%m-%d. Default: ISO 8601."
    )
    headers: dict[Name, SecretStr] = Field(
        default_factory=dict,
        description="Request headers, never shown: 'Authorization: Bearer ${TOKEN}', 'X-Api-Key: ${KEY}'.",
    )
    format: Literal["json", "csv"] = Field(default="json", description="What the service answers with.")
    records: Name | None = Field(
        default=None, description="Where the JSON has the list of rows, such as data.items. Default: it is the list."
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Field separator of CSV.")
    pages: Pages | None = Field(default=None, description="How pages follow one another. Default: one answer is all.")
    hosts: Names = Field(
        default_factory=list,
        description="Other hosts that redirects and links may lead to (and that get the headers): files.example.com.",
    )
    max_megabytes: int = Field(default=256, ge=1, description="More in one read is an error.")
    max_seconds: int = Field(default=600, ge=1, description="A read that takes longer is an error.")

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        from urllib.parse import urlsplit

        try:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
                raise ValueError
        except ValueError:
            raise ValueError("not an address such as https://api.example.com/v1/sales") from None
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user or password in an address: send them as a header (source.headers)")
        if parts.query or parts.fragment:
            raise ValueError("no ? or # in an address: parameters go to source.query, secrets to source.headers")
        return value

    @field_validator("headers")
    @classmethod
    def _one_line(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                raise ValueError("the name of a header is letters, digits and -")
            if not re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", secret.get_secret_value()):
                raise _MisfitError(name, "its value is not one line of plain ASCII without spaces around it")
        return value

    @model_validator(mode="after")
    def _fits_the_format(self) -> "HttpSource":
        if self.format == "csv" and self.records is not None:
            raise _MisfitError("records", "CSV has no path to its rows")
        if self.format == "csv" and self.pages is not None and self.pages.path is not None:
            raise _MisfitError("pages.path", "CSV has no place for it; use the kinds page, offset or link")
        return self


Source = Annotated[FileSource | SqlSource | HttpSource, Field(discriminator="kind")]


class Columns(Part):
    """Which of the source's columns hold what."""

    item_id: Names = Field(
        min_length=1, description="Column that names the series; of several, the values are joined by '/'."
    )
    timestamp: Name = Field(description="Column of the time; without an offset, it is in the spec's time zone.")
    target: Name = Field(description="Column of the value to forecast.")
    timestamp_format: str | None = Field(
        default=None, description="strptime format of text timestamps, such as %d.%m.%Y. Default: ISO 8601."
    )

    @field_validator("timestamp_format")
    @classmethod
    def _holds_a_year(cls, value: str | None) -> str | None:
        moment = datetime.datetime(2013, 12, 31, tzinfo=datetime.timezone.utc)
        try:
            read = value is None or datetime.datetime.strptime(moment.strftime(value), value).year == moment.year
        except ValueError:
            read = False
        if not read:
            raise ValueError("not a strptime format of a date, such as %d.%m.%Y or %Y-%m-%d %H:%M")
        return value

    @model_validator(mode="after")
    def _one_role_each(self) -> "Columns":
        columns = [*self.item_id, self.timestamp, self.target]
        if twice := _repeated(columns):
            raise ValueError(f"{twice} cannot stand for two of item_id, timestamp and target")
        if ours := sorted({SOURCE, ROW, PROBLEM}.intersection(columns)):
            raise ValueError(f"{', '.join(ours)} is a name that we use ourselves; rename the column in the source")
        return self


class Partitions(Part):
    """The slices of time that are ingested, forecast from and scored one by one."""

    kind: PartitionKind | None = Field(default=None, description="Default: the frequency's own, at least a day.")
    start: str = Field(
        description="A day such as 2013-01-01. The first partition begins with the next week, month, ..."
    )
    end: str | None = Field(default=None, description="First day after the last partition. Default: open end.")
    reread: int = Field(
        default=0,
        ge=0,
        description="So many partitions before the latest are read and scored again in each round: rows that come "
        "late, corrections.",
    )

    @field_validator("start", "end")
    @classmethod
    def _iso_date(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError("not a date such as 2013-01-01")
        try:
            datetime.date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"not a date: {error}") from None
        return value

    @model_validator(mode="after")
    def _ordered(self) -> "Partitions":
        if self.end is not None and self.end <= self.start:
            raise _MisfitError("end", f"not after the start, {self.start}")
        return self


class Covariates(Part):
    """Columns that help to forecast, by when they are known."""

    known: Names = Field(default_factory=list, description="Known for the future too: price, promotion.")
    past: Names = Field(default_factory=list, description="Known up to the origin only: weather seen.")
    static: Names = Field(default_factory=list, description="The same for all rows of an item: its category.")

    @model_validator(mode="after")
    def _one_kind_each(self) -> "Covariates":
        if twice := _repeated([*self.known, *self.past, *self.static]):
            raise ValueError(f"{twice} stands twice; a covariate is of one kind only (known, past or static)")
        return self


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
        if twice := _repeated(self.levels):
            raise _MisfitError("levels", f"{twice} stands twice")
        return self


class Quarantine(Part):
    """What happens to rows that break the contract."""

    max_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="A larger share of rejected rows fails the run; the last good partition stays.",
    )


class Freshness(Part):
    """When a partition is late."""

    grace_hours: float = Field(
        default=6,
        ge=0,
        description="So long after the schedule's tick its partition must be stored; later it is stale, and an alert.",
    )


def _parameters_schema(kinds: Iterable[str], names: Iterable[str]) -> dict[str, Any]:
    said = {"properties": {"kind": {"enum": list(kinds)}}}
    return {
        "if": said if ModelSettings.kind in said["properties"]["kind"]["enum"] else {**said, "required": ["kind"]},
        "then": {"properties": {"parameters": {"propertyNames": {"enum": list(names)}}}},
    }


class Model(Part):
    """The regressor."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _parameters_schema([*regressors.FORESTS, *regressors.FORESTS.values()], FOREST_PARAMETERS),
                _parameters_schema(["hist_gradient_boosting"], BOOSTING_PARAMETERS),
            ]
        }
    )

    kind: Annotated[str, WithJsonSchema({"enum": [*regressors.NAMED, *sorted(regressors.OTHERS)]})] = Field(
        default=ModelSettings.kind,
        description="random_forest, extra_trees, hist_gradient_boosting, or the import path of another of "
        "scikit-learn's regressors, such as sklearn.linear_model.Ridge.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the regressor.",
    )
    max_training_rows: int = Field(
        default=ModelSettings.max_training_rows,
        ge=100,
        description="Upper bound of sampled (item, origin, lead) rows.",
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Of the sampling and of the regressor.")
    recency: float | None = Field(
        default=None,
        gt=0,
        description="Half-life of an origin's chance to be sampled, in steps of the frequency: the model learns more "
        "from what is recent. null: all origins alike.",
    )

    @field_validator("kind")
    @classmethod
    def _storable(cls, value: str) -> str:
        try:
            regressors.import_path(value)
        except ValueError:
            known = _choice(
                value, [*regressors.NAMED, *sorted(regressors.OTHERS)] if "." in value else regressors.NAMED
            )
            raise ValueError(
                f"{known}, or the import path of another of scikit-learn's regressors that a model file can hold, such "
                "as sklearn.linear_model.Ridge"
            ) from None
        return value

    @model_validator(mode="after")
    def _known_parameters(self) -> "Model":
        if "random_state" in self.parameters:
            raise _MisfitError("parameters.random_state", "the field for it is model.seed")
        known = _parameters_of(self.kind) if self.parameters else ()
        for name in self.parameters:
            if name not in known:
                raise _MisfitError(f"parameters.{name}", f"unknown parameter; {_choice(name, known)}")
        return self


def _parameters_of(kind: str) -> tuple[str, ...]:
    if regressors.is_forest(kind):
        return FOREST_PARAMETERS
    if kind == "hist_gradient_boosting":
        return BOOSTING_PARAMETERS
    return tuple(name for name in regressors.parameters(kind) if name != "random_state")


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


Metric = Literal["wql", "mase", "rmsse", "smape", "wape"]


class Gate(Part):
    """When a challenger becomes the champion: every rule must hold (docs/lifecycle.md)."""

    metric: Metric = Field(default="wql", description="Judged on the same backtest windows; lower is better.")
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

    metric: Metric = Field(default="wql", description="Of the forecasts that the partition's actuals allow to score.")
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
            raise _MisfitError("breaches", f"more than the window of {self.window} can hold")
        if self.coverage is not None and self.coverage[0] >= self.coverage[1]:
            raise _MisfitError("coverage", "give the lowest share first, then the highest")
        return self

    @property
    def rules(self) -> Rules:
        """The same in the policy's words."""
        values = self.model_dump()
        band = tuple(self.coverage) if self.coverage is not None else None
        return Rules(**{**values, "coverage": band, "ladder": tuple(self.ladder)})


def _valid_frequency(value: str) -> str:
    parse_frequency(value)
    return value


class ForecastSpec(Part):
    """One forecast: its data, its columns, its time, its model and its rules."""

    name: str = Field(pattern=NAME_PATTERN, description="Prefix of all asset keys and name of the MLflow model.")
    description: str = Field(default="", description="One line for the people who use the forecast.")
    source: Source
    columns: Columns
    frequency: Annotated[str, AfterValidator(_valid_frequency)] = Field(
        description="pandas offset alias of the series: h, D, W-SUN, MS, 30min, ..."
    )
    time_zone: str = Field(
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
    point: Literal["median", "mean"] = Field(default="median", description="Which one is scored as the point forecast.")
    non_negative: bool = Field(default=False, description="Forecasts below zero make no sense: clip them.")
    covariates: Covariates = Field(default_factory=Covariates)
    hierarchy: Hierarchy | None = Field(
        default=None, description="Sums of items that get forecasts too, with means that add up."
    )
    holidays: str | None = Field(default=None, description="Country of public holidays, with a subdivision: US, US-NY.")
    fill: Literal["missing", "zero"] = Field(
        default="missing",
        description="What an absent row of a running series means: unknown, or nothing happened.",
    )
    quarantine: Quarantine = Field(default_factory=Quarantine)
    model: Model = Field(default_factory=Model)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    gate: Gate = Field(default_factory=Gate)
    approval: Approval = Field(
        default="automatic",
        description="manual: what the gate lets through waits for a person. MLOPS_APPROVAL replaces it.",
    )
    retraining: Retraining = Field(default_factory=Retraining)
    schedule: str | None = Field(
        default=None, description="Cron line of the daily round in the spec's zone. Default: none."
    )
    freshness: Freshness = Field(default_factory=Freshness)
    owners: Names = Field(default_factory=list, description="E-mail addresses or team:NAME.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags of the assets in Dagster.")

    _path: Path | None = PrivateAttr(None)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            near = difflib.get_close_matches(value, sorted(available_timezones()), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"not an IANA time zone such as Europe/Berlin{hint}") from None
        return value

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if twice := _repeated(quantile_column(level) for level in value):
            raise ValueError(f"a quantile stands twice (its column would be {twice})")
        return sorted(value)

    @field_validator("season_lengths")
    @classmethod
    def _shortest_first(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and value != sorted(set(value)):
            raise ValueError("give different lengths, shortest first")
        return value

    @field_validator("holidays")
    @classmethod
    def _known_country(cls, value: str | None) -> str | None:
        if value is not None and value not in COMMON_COUNTRIES:
            import holidays

            country, dash, subdivision = value.partition("-")
            try:
                if dash and not subdivision:
                    raise NotImplementedError
                holidays.country_holidays(country, subdiv=subdivision or None)
            except NotImplementedError:
                countries = holidays.list_supported_countries()
                allowed = [f"{country}-{part}" for part in countries.get(country, [])] or list(countries)
                near = difflib.get_close_matches(value.upper(), allowed, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"no country such as US, and no subdivision such as US-NY{hint}") from None
        return value

    @field_validator("schedule")
    @classmethod
    def _cron(cls, value: str | None) -> str | None:
        if value is not None:
            import dagster as dg

            try:
                dg.ScheduleDefinition(name="check", job_name="check", cron_schedule=value)
            except dg.DagsterInvalidDefinitionError:
                raise ValueError("not a cron line of five fields such as '0 6 * * *'") from None
        return value

    @field_validator("owners")
    @classmethod
    def _owner(cls, value: list[str]) -> list[str]:
        import dagster as dg

        for number, owner in enumerate(value):
            try:
                dg.AssetSpec("check", owners=[owner])
            except dg.DagsterInvalidDefinitionError:
                raise _MisfitError(str(number), f"{owner!r} is neither an e-mail address nor team:NAME") from None
        return value

    @field_validator("tags")
    @classmethod
    def _tag(cls, value: dict[str, str]) -> dict[str, str]:
        import dagster as dg

        for name, text in value.items():
            try:
                dg.AssetSpec("check", tags={name: text})
            except dg.DagsterInvalidDefinitionError as error:
                raise _MisfitError(name, str(error)) from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "ForecastSpec":
        if self.point == "median" and 0.5 not in self.quantiles:
            raise _MisfitError("quantiles", "point: median needs 0.5 among the quantiles (or say point: mean)")
        sides = min(self.quantiles) < 0.5 < max(self.quantiles) and 0.5 in self.quantiles
        if self.backtest.conformal is not None and not sides:
            raise _MisfitError("quantiles", "backtest.conformal needs 0.5, and levels below and above it")
        allowed = partition_kinds(self.frequency)
        if self.partitions.kind is not None and self.partitions.kind not in allowed:
            raise _MisfitError(
                "partitions.kind", f"finer than the frequency {self.frequency}; allowed: {', '.join(allowed)}"
            )
        roles = {self.columns.target: "target", self.columns.timestamp: "timestamp"}
        for kind in ("known", "past", "static"):
            for name in getattr(self.covariates, kind):
                if name in roles:
                    raise _MisfitError(
                        f"covariates.{kind}", f"{name!r} is the {roles[name]} itself, which would leak it"
                    )
                if name in OUR_COLUMNS:
                    raise _MisfitError(
                        f"covariates.{kind}",
                        f"{name!r} is a name that we use ourselves; rename it in the source",
                    )
        return self

    @model_validator(mode="after")
    def _levels_are_of_items(self) -> "ForecastSpec":
        parts = self.columns.item_id if len(self.columns.item_id) > 1 else []
        allowed = [*self.covariates.static, *(name for name in parts if name not in self.covariates.static)]
        for name in self.hierarchy.levels if self.hierarchy is not None else ():
            if name not in allowed:
                raise _MisfitError(
                    "hierarchy.levels",
                    f"{name!r} is neither a static covariate nor one of several columns of the item id; "
                    f"there are: {', '.join(allowed) or 'none'}",
                )
        return self

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
            known=tuple(self.covariates.known),
            past=tuple(self.covariates.past),
            static=tuple(self.covariates.static),
            holidays=self.holidays,
            non_negative=self.non_negative,
            model=ModelSettings(
                kind=self.model.kind,
                parameters=dict(self.model.parameters),
                max_training_rows=self.model.max_training_rows,
                seed=self.model.seed,
                recency=self.model.recency,
            ),
        )

    def approved_by(self, approval: Approval | None) -> "ForecastSpec":
        """Return the spec with another approval than the file's, if one is given."""
        return self if approval is None else self.model_copy(update={"approval": approval})

    @property
    def covariate_columns(self) -> list[str]:
        """All covariates: known, past, static."""
        return [*self.covariates.known, *self.covariates.past, *self.covariates.static]

    def fingerprint(self) -> str:
        """Hash of everything that a trained model depends on, the data aside (32 hex digits)."""
        import hashlib
        import json

        judged = self.backtest.model_dump()
        if self.backtest.conformal is None:
            del judged["conformal"]
        said = {"task": self.task.to_dict(), "fill": self.fill, "backtest": judged}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def load_specs(folder: Path) -> list[ForecastSpec]:
    """Read every `*.yaml` and `*.yml` of a folder, sorted by name.

    Raises:
        SpecError: no folder, no file, a wrong file, or two files with one name.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder}: no such folder; MLOPS_FORECASTS must name the folder of the forecast files")
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise SpecError(f"{folder}: no forecast declared here (no *.yaml file)")
    specs: dict[str, ForecastSpec] = {}
    for file in files:
        spec = load_spec(file)
        if spec.name in specs:
            raise SpecError(f"{file}: name: {spec.name!r} is taken by {specs[spec.name].file}")
        specs[spec.name] = spec
    return [specs[name] for name in sorted(specs)]


def load_spec(file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read one spec.

    Args:
        file: the YAML file.
        environ: where `${VARIABLE}` in the source is looked up. Default: the process's environment.

    Raises:
        SpecError: the file cannot be read or breaks the rules; the message has one line for each wrong field.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{file}: not UTF-8 text (line {line}); save it as UTF-8") from None
    return parse_spec(text, file, environ)


def parse_spec(text: str, file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read a spec from its text; `file` is for messages and relative paths. Raises as `load_spec` does."""
    try:
        document = read_yaml(text)
    except YamlTextError as error:
        raise SpecError(f"{file}: not valid YAML: {error}") from None
    values = document.values
    if not isinstance(values, dict):
        raise SpecError(f"{file}: holds no fields; start with name:, source:, columns:")
    problems = [f"{_where(path, document)}: stands twice" for path, _ in document.repeated]
    if isinstance(values.get("source"), dict):
        environ = os.environ if environ is None else environ
        values = {**values, "source": _expand(values["source"], ("source",), environ, document, problems)}
    spec = None
    if not problems:
        try:
            spec = ForecastSpec.model_validate(values)
        except ValidationError as error:
            problems = [_describe(problem, document) for problem in error.errors(include_url=False)]
    if spec is None:
        head = f"{file}: " if len(problems) == 1 else f"{file}: {len(problems)} problems\n  - "
        raise SpecError(head + "\n  - ".join(problems))
    spec._path = file.resolve()
    return spec


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the spec, for editors that complete and check YAML."""
    schema = ForecastSpec.model_json_schema(schema_generator=_Untitled)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "mlops-assets forecast",
    }


class _Untitled(GenerateJsonSchema):
    """A field's title would be its name once more."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _expand(
    value: Any, path: tuple[str, ...], environ: Mapping[str, str], document: Document, problems: list[str]
) -> Any:
    """Replace `${NAME}` by the environment's variable, so that no secret need stand in the file."""
    if isinstance(value, dict):
        return {key: _expand(part, (*path, str(key)), environ, document, problems) for key, part in value.items()}
    if not isinstance(value, str):
        return value
    if path[1] == "headers" and "${" not in value and _SECRET_HEADER.search(path[-1]):
        problems.append(f"{_where(path, document)}: no secret in the file: write ${{NAME}} and set that variable")
        return value
    if "${" in value and path[1] not in _EXPANDED:
        problems.append(f"{_where(path, document)}: ${{...}} is replaced in {', '.join(_EXPANDED)} only")
        return value
    for name in re.findall(r"\$\{(\w+)\}", value):
        if not environ.get(name):
            problems.append(f"{_where(path, document)}: the environment variable {name} is not set")
    if "${" in re.sub(r"\$\{\w+\}", "", value):
        problems.append(f"{_where(path, document)}: write a variable as ${{NAME}}")
    return re.sub(r"\$\{(\w+)\}", lambda match: environ.get(match.group(1), ""), value)


_EXPANDED = ("url", "path", "table", "headers")
_SECRET_HEADER = re.compile("auth|key|token|secret|cookie|pass", re.IGNORECASE)
_NEEDED = {
    "string_type": "text is needed here",
    "int_type": "a whole number is needed here",
    "int_from_float": "a whole number is needed here",
    "float_type": "a number is needed here",
    "finite_number": "a finite number is needed here",
    "bool_type": "true or false is needed here",
    "list_type": "a list is needed here, such as [a, b]",
    "dict_type": "a mapping is needed here, such as name: value",
    "string_too_short": "it is empty",
    "string_too_long": "too long, at most {max_length} character",
    "too_short": "at least {min_length} is needed",
    "too_long": "at most {max_length} are allowed",
    "string_pattern_mismatch": "use small letters, digits and _, first a letter, at most 63 in all",
    "invalid_key": "the name of a field is text",
}


def _describe(problem: Any, document: Document) -> str:
    """One line for one wrong field: path, line, what was found, what is allowed, the nearest right name.

    What was found is quoted from the file, where a variable is only named: its value may be a secret.
    """
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    loc = tuple(map(str, problem["loc"]))
    path = tuple(p for i, p in enumerate(loc) if p != "[key]" and not (i == 1 and p in _SOURCES and loc[0] == "source"))
    path += getattr(context.get("error"), "path", ())
    where = _where(path, document)
    if kind == "extra_forbidden":
        return f"{where}: unknown field; {_choice(path[-1], _model_at(path[:-1], loc).model_fields)}"
    if kind == "missing":
        field = _model_at(path[:-1], loc).model_fields[path[-1]]
        return f"{where}: missing{f' ({field.description})' if field.description else ''}"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        shown = document.places.get((*path, "kind"))
        given = f"found {shown.words}; " if shown is not None else "missing; "
        return f"{_where((*path, 'kind'), document)}: {given}allowed: {', '.join(_SOURCES)}"
    if kind == "literal_error":
        message = _choice(found, context["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    elif kind in ("model_type", "model_attributes_type"):
        fields = _model_at(path, loc).model_fields if path != ("source",) else ("kind", "and what goes with it")
        message = f"fields are needed here: {', '.join(fields)}"
    elif kind in _NEEDED:
        message = _NEEDED[kind].format(**context)
    else:
        message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if kind == "string_type" and isinstance(found, bool | int | float):
        message += ": put it in quotes"
    shown = _shown(path, found, document)
    told = shown is None or (shown.startswith("'") and shown in message)
    return f"{where}: {message}" if told else f"{where}: found {shown}; {message}"


def _where(path: tuple[str, ...], document: Document) -> str:
    """Name a field and the line where it stands, or where that it is missing from stands."""
    places = (document.places[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.places)
    line = next((f" (line {place.line})" for place in places), "")
    return f"{'.'.join(path) or 'the file'}{line}"


def _shown(path: tuple[str, ...], found: Any, document: Document) -> str | None:
    """What stands at a path, in the file's words; None for what is long, absent or may be a secret."""
    place = document.places.get(path)
    if place is None or path[:2] in (("source", "url"), ("source", "headers")):
        return None
    return repr(found) if isinstance(found, list) and place.words is None else place.words


def _choice(found: Any, allowed: Iterable[str]) -> str:
    """Say what is allowed and which of it is nearest to what was found."""
    names = list(allowed)
    near = difflib.get_close_matches(str(found), names, 1, 0.5)
    hint = f"did you mean {near[0]!r}? Allowed" if near else "allowed"
    return f"{hint}: {', '.join(names)}"


def _repeated(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name, count in Counter(names).items() if count > 1)


_SOURCES: dict[str, type[Part]] = {"file": FileSource, "sql": SqlSource, "http": HttpSource}


def _model_at(path: tuple[str, ...], loc: tuple[str, ...]) -> type[BaseModel]:
    """The part of the spec at a path."""
    model: type[BaseModel] = ForecastSpec
    for name in path:
        if name == "source":
            model = _SOURCES[loc[1]] if len(loc) > 1 else FileSource
            continue
        field: FieldInfo = model.model_fields[name]
        candidates = [field.annotation, *get_args(field.annotation)]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model


if __name__ == "__main__":
    import json
    import sys

    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
