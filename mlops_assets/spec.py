"""The forecast spec: what a user declares in one short YAML file, validated."""

import datetime
import difflib
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from mlops_assets.forecasting.task import ModelSettings, Task
from mlops_assets.forecasting.grid import default_season_lengths, parse_frequency, partition_kinds

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,62}$"
PartitionKind = Literal["hourly", "daily", "weekly", "monthly", "quarterly", "yearly"]


class SpecError(ValueError):
    """A spec that cannot be used; the message names the file and every wrong field."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_as_list)]


class Part(BaseModel):
    """Base of all parts of the spec: unknown fields are errors, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSource(Part):
    """Files on a disk: CSV, Parquet or JSON lines."""

    kind: Literal["file"]
    path: str = Field(description="A file, a folder or a glob; relative to the spec's folder.")
    format: Literal["auto", "csv", "parquet", "jsonl"] = Field(
        "auto", description="Format of the files; auto: by their ending (.csv, .csv.gz, .parquet, .jsonl, ...)."
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="Field separator of CSV files.")


class SqlSource(Part):
    """A table or a query in any database that SQLAlchemy reaches."""

    kind: Literal["sql"]
    url: SecretStr = Field(description="SQLAlchemy URL; keep secrets out of the file: ${MY_DATABASE_URL}.")
    table: str | None = Field(None, description="Table or view, with its schema where needed: sales.daily.")
    query: str | None = Field(None, description="A SELECT statement in place of a table.")
    chunk_rows: int = Field(100_000, ge=1, description="Rows fetched at a time.")

    @model_validator(mode="after")
    def _table_or_query(self) -> "SqlSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


Source = Annotated[FileSource | SqlSource, Field(discriminator="kind")]


class Columns(Part):
    """Which of the source's columns hold what."""

    item_id: Names = Field(
        min_length=1, description="Column that names the series; of several, the values are joined by '/'."
    )
    timestamp: str
    target: str
    timestamp_format: str | None = Field(
        None, description="strptime format of text timestamps, such as %d.%m.%Y. Default: ISO 8601."
    )


class Partitions(Part):
    """The slices of time that are ingested, forecast from and scored one by one."""

    kind: PartitionKind | None = Field(None, description="Default: the frequency's own, at least a day.")
    start: str = Field(description="First day of the first partition, such as 2013-01-01.")
    end: str | None = Field(None, description="First day after the last partition. Default: open end.")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _iso_date(cls, value: Any) -> Any:
        if value is None:
            return None
        text = str(value)
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError("not a date such as 2013-01-01")
        try:
            datetime.date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"not a date: {error}") from None
        return text

    @model_validator(mode="after")
    def _ordered(self) -> "Partitions":
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end {self.end} is not after start {self.start}")
        return self


