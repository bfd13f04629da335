"""Where the rows of a forecast come from."""

import codecs
import re
from datetime import timedelta
from inspect import signature
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.extensions import named, resolved
from mlops_assets.spec.parts import Duration, MisfitError, Name, Names, Part, as_list, choice, span_of


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Parameter = Annotated[
    str, BeforeValidator(_as_text), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]})
]
_TEXT_OR_NUMBER = {"type": ["string", "number"]}
_ONE_OR_SEVERAL = {"anyOf": [_TEXT_OR_NUMBER, {"type": "array", "items": _TEXT_OR_NUMBER}]}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


ASSET_KEY = r"^[^/\s]+(/[^/\s]+)*$"
"""Of the key of an asset, its parts separated by /."""
AssetKeys = Annotated[
    list[Annotated[str, Field(pattern=ASSET_KEY)]],
    BeforeValidator(as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Numbers(Part):
    """How numbers are written that come as text, what stands for none, and which assets make them."""

    after: AssetKeys = Field(
        default_factory=list,
        description="Keys of assets that the source is made by: erp/sales_csv. They stand before it in the graph.",
    )

    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="Decimal sign of numbers in text. Default: the point, or the comma where nothing else is possible.",
    )
    thousands: Literal[",", ".", " ", "'", "_"] | None = Field(
        default=None,
        description="What groups their digits; ' ' stands for every kind of space. Default: nothing, or what no other "
        "reading is possible of.",
    )
    na_values: Annotated[list[Parameter], BeforeValidator(_as_list), WithJsonSchema(_ONE_OR_SEVERAL)] = Field(
        default_factory=list,
        description="What stands for a missing number, besides the usual (empty, NA, n/a, null, -, ...).",
    )

    @model_validator(mode="after")
    def _two_signs(self) -> "Numbers":
        if self.thousands is not None and self.thousands == self.decimal:
            raise MisfitError("thousands", "the same sign as decimal")
        return self


class Text(Part):
    """How files of text are written."""

    encoding: str | None = Field(
        default=None, description="Encoding of text, such as cp1252. Default: UTF-8, or UTF-16 where a file shows it."
    )
    delimiter: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="Field separator of CSV. Default: whichever of , ; tab | gives the header the columns wanted.",
    )
    complete: bool = Field(
        default=False,
        description="CSV is whole even without a line end after its last row. Default: such a row may be cut, and is "
        "quarantined.",
    )

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        try:
            if value is not None:
                "a".encode(codecs.lookup(value).name)
        except (LookupError, ValueError):
            raise ValueError("not an encoding such as cp1252, latin-1, utf-16, shift_jis") from None
        return value


class FileSource(Numbers, Text):
    """Files on a disk or in object storage: CSV, Parquet, JSON or Excel."""

    kind: Literal["file"]
    path: str = Field(
        min_length=1,
        description="A file, a folder or a glob, relative to the spec's folder or at s3://, gs:// or az://; may hold "
        "${VARIABLE}.",
    )
    format: Literal["auto", "csv", "parquet", "jsonl", "json", "excel"] = Field(
        default="auto",
        description="Format of the files; auto: by their ending (.csv, .csv.gz, .parquet, .jsonl, .xlsx, ...).",
    )
    records: Name | None = Field(
        default=None,
        description="Where a JSON file has the list of rows, or an object whose lists are columns, such as data.items. "
        "Default: at the top.",
    )
    sheet: Name | None = Field(default=None, description="Sheet of an Excel workbook. Default: the first one.")
    latest_wins: Literal["name", "modified"] | None = Field(
        default=None,
        description="Of rows for the same item and time in several files, the one of the last file counts: the last "
        "by name or by time of modification. Default: none does if they differ.",
    )
    version: Literal["git", "dvc", "etag"] | None = Field(
        default=None,
        description="What tells one content from another: the id that git or DVC, which has to keep the "
        "files, gives it, or the ETag of object storage. Default: a hash of the content.",
    )
    revision: Name | None = Field(
        default=None,
        description="Commit, tag or branch of git at which files that git or DVC keeps are read. Default: as they are "
        "on the disk.",
    )

    @model_validator(mode="after")
    def _version_of_its_place(self) -> "FileSource":
        if self.version is not None and ("://" in self.path) != (self.version == "etag"):
            raise MisfitError("version", "of object storage it is etag, of files on a disk git or dvc")
        if self.revision is not None and self.version is None:
            raise MisfitError("revision", "say who knows it, version: git or version: dvc")
        if self.revision is not None and self.latest_wins == "modified":
            raise MisfitError("latest_wins", "a revision keeps no times of modification; take name")
        return self


class SqlSource(Numbers):
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
            raise MisfitError("path", "say where the JSON has the next cursor, such as meta.next")
        if numbered and self.path is not None:
            raise MisfitError("path", "belongs to the kinds cursor and link")
        if not numbered and self.start is not None:
            raise MisfitError("start", "belongs to the kinds page and offset")
        if self.kind == "link" and self.parameter is not None:
            raise MisfitError("parameter", "a link holds all its parameters")
        return self


