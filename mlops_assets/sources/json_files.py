"""JSON lines and JSON documents, read as raw rows with their numbers."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM
from mlops_assets.sources.base import AnyFile, SourceError, require
from mlops_assets.sources.text import Note, TextFile

_BATCH_ROWS = 100_000


class DoubledKeys(dict[str, Any]):
    """A JSON object in which keys stand twice, the later value kept.

    Attributes:
        names: of the keys.
    """

    names: frozenset[str]


def parse(text: str | bytes) -> Any:
    """Parse a JSON document; an object with doubled keys becomes `DoubledKeys`.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) == len(pairs):
        return values
    doubled = DoubledKeys(values)
    names = [name for name, _ in pairs]
    doubled.names = frozenset(name for name in values if names.count(name) > 1)
    return doubled


def fault_of(error: ValueError | RecursionError) -> str:
    """Say why `parse` could not read a document, and where."""
    return (
        f"not JSON: {error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else "not JSON"
    )


def at(document: Any, path: str) -> Any:
    """Return what stands at a dotted path, None if nothing does."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def records_of(document: Any, path: str | None, columns: Sequence[str], name: AnyFile) -> list[Any]:
    """Return the list of rows in a document: as it stands there, or made of lists that are its columns.

    Args:
        document: parsed.
        path: dotted; None: the document is the list, or the object of lists.
        columns: the columns wanted.
        name: of the document, for messages.

    Raises:
        SourceError: there is no list, or columns differ in length.
    """
    found = document if path is None else at(document, path)
    if isinstance(found, list):
        return found
    if isinstance(found, dict) and any(_is_column(found.get(column)) for column in columns):
        return _rows_of(found, name)
    there = f"; it has: {', '.join(map(str, document))}" if isinstance(document, dict) else ""
    raise SourceError(f"{name}: no list of rows {f'at {path!r}' if path else 'at the top'}{there}. See source.records")


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(one, dict | list) for one in value[:1])


def _rows_of(document: dict[str, Any], name: AnyFile) -> list[dict[str, Any]]:
    """Turn an object of lists into rows; what else stands beside the lists (units, a place) is none of them."""
    lists = {column: values for column, values in document.items() if _is_column(values)}
    if len({len(values) for values in lists.values()}) > 1:
        told = ", ".join(f"{column} {len(values)}" for column, values in lists.items())
        raise SourceError(f"{name}: its columns are of different lengths ({told})")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def frame_of(records: Sequence[Any], columns: Sequence[str], name: AnyFile, *, escaped: bool) -> pd.DataFrame:
    """Return rows as they are in a document, numbered from 1.

    Args:
        records: the rows.
        columns: the columns wanted.
        name: of the document, for messages.
        escaped: whether there is a backslash in it, and so perhaps half of a character.

    Raises:
        SourceError: no row has one of the columns.
    """
    rows = []
    for number, record in enumerate(records, start=1):
        problem = problem_of(record, columns, "row", escaped)
        values = {columns[0]: json.dumps(record)} if problem else {name: record.get(name) for name in columns}
        rows.append({**values, ROW_NUMBER: number, ROW_PROBLEM: problem})
    # A key that one row lacks is a missing value; one that all lack is misspelt, or the source has changed.
    require(name, columns, list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record)))
    return pd.DataFrame(rows, columns=[*columns, ROW_NUMBER, ROW_PROBLEM], dtype=object)


def problem_of(record: Any, columns: Iterable[str], what: str, escaped: bool) -> str | None:
    """Say why a parsed row cannot be used; None if it can."""
    if not isinstance(record, dict):
        return f"the {what} is not a JSON object"
    if isinstance(record, DoubledKeys) and (twice := sorted(record.names.intersection(columns))):
        return f"the {what} has the key {', '.join(map(repr, twice))} twice"
    try:
        if escaped:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeError:
        return f"the {what} is not UTF-8 text"
    return None


def read_json(
    file: AnyFile, columns: Sequence[str], note: Note, *, encoding: str | None = None, records: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the rows of a JSON document: a list of objects, or an object of lists, at its top or at a dotted path.

    Raises:
        SourceError: it is no JSON, has no such list, or lacks a column.
    """
    text = TextFile(file, encoding, note)
    with text.open() as stream:
        content = stream.read().removeprefix(b"\xef\xbb\xbf")
    try:
        document = parse(content)
    except UnicodeDecodeError:
        raise text.wrong_encoding() from None
    except (ValueError, RecursionError) as error:
        at_end = isinstance(error, json.JSONDecodeError) and not content[error.pos :].strip()
        cut = "; it ends there: the file may be cut" if at_end and content.strip() else ""
        raise SourceError(f"{file}: {fault_of(error)}{cut}") from None
    rows = records_of(document, records, columns, file)
    if rows:
        yield frame_of(rows, columns, file, escaped=b"\\u" in content)