class Covariates(Part):
    """Columns that help to forecast, by when they are known."""

    known: Names = Field(default_factory=list, description="Known for the future too: price, promotion.")
    past: Names = Field(default_factory=list, description="Known up to the origin only: weather seen.")
    static: Names = Field(default_factory=list, description="The same for all rows of an item: its category.")

    @model_validator(mode="after")
    def _one_kind_each(self) -> "Covariates":
        every = [*self.known, *self.past, *self.static]
        twice = sorted({name for name in every if every.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: a covariate is of one kind only (known, past or static)")
        return self


class Quarantine(Part):
    """What happens to rows that break the contract."""

    max_share: float = Field(
        0.05, ge=0, le=1, description="A larger share of rejected rows fails the run; the last good partition stays."
    )


class Model(Part):
    """The regressor."""

    kind: Literal["random_forest"] = "random_forest"
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of scikit-learn's RandomForestRegressor."
    )
    max_training_rows: int = Field(
        ModelSettings.max_training_rows, ge=100, description="Upper bound of sampled (item, origin, lead) rows."
    )
    seed: int = Field(0, ge=0)


class BacktestSettings(Part):
    """Rolling origins on which a new model is judged."""

    windows: int = Field(3, ge=1, le=52)
    step: int | None = Field(None, ge=1, description="Steps between two origins. Default: the horizon.")


Metric = Literal["wql", "mase", "rmsse", "smape", "wape"]


class Gate(Part):
    """When a challenger becomes the champion."""

    metric: Metric = Field("wql", description="Judged on the same backtest windows; lower is better.")
    tolerance: float = Field(
        0.0, ge=0, description="How much worse than the present champion is still accepted: 0.02 is 2 %."
    )


class Retraining(Part):
    """When the accuracy on arriving actuals asks for a new model."""

    metric: Metric = "wql"
    threshold: float | None = Field(None, gt=0, description="A higher metric is a breach. Default: never.")
    breaches: int = Field(3, ge=1, description="So many of the last `window` partitions must breach, the latest too.")
    window: int = Field(5, ge=1)

    @model_validator(mode="after")
    def _reachable(self) -> "Retraining":
        if self.breaches > self.window:
            raise ValueError(f"breaches ({self.breaches}) can't exceed window ({self.window})")
        return self


def _valid_frequency(value: str) -> str:
    parse_frequency(value)
    return value


class ForecastSpec(Part):
    """One forecast: its data, its columns, its time, its model and its rules."""

    name: str = Field(pattern=NAME_PATTERN, description="Prefix of all asset keys and name of the MLflow model.")
    description: str = ""
    source: Source
    columns: Columns
    frequency: Annotated[str, BeforeValidator(_valid_frequency)] = Field(
        description="pandas offset alias of the series: h, D, W-SUN, MS, 30min, ..."
    )
    time_zone: str = Field("UTC", description="IANA zone of the timestamps, of the partitions and of the schedule.")
    season_lengths: list[Annotated[int, Field(ge=1)]] | None = Field(
        None, min_length=1, max_length=2, description="In steps, shortest first. Default: by frequency (daily: 7)."
    )
    partitions: Partitions
    horizon: int = Field(ge=1, le=1000, description="Steps ahead of the origin.")
    quantiles: list[Annotated[float, Field(gt=0, lt=1)]] = Field([0.1, 0.5, 0.9], min_length=1)
    point: Literal["median", "mean"] = Field("median", description="Which one is scored as the point forecast.")
    non_negative: bool = Field(False, description="Forecasts below zero make no sense: clip them.")
    covariates: Covariates = Field(default_factory=Covariates)
    holidays: str | None = Field(None, description="Country of public holidays, with a subdivision: US, US-NY.")
    fill: Literal["missing", "zero"] = Field(
        "missing", description="What an absent row of a running series means: unknown, or nothing happened."
    )
    quarantine: Quarantine = Field(default_factory=Quarantine)
    model: Model = Field(default_factory=Model)
    backtest: BacktestSettings = Field(default_factory=BacktestSettings)
    gate: Gate = Field(default_factory=Gate)
    retraining: Retraining = Field(default_factory=Retraining)
    schedule: str | None = Field(None, description="Cron line of the daily round in the spec's zone. Default: none.")
    owners: Names = Field(default_factory=list, description="E-mail addresses or team:NAME.")
    tags: dict[str, str] = Field(default_factory=dict)

    _path: Path | None = PrivateAttr(None)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            near = difflib.get_close_matches(value, sorted(available_timezones()), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"not an IANA time zone such as Europe/Berlin{hint}")
        return value

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, value: list[float]) -> list[float]:
        if len(set(value)) < len(value):
            raise ValueError("a quantile stands twice")
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
        if value is not None:
            import holidays

            country, _, subdivision = value.partition("-")
            try:
                holidays.country_holidays(country, subdiv=subdivision or None)
            except NotImplementedError as error:
                raise ValueError(f"{error}; give a country code such as US, or US-NY with its subdivision") from None
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
        for owner in value:
            if not re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+\.[^@\s]+", owner):
                raise ValueError(f"{owner!r} is neither an e-mail address nor team:NAME")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "ForecastSpec":
        if self.point == "median" and 0.5 not in self.quantiles:
            raise ValueError("point: median needs 0.5 among the quantiles (or say point: mean)")
        allowed = partition_kinds(self.frequency)
        if self.partitions.kind is not None and self.partitions.kind not in allowed:
            raise ValueError(
                f"partitions.kind: {self.partitions.kind} is finer than the frequency {self.frequency}; "
                f"allowed: {', '.join(allowed)}"
            )
        mapped = {"item_id", "timestamp", "target"}
        c = self.covariates
        clash = sorted(mapped & {*c.known, *c.past, *c.static})
        if clash:
            raise ValueError(f"covariates: {', '.join(clash)} is the name of a canonical column; rename it in the source")
        leak = sorted({self.columns.target, self.columns.timestamp} & {*c.known, *c.past, *c.static})
        if leak:
            raise ValueError(f"covariates: {', '.join(leak)} is the target or the timestamp itself")
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
            ),
        )

    @property
    def covariate_columns(self) -> list[str]:
        """All covariates: known, past, static."""
        return [*self.covariates.known, *self.covariates.past, *self.covariates.static]

    def fingerprint(self) -> str:
        """Hash of everything that a trained model depends on, the data aside (32 hex digits)."""
        import hashlib
        import json

        said = {"task": self.task.to_dict(), "fill": self.fill, "backtest": self.backtest.model_dump()}
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
        environ: where `${VARIABLE}` references in the source are looked up. Default: the process's environment.

    Raises:
        SpecError: the file cannot be read or breaks the rules; the message has one line for each wrong field.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{file}: cannot be read ({error.strerror})") from None
    return parse_spec(text, file, environ)


