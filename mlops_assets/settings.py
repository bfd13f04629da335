"""The environment variables, all of them, typed. `.env.example` mirrors this file."""

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator

from mlops_assets.errors import UsageError, nearest

Environment = Literal["local", "staging", "production", "test"]
TablePlace = Literal["files", "sql", "object_storage", "memory"]
ModelPlace = Literal["files", "object_storage", "memory"]
Approval = Literal["automatic", "manual"]
Executor = Literal["in_process", "multiprocess"]
LogFormat = Literal["text", "json"]

PLACES: dict[Environment, tuple[TablePlace, ModelPlace]] = {
    "local": ("files", "files"),
    "staging": ("sql", "object_storage"),
    "production": ("sql", "object_storage"),
    "test": ("memory", "memory"),
}
"""Where each environment keeps tables and models; MLOPS_TABLES and MLOPS_MODELS choose otherwise."""
_PACKAGE = Path(__file__).parent
_SHIPPED = "nyc_departures.yaml"
_DATABASE, _BUCKET = "postgresql://user:password@host/name", "s3://bucket/prefix"


class SettingsError(UsageError):
    """An environment variable is missing or wrong; the message names it and what it takes."""


class Settings(BaseModel, frozen=True, populate_by_name=True):
    """What the environment says, read once by `Settings.read()`.

    Every field is one environment variable, named by its alias.
    """

    environment: Environment = Field(
        default="local",
        alias="MLOPS_ENV",
        description="Where things are kept: local, staging, production or test.",
    )
    forecasts: Path = Field(
        default_factory=lambda: default_forecasts(Path.cwd()),
        alias="MLOPS_FORECASTS",
        description="Folder of the YAML files, one for each forecast. Default: ./forecasts; in a clone, the example.",
    )
    data: Path = Field(
        default=Path("data"),
        alias="MLOPS_DATA",
        description="Folder of everything that the local environment writes: tables, models, MLflow.",
    )
    tables: TablePlace | None = Field(
        default=None,
        alias="MLOPS_TABLES",
        description="Where tables are kept: files, sql, object_storage or memory. Default: the environment's.",
    )
    models: ModelPlace | None = Field(
        default=None,
        alias="MLOPS_MODELS",
        description="Where models are kept: files, object_storage or memory. Default: the environment's.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        alias="MLOPS_DATABASE_URL",
        description="Database of tables kept in SQL, such as postgresql://user:password@host/name.",
    )
    jobs_url: SecretStr | None = Field(
        default=None,
        alias="MLOPS_JOBS_URL",
        description="Database of the ledger of jobs. Default: that of SQL tables, else jobs.db in the data folder.",
    )
    events_queue: str | None = Field(
        default=None,
        alias="MLOPS_EVENTS_QUEUE",
        description="Queue of SQS whose messages wake jobs and arrivals: https://sqs.eu-west-1.amazonaws.com/1234/name.",
    )
    object_storage: str | None = Field(
        default=None,
        alias="MLOPS_OBJECT_STORAGE",
        description="Base of object storage, such as s3://bucket/prefix; keys come from the cloud's own variables.",
    )
    tracking_uri: SecretStr | None = Field(
        default=None,
        alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database. Default: SQLite in the data folder.",
    )
    mlflow_ui: str | None = Field(
        default=None,
        alias="MLOPS_MLFLOW_UI",
        description="MLflow's web UI, for links. Default: the tracking server; locally http://127.0.0.1:5000.",
    )
    dagster_ui: str = Field(
        default="http://127.0.0.1:3000",
        alias="MLOPS_DAGSTER_UI",
        description="Dagster's web UI, for the links in alerts. Default: http://127.0.0.1:3000.",
    )
    notify: SecretStr | None = Field(
        default=None,
        alias="MLOPS_NOTIFY",
        description="Where alerts go besides the log: an address of apprise, such as "
        "mailto://user:password@host?to=me@host, or a function of your own, such as acme.alerts:send.",
    )
    approval: Approval | None = Field(
        default=None,
        alias="MLOPS_APPROVAL",
        description="Who lets a challenger become champion: automatic (the gate), or manual. Default: the spec's own.",
    )
    automation: bool | None = Field(
        default=None,
        alias="MLOPS_AUTOMATION",
        description="Whether schedules and sensors are on from the start: true, or false: nothing starts by itself. "
        "Default: the spec's own.",
    )
    executor: Executor = Field(
        default="in_process",
        alias="MLOPS_EXECUTOR",
        description="How the steps of a run are executed: in_process, one after another, or multiprocess, each in a "
        "process of its own.",
    )
    max_concurrent: int = Field(
        default=4,
        alias="MLOPS_MAX_CONCURRENT",
        ge=1,
        description="Steps that a multiprocess run executes at once. Default: 4.",
    )
    price_per_cpu_hour: float | None = Field(
        default=None,
        alias="MLOPS_PRICE_PER_CPU_HOUR",
        ge=0,
        allow_inf_nan=False,
        description="Price of an hour of one processor, such as 0.05, by which status and report say what was spent.",
    )
    now: str | None = Field(
        default=None,
        alias="MLOPS_NOW",
        description="Pretend that it is this moment (ISO 8601), to replay the past. Default: the real clock.",
    )

    engine: str = Field(
        default="local",
        alias="MLOPS_ENGINE",
        description="Where large tables are worked on: local, dask://…, spark://… or databricks; see docs/scale.md.",
    )
    api_token: SecretStr | None = Field(
        default=None,
        alias="MLOPS_API_TOKEN",
        description="Token that readers of `serve` need, or several with names: anna:SECRET,ben:SECRET.",
    )
    api_write_token: SecretStr | None = Field(
        default=None,
        alias="MLOPS_API_WRITE_TOKEN",
        description="Token of those who may write through `serve`, or several with names. Default: nobody may.",
    )
    approvers: SecretStr | None = Field(
        default=None,
        alias="MLOPS_APPROVERS",
        description="Who may decide and write, each with a key: anna:SECRET,ben:SECRET. Default: nobody needs a key.",
    )
    key: SecretStr | None = Field(
        default=None,
        alias="MLOPS_KEY",
        description="Key of the person who calls a command, where MLOPS_APPROVERS asks for one.",
    )
    webhook_key: SecretStr | None = Field(
        default=None,
        alias="MLOPS_WEBHOOK_SECRET",
        description="Secret that MLflow signs its registry's webhooks with, for `serve`. Default: none is taken.",
    )
    api_hosts: str = Field(
        default="",
        alias="MLOPS_API_HOSTS",
        description="Names that `serve` answers to, besides this machine's own: forecasts.example.com,10.0.0.5.",
    )
    api_origins: str = Field(
        default="",
        alias="MLOPS_API_ORIGINS",
        description="Other web pages that may read from `serve` (CORS): https://dashboard.example.com. Default: none.",
    )
    log_format: LogFormat = Field(
        default="text",
        alias="MLOPS_LOG_FORMAT",
        description="What commands write to standard error, for people (text) or for who collects logs: json.",
    )
    debug: bool = Field(
        default=False,
        alias="MLOPS_DEBUG",
        description="Show the trace of a bug in a command instead of logging it, as --debug does: true or false.",
    )

    @field_validator("dagster_ui", "mlflow_ui")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not re.fullmatch(r"https?://\S+", value):
            raise ValueError("not an address such as http://127.0.0.1:3000")
        return re.sub(r"//[^/]*@", "//", value).rstrip("/")  # a link shows no password

    @field_validator("events_queue")
    @classmethod
    def _a_queue(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/@]+/\S+", value):
            raise ValueError("not an address such as https://sqs.eu-west-1.amazonaws.com/1234/name")
        return value

    @field_validator("engine")
    @classmethod
    def _without_login(cls, value: str) -> str:
        if re.search(r"//[^/]*:[^/]*@|[;&?](token|password)=", value):
            raise ValueError("no password or token in this address: see docs/scale.md for where it is given")
        return value

    @field_validator("object_storage")
    @classmethod
    def _without_keys(cls, value: str | None) -> str | None:
        if value is not None and re.match(r"[\w+.-]+://[^/]*:[^/]*@", value):
            raise ValueError("no user or password in this address: keys are given in the cloud's own variables")
        if value is not None and not value.startswith("/") and value.partition("://")[0] not in _STORAGE:
            raise ValueError(f"object storage takes an address such as {_BUCKET}; it starts with {', '.join(_STORAGE)}")
        return value

    @field_validator("tracking_uri")
    @classmethod
    def _of_mlflow(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            scheme, _, rest = value.get_secret_value().partition("://")
            kind = scheme.partition("+")[0]
            known = kind in _MLFLOW or scheme in _plugins()
            wrong = (kind in _WITH_PORT and not _has_port(rest)) or (kind.startswith("http") and not _has_host(rest))
            if not known or wrong:
                raise ValueError(
                    f"MLflow takes an address such as http://host:5000, sqlite:///folder/mlflow.db or {_DATABASE}"
                )
        return value

    @field_validator("now")
    @classmethod
    def _a_moment(cls, value: str | None) -> str | None:
        if value is not None:
            moment(value)
        return value

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from the environment; an empty variable counts as absent, but for MLOPS_APPROVERS.

        Raises:
            SettingsError: a variable has a value that is not allowed, or one is missing that the environment needs.
        """
        environ = os.environ if environ is None else environ
        if environ.get("MLOPS_APPROVERS") == "":  # a secret that was not found opens no door
            raise SettingsError("MLOPS_APPROVERS is empty: it takes anna:SECRET,ben:SECRET, or must not be set at all")
        values = {variable: environ[variable] for variable in variables() if environ.get(variable)}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            problems = "; ".join(_describe(problem) for problem in error.errors())
            raise SettingsError(f"wrong environment variable: {problems}") from None
        if missing := "; ".join(settings._missing()):
            raise SettingsError(f"missing environment variable: {missing}")
        return settings

    def _missing(self) -> Iterator[str]:
        """Yield each variable that the chosen places need and that is absent, with who needs it and what it takes."""
        reasons: dict[str, list[str]] = {}
        for place, variable, choice in (
            (self.table_place, "MLOPS_TABLES", self.tables),
            (self.model_place, "MLOPS_MODELS", self.models),
        ):
            reasons.setdefault(place, []).append(f"{variable}={choice}" if choice else f"MLOPS_ENV={self.environment}")
        for place, given, variable, example in (
            ("sql", self.database_url, "MLOPS_DATABASE_URL", _DATABASE),
            ("object_storage", self.object_storage, "MLOPS_OBJECT_STORAGE", _BUCKET),
        ):
            if place in reasons and given is None:
                needed_by = " and ".join(dict.fromkeys(reasons[place]))
                yield f"{variable}, which {needed_by} needs; it takes {example} or the like"

    @property
    def table_place(self) -> TablePlace:
        """Where tables are kept."""
        return self.tables or PLACES[self.environment][0]

    @property
    def model_place(self) -> ModelPlace:
        """Where models are kept."""
        return self.models or PLACES[self.environment][1]

    @property
    def shows_the_example(self) -> bool:
        """Whether the folder of forecasts is the package's own, with the shipped example."""
        return self.forecasts == _PACKAGE / "forecasts"

    @property
    def data_folder(self) -> Path:
        """The data folder as an absolute path, `~` expanded."""
        return self.data.expanduser().resolve()


def logs_json() -> bool:
    """Whether logs are JSON: commands need to know it where the settings cannot be read."""
    return os.environ.get("MLOPS_LOG_FORMAT") == "json"


def default_forecasts(working: Path, package: Path = _PACKAGE) -> Path:
    """Return the folder of forecasts where MLOPS_FORECASTS names none.

    It is `./forecasts`, and in a clone of this repository the package's own, with the example. So it is elsewhere, too,
    where somebody has put specs into it, as one could when release 0.1.0 had no other default.

    Args:
        working: the working directory.
        package: folder of this package.
    """
    own = package / "forecasts"
    is_clone = (package.parent / "mlops_assets_tests").is_dir() and working.is_relative_to(package.parent)
    return own if is_clone or any(file.name != _SHIPPED for file in own.glob("*.y*ml")) else Path("forecasts")


def moment(text: str) -> datetime:
    """Read a moment in ISO 8601, in UTC where it names no offset.

    Raises:
        ValueError: it is not one.
    """
    try:
        read = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("z", "Z") else text)
    except ValueError:
        raise ValueError("not a moment such as 2013-12-31 or 2013-12-31T06:00:00+01:00") from None
    if not 1900 <= read.year <= 2200:
        raise ValueError("not a moment between the years 1900 and 2200")
    return read.replace(tzinfo=timezone.utc) if read.tzinfo is None else read.astimezone(timezone.utc)