class HttpSource(Numbers, Text):
    """Rows of a web service: JSON or CSV, in one answer or in pages."""

    kind: Literal["http"]
    url: str = Field(description="Address without parameters; may hold ${VARIABLE}, but no secret: that is a header.")
    query: dict[Name, Parameter] = Field(
        default_factory=dict,
        description="Query parameters; :window_start and :window_end in them stand for the span wanted, :window_last "
        "for its last moment (the last day, with time_format: %Y-%m-%d).",
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
        default=None,
        description="Where the JSON has the list of rows, or an object whose lists are columns, such as data.items or "
        "hourly. Default: at the top.",
    )
    pages: Pages | None = Field(default=None, description="How pages follow one another. Default: one answer is all.")
    hosts: Names = Field(
        default_factory=list,
        description="Other hosts that redirects and links may lead to (and that get the headers): files.example.com.",
    )
    version: Literal["etag"] | None = Field(
        default=None,
        description="etag: the header ETag of the answer tells one content from another, and there has to be one. "
        "Default: ETag, Last-Modified or a hash of the rows.",
    )
    max_megabytes: int = Field(default=256, ge=1, description="More in one read is an error.")
    max_seconds: int = Field(default=600, ge=1, description="A read that takes longer is an error.")

    @field_validator("url")
    @classmethod
    def _plain_address(cls, value: str) -> str:

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
                raise MisfitError(name, "its value is not one line of plain ASCII without spaces around it")
        return value

    @model_validator(mode="after")
    def _fits_the_format(self) -> "HttpSource":
        if self.format == "csv" and self.records is not None:
            raise MisfitError("records", "CSV has no path to its rows")
        if self.format == "csv" and self.pages is not None and self.pages.path is not None:
            raise MisfitError("pages.path", "CSV has no place for it; use the kinds page, offset or link")
        return self


class AssetSource(Numbers):
    """The table of another asset of the same code location, as our stores keep it."""

    kind: Literal["asset"]
    key: str = Field(
        pattern=ASSET_KEY,
        description="Key of an asset with io_manager_key='tables', its parts separated by /: erp/sales.",
    )


OWN = "[own]"
"""Stands for all kinds of others where pydantic says which kind a source is of."""
SOURCES: dict[str, type[Part]] = {"file": FileSource, "sql": SqlSource, "http": HttpSource, "asset": AssetSource}


class OwnSource(Numbers):
    """Rows of a class of one's own, which gets all other fields (docs/extending.md)."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, WithJsonSchema(named(extensions.SOURCES))]

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of its own, with `${VARIABLE}` as it stands in the file: it is replaced when rows are read."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _of_its_class(self) -> "OwnSource":
        made = resolved(extensions.SOURCES, self.kind, SOURCES)
        if not callable(made) or not hasattr(made, "read"):
            raise MisfitError("kind", f"{self.kind} is no class with a method read (docs/extending.md)")
        taken = {name: one for name, one in signature(made).parameters.items() if one.kind is not one.VAR_POSITIONAL}
        if not any(one.kind is one.VAR_KEYWORD for one in taken.values()):
            for name in self.fields:
                if name not in taken:
                    raise MisfitError(name, f"unknown field; {choice(name, [*taken, *Numbers.model_fields])}")
        given = {*self.fields, "folder", "time_zone"}
        for name, one in taken.items():
            if name not in given and one.default is one.empty and one.kind is not one.VAR_KEYWORD:
                raise MisfitError(name, f"missing: {self.kind} needs it")
        return self


def _kind_of(value: Any) -> str | None:
    """Say which part of the union a source is of; None: there is no such kind."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if not isinstance(kind, str) or kind in SOURCES:
        return kind if isinstance(kind, str) else None
    return OWN if extensions.is_path(kind) or kind in extensions.names(extensions.SOURCES) else None


Source = Annotated[
    Annotated[FileSource, Tag("file")]
    | Annotated[SqlSource, Tag("sql")]
    | Annotated[HttpSource, Tag("http")]
    | Annotated[AssetSource, Tag("asset")]
    | Annotated[OwnSource, Tag(OWN)],
    Discriminator(_kind_of),
]


class Arrivals(Part):
    """How data start their round by arriving: how often the source is looked at, and when what has come is whole."""

    every: Duration = Field(default="1m", description="How often the source is looked at; an event lets it be at once.")
    settle: Duration | None = Field(
        default=None,
        description="So long the source must look the same before it is taken: a file that is still written grows. "
        "Default: 60s, and 0s with a marker.",
    )
    marker: Name | None = Field(
        default=None,
        description="A file such as _SUCCESS that is written when the others of its folder are whole: nothing is taken "
        "while one is missing, or older than they are.",
    )

    @property
    def pause(self) -> timedelta:
        """The time between two looks."""
        return span_of(self.every)

    @property
    def patience(self) -> timedelta:
        """How long the source must look the same."""
        return span_of(self.settle or ("60s" if self.marker is None else "0s"))


def _switched(value: Any) -> Any:
    return ({} if value else None) if isinstance(value, bool) else value


def _or_switch(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [*schema["anyOf"], {"type": "boolean"}]


ArrivalsOrSwitch = Annotated[Arrivals | None, BeforeValidator(_switched), Field(json_schema_extra=_or_switch)]
"""Also true, which is all defaults, and false, which is none."""