def parse_spec(text: str, file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read a spec from its text; `file` is for messages and relative paths. Raises as `load_spec` does."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{file}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or root is None:
        raise SpecError(f"{file}: holds no fields; start with name:, source:, columns:")
    lines = dict(_lines(root))
    problems = [f"{'.'.join(map(str, path))} stands twice" for path in _duplicates(root)]
    if isinstance(values.get("source"), dict):
        values["source"] = {
            key: _expand(value, f"source.{key}", os.environ if environ is None else environ, problems)
            for key, value in values["source"].items()
        }
    spec = None
    if not problems:
        try:
            spec = ForecastSpec.model_validate(values)
        except ValidationError as error:
            problems = [_describe(problem, lines) for problem in error.errors(include_url=False)]
    if spec is None:
        head = f"{file}: " if len(problems) == 1 else f"{file}: {len(problems)} problems\n  - "
        raise SpecError(head + "\n  - ".join(problems))
    spec._path = file.resolve()
    return spec


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the spec, for editors that complete and check YAML."""
    schema = ForecastSpec.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "mlops-assets forecast"}


def _expand(value: Any, path: str, environ: Mapping[str, str], problems: list[str]) -> Any:
    """Replace `${NAME}` by the environment's variable, so that no secret need stand in the file."""
    if not isinstance(value, str):
        return value

    def look_up(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environ:
            problems.append(f"{path}: the environment variable {name} is not set")
        return environ.get(name, "")

    return re.sub(r"\$\{(\w+)\}", look_up, value)


def _lines(node: yaml.Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))


def _duplicates(node: yaml.Node, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if key.value in seen:
                yield (*path, key.value)
            seen.add(key.value)
            yield from _duplicates(value, (*path, key.value))


def _describe(problem: Any, lines: Mapping[tuple[Any, ...], int]) -> str:
    """One line for one wrong field: path, line, what was found, what is allowed, the nearest right name."""
    union_tags = {"file", "sql"}
    path = tuple(p for i, p in enumerate(problem["loc"]) if not (i == 1 and p in union_tags))
    dotted = ".".join(map(str, path))
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    where = f"{dotted} (line {line})" if line and dotted else dotted or "the file"
    kind, found = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        allowed = sorted(_fields_at(path[:-1], problem["loc"]))
        near = difflib.get_close_matches(str(path[-1]), allowed, 1, 0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{where}: unknown field; {hint}Allowed: {', '.join(allowed)}"
    if kind == "missing":
        return f"{dotted}: missing"
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = found.get("kind") if isinstance(found, dict) else found
        return f"{dotted}.kind: found {tag!r}, allowed: file, sql"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "literal_error":
        allowed = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        near = difflib.get_close_matches(str(found), allowed.split(", "), 1, 0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"allowed: {allowed}{hint}"
    if kind == "string_pattern_mismatch":
        message = "use small letters, digits and _, starting with a letter, at most 63 characters"
    shown = "" if isinstance(found, dict | Part) or found is None else f"found {found!r}; "
    return f"{where}: {shown}{message}"


def _fields_at(path: tuple[Any, ...], loc: tuple[Any, ...]) -> set[str]:
    """Names of the fields allowed at a path of the spec."""
    model: type[BaseModel] = ForecastSpec
    for part in path:
        field = model.model_fields[part]
        if part == "source":
            tag = loc[1] if len(loc) > 1 else "file"
            model = {"file": FileSource, "sql": SqlSource}[str(tag)]
            continue
        candidates = [field.annotation, *get_args(field.annotation)]
        model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return set(model.model_fields)