_MLFLOW = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc", "file")
"""What an address of MLflow may begin with."""
_WITH_PORT = ("http", "https", "postgresql", "mysql", "mssql")
_STORAGE = ("s3", "s3a", "gs", "az", "abfs", "abfss", "memory", "file")
"""What an address of object storage may begin with."""


def _plugins() -> set[str]:
    """Return what addresses begin with that MLflow knows by a plugin."""
    from importlib.metadata import entry_points

    return {plugin.name for plugin in entry_points(group="mlflow.tracking_store")}


def _has_host(rest: str) -> bool:
    """Whether what follows `http://` names a host."""
    from urllib.parse import urlsplit

    return bool(urlsplit(f"http://{rest}").hostname)


def _has_port(rest: str) -> bool:
    """Whether what follows `://` has a port that can be one, or none."""
    from urllib.parse import urlsplit

    try:
        return urlsplit(f"http://{rest}").port != 0
    except ValueError:
        return False


_ALLOWED: dict[str, tuple[str, ...]] = {
    "MLOPS_ENV": get_args(Environment),
    "MLOPS_TABLES": get_args(TablePlace),
    "MLOPS_MODELS": get_args(ModelPlace),
    "MLOPS_APPROVAL": get_args(Approval),
    "MLOPS_EXECUTOR": get_args(Executor),
    "MLOPS_LOG_FORMAT": get_args(LogFormat),
}


def _describe(problem: Any) -> str:
    name, found = problem["loc"][0], problem["input"]
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "literal_error":
        allowed = _ALLOWED[name]
        near = nearest(found, allowed, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        message = f"allowed: {', '.join(allowed)}{hint}"
    if name in _NEVER_SHOWN or re.search("@|token=|password=", str(found)):
        return f"{name}: {message}"
    return f"{name}: found {found!r}; {message}"


_NEVER_SHOWN = tuple(field.alias for field in Settings.model_fields.values() if "SecretStr" in str(field.annotation))


def variables() -> dict[str, str]:
    """Return every environment variable of the project with its description."""
    return {field.alias: field.description or "" for field in Settings.model_fields.values() if field.alias is not None}
