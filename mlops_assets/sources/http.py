"""Rows of a web service: page after page, each checked."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import pandas as pd

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Window
from mlops_assets.sources.base import SourceError, SourceUnavailableError, digest
from mlops_assets.sources.csv_files import read_csv
from mlops_assets.sources.http_client import HttpClient, Page, Query
from mlops_assets.sources.json_files import at, fault_of, frame_of, parse, records_of
from mlops_assets.sources.text import Notes
from mlops_assets.spec import HttpSource


class HttpReader:
    """JSON or CSV of a web service. What lies outside the window is another partition's, not a fault."""

    exact = False

    def __init__(self, source: HttpSource, time_zone: str) -> None:
        self.source = source
        self.time_zone = time_zone
        self.name = source.url
        self._notes = Notes()
        self._content: list[str] = []
        """Hashes of the rows of each page that the last read has met."""

    @property
    def notes(self) -> list[str]:
        """What the last read found out about the answers that the spec does not say."""
        return self._notes.lines()

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield the rows of each page: of JSON as it types them, of CSV as text."""
        self._notes = Notes()
        try:
            yield from self._read(columns, window)
        except SourceError as error:
            raise type(error)(self._without_secrets(str(error))) from None

    def signature(self, time_column: str, window: Window) -> str:
        """Return the version."""
        return self.version(time_column, window)

    def version(self, time_column: str, window: Window) -> str:
        """Return what the service calls its answer (ETag, or Last-Modified); else a hash of the rows of all pages.

        With `source.version: etag` it is the ETag, or a SourceError.
        """
        tag_only = self.source.version == "etag"
        try:
            with HttpClient(self.source) as client:
                asked = self.source.url, self._first_query(window)
                named = client.validator(*asked, ["ETag"]) if tag_only else client.validator(*asked)
            if named:
                return named
            if tag_only:
                raise SourceError(f"{self.name}: answers HEAD without an ETag; leave out source.version")
            for _ in self._read([time_column], window):
                pass
        except SourceError as error:
            raise type(error)(self._without_secrets(str(error))) from None
        return digest(self._content)

    def rows_about(self, time_column: str, window: Window) -> int:
        """Return 0: a service does not tell."""
        return 0

    def probe(self, columns: Sequence[str], time_column: str, now: datetime) -> str:
        """Ask for the day before, and look at the first page."""
        today = pd.Timestamp(now).tz_convert(self.time_zone).tz_localize(None).normalize()
        before = today - pd.Timedelta(days=1)
        first = next(self.read(columns, time_column, Window(before, today)), None)
        empty = f", without rows for {before:%Y-%m-%d}: columns not checked"
        return f"{self.name} answers{'' if first is not None else empty}"

    def _read(self, columns: Sequence[str], window: Window) -> Iterator[pd.DataFrame]:
        pages = self.source.pages
        request: tuple[str, Query] | None = (self.source.url, self._first_query(window))
        asked: dict[tuple[str, Query], int] = {}
        seen: dict[str, int] = {}
        total = None
        rows, number = 0, 0
        self._content = []
        with HttpClient(self.source) as client:
            while request is not None:
                number += 1
                name = f"page {number} of {self.name}" if pages else self.name
                if request in asked:
                    raise SourceError(f"{name}: it would be page {asked[request]} once more; see source.pages")
                asked[request] = number
                page = client.fetch(name, *request)
                document = _json(page) if self.source.format == "json" else None
                records = None if document is None else records_of(document, self.source.records, columns, page)
                hashed = sha256(page.body if records is None else json.dumps(records).encode()).hexdigest()
                self._content.append(hashed)
                found = 0
                for frame in self._frames(page, records, columns):
                    found += len(frame)
                    yield frame.assign(**{ROW_SOURCE: name})
                if found and hashed in seen:
                    raise SourceError(
                        f"{name}: the same as page {seen[hashed]}; does the service know the parameter "
                        f"{self._parameter!r}? See source.pages"
                    )
                seen[hashed] = number
                rows += found
                total = self._total(page, document)
                following = self._next(page, document, request, found=found, rows=rows, number=number, total=total)
                request = following and (client.allowed(following[0], name), following[1])
        if total is not None and rows != total:
            raise SourceUnavailableError(
                f"{self.name}: page {number}, the last, ends after {rows} rows; {total} are promised"
            )

    def _first_query(self, window: Window) -> Query:
        bounds = {
            ":window_start": window.start,
            ":window_end": window.end,
            ":window_last": window.end - pd.Timedelta(microseconds=1),
        }
        query = dict(self.source.query)
        for bound, moment in bounds.items():
            query = {name: text.replace(bound, self._moment(moment)) for name, text in query.items()}
        pages = self.source.pages
        if pages is not None and pages.kind in ("page", "offset"):
            query[self._parameter] = str(self._start)
        return tuple(query.items())

    def _moment(self, moment: pd.Timestamp) -> str:
        zoned: datetime = moment.to_pydatetime().replace(tzinfo=ZoneInfo(self.time_zone))
        return zoned.strftime(self.source.time_format) if self.source.time_format else zoned.isoformat()

    @property
    def _parameter(self) -> str:
        pages = self.source.pages
        return (pages.parameter or pages.kind) if pages else ""

    @property
    def _start(self) -> int:
        pages = self.source.pages
        given = pages.start if pages else None
        return given if given is not None else int(pages is not None and pages.kind == "page")

    def _next(
        self,
        page: Page,
        document: Any,
        request: tuple[str, Query],
        *,
        found: int,
        rows: int,
        number: int,
        total: int | None,
    ) -> tuple[str, Query] | None:
        """Return the request for the page after this one, None after the last.

        By number or offset, the last page is the one without rows (or the one that completes the total): a page
        that is merely short may come from a service that gives fewer at a time than it was asked for.
        """
        pages = self.source.pages
        if pages is None:
            return None
        if pages.kind == "link":
            target = at(document, pages.path) if pages.path else page.next_link
            return (urljoin(page.url, str(target)), ()) if target else None
        if pages.kind == "cursor":
            value = at(document, str(pages.path))
            if value in (None, "", False):
                return None
        else:
            if not found or (total is not None and rows >= total):
                return None
            value = self._start + (number if pages.kind == "page" else rows)
        return request[0], tuple({**dict(request[1]), self._parameter: str(value)}.items())

    def _total(self, page: Page, document: Any) -> int | None:
        pages = self.source.pages
        if pages is None or pages.total is None:
            return None
        text = at(document, pages.total) if self.source.format == "json" else page.headers.get(pages.total)
        try:
            return int(str(text))
        except ValueError:
            raise SourceError(f"{page}: no number of rows at {pages.total!r}; see source.pages.total") from None

    def _frames(self, page: Page, records: list[Any] | None, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        if records:
            yield frame_of(records, columns, page, escaped=b"\\u" in page.body)
        elif records is None and page.body.strip():
            try:
                yield from self._csv(page, columns)
            except pa.ArrowException as error:
                raise SourceError(f"{page}: not CSV: {error}") from None

    def _csv(self, page: Page, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        source, note = self.source, self._notes.of(page.name)
        if source.encoding is None and page.encoding is not None:
            note(f"encoding {page.encoding}")
        return read_csv(
            page,
            columns,
            note,
            delimiter=source.delimiter,
            encoding=source.encoding or page.encoding,
            complete=source.complete or page.whole,
        )

    def _without_secrets(self, text: str) -> str:
        for secret in self.source.headers.values():
            value = secret.get_secret_value()
            for part in (value, value.rpartition(" ")[2]):
                text = text.replace(part, "***")
        return text


def _json(page: Page) -> Any:
    try:
        return parse(page.body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{page}: {fault_of(error)}") from None