def read_jsonl(
    file: AnyFile, columns: Sequence[str], note: Note, *, encoding: str | None = None
) -> Iterator[pd.DataFrame]:
    """Yield batches of JSON lines, values as JSON types them; a line that is no JSON object comes with its problem.

    A file that starts with a bracket is a list, whatever its name says.

    Raises:
        SourceError: a column is in no line, or the file is a document of another form.
    """
    text = TextFile(file, encoding, note)
    if text.head.lstrip().startswith("["):
        note("a JSON list")
        yield from read_json(file, columns, lambda _: None, encoding=encoding)
        return
    if (words := _document(text.head, columns)) is not None:
        raise SourceError(f"{file}: {words}")
    seen: dict[str, None] = {}
    with text.open() as stream:
        lines = enumerate(_lines(stream), start=1)
        more = True
        while more:
            chunk = list(islice(lines, _BATCH_ROWS))
            more = len(chunk) == _BATCH_ROWS
            rows = [_row(number, line, columns, seen) for number, line in chunk if line.strip()]
            if not more and seen:
                # A key that one line lacks is a missing value; one that all lack is misspelt.
                require(file, columns, list(seen))
            yield pd.DataFrame(rows, columns=[*columns, ROW_NUMBER, ROW_PROBLEM], dtype=object)


def _document(head: str, columns: Sequence[str]) -> str | None:
    """Say what a file is that is one JSON object with the rows somewhere in it; None if it is none, or too long."""
    try:
        document = parse(head)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    if sum(isinstance(document.get(name), dict | list) for name in columns) > 1:
        lists = all(isinstance(document.get(name), list) for name in columns)
        way = "Say source.format: json" if lists else "Write it row by row (pandas: to_json(orient='records'))"
        return f"it holds columns, not rows. {way}"
    paths = list(_paths_of_rows(document))
    return f"a JSON document, not JSON lines. Say source.records: {' or '.join(paths)}" if paths else None


def _paths_of_rows(document: Any, depth: int = 4) -> Iterator[str]:
    """Yield the dotted paths of lists of objects."""
    if not isinstance(document, dict) or depth == 0:
        return
    for name, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield name
        yield from (f"{name}.{path}" for path in _paths_of_rows(value, depth - 1))


def _lines(stream: Any) -> Iterator[bytes]:
    import io

    yield from io.BufferedReader(stream)


def _row(number: int, line: bytes, columns: Sequence[str], seen: dict[str, None]) -> dict[str, Any]:
    values: Any = None
    try:
        values = parse(line)
        problem = problem_of(values, columns, "line", b"\\u" in line)
    except json.JSONDecodeError as error:
        problem = f"the line is {fault_of(error)}"
    except RecursionError:
        problem = "the line is nested too deeply"
    except UnicodeError:
        problem = "the line is not UTF-8 text; see source.encoding"
    except ValueError as error:
        problem = f"the line is not JSON: {error}"
    if problem is not None:
        return {columns[0]: line.decode("utf-8", "replace").strip(), ROW_NUMBER: number, ROW_PROBLEM: problem}
    seen.update(dict.fromkeys(values))
    return {**{name: values.get(name) for name in columns}, ROW_NUMBER: number, ROW_PROBLEM: None}
