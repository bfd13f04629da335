"""A frame as the body of an answer: JSON by rows or by columns, CSV, Parquet, Arrow, Excel."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import MissingExtraError
from mlops_assets.serving.problems import NotAcceptableError

if TYPE_CHECKING:
    import pandas as pd

JSON = "application/json"


@dataclass(frozen=True)
class Shape:
    """A format of answers.

    Attributes:
        name: as `format=` takes it.
        media: as Accept takes it.
        write: makes the body of a frame and of what is said beside its rows.
        file: the ending of its files; empty: it is shown, not kept.
    """

    name: str
    media: str
    write: "Callable[[pd.DataFrame, Mapping[str, Any]], bytes]"
    file: str = ""


def dumps(value: Any) -> bytes:
    """Return JSON; numbers that it has no word for are None already."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def by_columns(columns: "Mapping[str, list[Any]]", beside: Mapping[str, Any]) -> bytes:
    """Return plain columns as one JSON object."""
    return dumps({**beside, "columns": columns})


def by_rows(columns: "Mapping[str, list[Any]]", beside: Mapping[str, Any]) -> bytes:
    """Return plain columns as one JSON object with an object for each row."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return dumps({**beside, "rows": rows})


def _rows(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    from mlops_assets.reading.documents import columns_of

    return by_rows(columns_of(frame), beside)


def _columns(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    from mlops_assets.reading.documents import columns_of

    return by_columns(columns_of(frame), beside)


def _csv(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    # A moment that is given back as `as_of` must be the same one: what has parts of a second keeps them.
    fine = {
        str(name): column.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
        for name, column in frame.items()
        if column.dtype.kind == "M" and (column.dropna() != column.dropna().dt.floor("s")).any()
    }
    whole = frame.assign(**fine)
    return whole.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S").encode("utf-8", "surrogatepass")


def _parquet(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    from pyarrow import parquet

    sink = BytesIO()
    parquet.write_table(_arrow_table(frame), sink, compression="zstd")
    return sink.getvalue()


def _arrow(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    import pyarrow as pa

    table, sink = _arrow_table(frame), BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _arrow_table(frame: "pd.DataFrame") -> Any:
    import pyarrow as pa

    lists = {
        str(name): frame[name].map(_text) for name in frame if frame[name].map(type).isin([list, dict, tuple]).any()
    }
    return pa.Table.from_pandas(frame.assign(**lists), preserve_index=False).replace_schema_metadata(None)


def _xlsx(frame: "pd.DataFrame", beside: Mapping[str, Any]) -> bytes:
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    except ModuleNotFoundError as error:
        needed = MissingExtraError.of("the format xlsx", str(error.name), "excel", "csv can be had without it")
        raise NotAcceptableError(needed.message, advice=needed.advice) from None
    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[^\w ]", "_", str(beside.get("forecast") or "rows"))[:31])

    def cell(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", value)[:32_767])
        made.data_type = "s"  # what begins with = is a text here, not a formula
        return made

    import pandas as pd

    sheet.append([cell(str(name)) for name in frame])
    plain = [frame[name].astype(object).tolist() for name in frame]
    for row in zip(*plain, strict=True):
        values = [_text(value) if isinstance(value, list | dict | tuple) else value for value in row]
        # Excel would round the end of a day to the next one.
        values = [
            value.floor("s") if isinstance(value, pd.Timestamp) and not pd.isna(value) else value for value in values
        ]
        sheet.append([None if pd.isna(value) else cell(value) for value in values])
    sink = BytesIO()
    book.save(sink)
    return sink.getvalue()


def _text(value: Any) -> str:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("json", JSON, _rows),
        Shape("columns", f"{JSON};shape=columns", _columns),
        Shape("csv", "text/csv", _csv, "csv"),
        Shape("parquet", "application/vnd.apache.parquet", _parquet, "parquet"),
        Shape("arrow", "application/vnd.apache.arrow.stream", _arrow, "arrows"),
        Shape("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx, "xlsx"),
    )
}
_WORSE = {"text/*": "csv", "application/*": "json", "*/*": "json"}


def chosen(named: str | None, accept: str) -> Shape:
    """Return the format that is named or, without a name, the one that is liked best of those that are accepted.

    Raises:
        NotAcceptableError: none of those that are accepted is known.
    """
    if named is not None:
        return SHAPES[named]
    if accept in ("", "*/*", JSON):
        return SHAPES["json"]
    by_media = {shape.media.partition(";")[0]: shape.name for shape in reversed(SHAPES.values())} | _WORSE
    liked: list[tuple[float, int, str]] = []
    for number, part in enumerate(accept.split(",")):
        media, _, options = part.strip().lower().partition(";")
        weight = re.search(r"(?:^|;)\s*q=([01](?:\.[0-9]{1,3})?)\s*(?:;|$)", options)
        if media.strip() in by_media:
            liked.append((-float(weight[1]) if weight else -1.0, number, by_media[media.strip()]))
    best = min((one for one in liked if one[0] < 0), default=None)
    if best is None:
        there = ", ".join(dict.fromkeys(shape.media.partition(";")[0] for shape in SHAPES.values()))
        raise NotAcceptableError(f"Accept: nothing of {accept[:80]!r} can be had; there are {there}")
    return SHAPES[best[2]]
