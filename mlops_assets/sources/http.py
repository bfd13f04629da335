"""Rows of a web service: page after page, each checked, within limits of time, size and hosts."""

import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import pandas as pd

from mlops_assets.forecasting.data.contract import PROBLEM, ROW, SOURCE, Window
from mlops_assets.sources.formats import SourceError, SourceUnavailableError, read_csv, require
from mlops_assets.spec import HttpSource

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

BACK_OFF_SECONDS = 0.5
"""The second try comes at once, the third after twice this, each later one after twice as long."""
_TRIES = 5
_REDIRECTS = 5
_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
_LATER = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which it is worth to try again."""
_CHUNK_BYTES = 1 << 16
_MEGABYTE = 1 << 20

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """One answer of the service.

    Attributes:
        name: for messages.
        url: where it came from, redirects followed.
        body: uncompressed.
        headers: of the answer.
        next_link: `rel="next"` of its `Link` header, empty if there is none.
    """

    name: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    next_link: str = ""
    suffixes: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return self.name

    def open(self) -> io.BytesIO:
        """Open the body as a file."""
        return io.BytesIO(self.body)


@dataclass
class _Budget:
    """What is left of a read's time and size."""

    source: HttpSource
    started: float = field(default_factory=time.monotonic)
    bytes_read: int = 0

    @property
    def seconds(self) -> float:
        return self.source.max_seconds - (time.monotonic() - self.started)

    def take(self, count: int, place: str) -> None:
        self.bytes_read += count
        if self.bytes_read > self.source.max_megabytes * _MEGABYTE:
            raise SourceError(f"{place}: more than {self.source.max_megabytes} MB (source.max_megabytes)")
        if self.seconds < 0:
            raise SourceUnavailableError(f"{place}: took longer than {self.source.max_seconds} s (source.max_seconds)")


class HttpReader:
    """JSON or CSV of a web service. What lies outside the window is another partition's, not a fault."""

    exact = False

    def __init__(self, source: HttpSource, time_zone: str) -> None:
        self.source = source
        self.time_zone = time_zone
        self.name = source.url

    def read(self, columns: Sequence[str], time_column: str, window: Window) -> Iterator[pd.DataFrame]:
        """Yield the rows of each page: of JSON as it types them, of CSV as text."""
        try:
            yield from self._read(columns, window)
        except SourceError as error:
            raise type(error)(self._without_secrets(str(error))) from None

    def probe(self, columns: Sequence[str], time_column: str) -> str:
        """Ask for yesterday, and look at the first page."""
        today = pd.Timestamp.now(self.time_zone).tz_localize(None).normalize()
        first = next(self.read(columns, time_column, Window(today - pd.Timedelta(days=1), today)), None)
        return f"{self.name} answers{'' if first is not None else ', without rows for yesterday: columns not checked'}"

    def _read(self, columns: Sequence[str], window: Window) -> Iterator[pd.DataFrame]:
        import requests

        pages = self.source.pages
        request: tuple[str, Query] | None = (self.source.url, self._first_query(window))
        asked: dict[tuple[str, Query], int] = {}
        seen: dict[bytes, int] = {}
        total = None
        budget, rows, number = _Budget(self.source), 0, 0
        with requests.Session() as session:
            while request is not None:
                number += 1
                name = f"page {number} of {self.name}" if pages else self.name
                if request in asked:
                    raise SourceError(f"{name}: it would be page {asked[request]} once more; see source.pages")
                asked[request] = number
                page = self._fetch(session, name, *request, budget)
                document = _json(page) if self.source.format == "json" else None
                records = None if document is None else _records(document, self.source.records, page)
                digest = sha256(page.body if records is None else json.dumps(records).encode()).digest()
                found = 0
                for frame in self._frames(page, records, columns):
                    found += len(frame)
                    yield frame.assign(**{SOURCE: name})
                if found and digest in seen:
                    raise SourceError(
                        f"{name}: the same as page {seen[digest]}; does the service know the parameter "
                        f"{self._parameter!r}? See source.pages"
                    )
                seen[digest] = number
                rows += found
                total = self._total(page, document)
                request = self._next(page, document, request, found=found, rows=rows, number=number, total=total)
        if total is not None and rows != total:
            raise SourceUnavailableError(
                f"{self.name}: page {number}, the last, ends after {rows} rows; {total} are promised"
            )

    def _first_query(self, window: Window) -> Query:
        start, end = self._moment(window.start), self._moment(window.end)
        query = {
            name: text.replace(":window_start", start).replace(":window_end", end)
            for name, text in self.source.query.items()
        }
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
            target = _at(document, pages.path) if pages.path else page.next_link
            return (self._allowed(urljoin(page.url, str(target)), page.name), ()) if target else None
        if pages.kind == "cursor":
            value = _at(document, str(pages.path))
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
        text = _at(document, pages.total) if self.source.format == "json" else page.headers.get(pages.total)
        try:
            return int(str(text))
        except ValueError:
            raise SourceError(f"{page}: no number of rows at {pages.total!r}; see source.pages.total") from None

    def _frames(self, page: Page, records: list[Any] | None, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        import pyarrow as pa

        if records:
            yield _frame(records, columns, page)
        elif records is None and page.body.strip():
            try:
                yield from read_csv(page, columns, self.source.delimiter)
            except pa.ArrowException as error:
                raise SourceError(f"{page}: not CSV: {error}") from None

    def _allowed(self, url: str, place: str) -> str:
        """Return an address if it is one of the hosts that may be asked.

        Raises:
            SourceError: it is another host, or would be asked in the open where the first one was encrypted.
        """
        own = urlsplit(self.source.url)
        try:
            parts = urlsplit(url)
            host = _host(parts.scheme, parts.netloc)
        except ValueError:
            raise SourceError(f"{place}: leads to an address that is not one") from None
        allowed = {_host(own.scheme, own.netloc), *(_host(parts.scheme, name) for name in self.source.hosts)}
        if parts.scheme not in ("https", own.scheme) or host not in allowed:
            raise SourceError(
                f"{place}: leads to {parts.scheme}://{parts.hostname}"
                f"{f':{parts.port}' if parts.port else ''}, which is not asked. "
                "If it is right, name it in source.hosts (it will get the headers, too)"
            )
        return url

    def _fetch(self, session: Any, place: str, url: str, query: Query, budget: _Budget) -> Page:
        """Ask until there is an answer, with growing pauses or those that the service asks for."""
        import requests
        from urllib3 import Retry
        from urllib3.exceptions import HTTPError, MaxRetryError

        tries = Retry(total=_TRIES - 1, backoff_factor=BACK_OFF_SECONDS, status_forcelist=_LATER)
        redirects = 0
        while True:
            pause: float | None = None
            budget.take(0, place)
            try:
                with session.get(
                    url,
                    params=query,
                    auth=self._sign,
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(_CONNECT_SECONDS, budget.seconds), min(_SILENT_SECONDS, budget.seconds)),
                ) as response:
                    target = session.get_redirect_target(response)
                    if target is not None:
                        redirects += 1
                        if redirects > _REDIRECTS:
                            raise SourceError(f"{place}: it was redirected {redirects} times")
                        url, query = self._allowed(urljoin(response.url, target), place), ()
                        continue
                    if response.status_code not in _LATER:
                        return self._page(response, place, budget)
                    trouble = _status(response.status_code)
                    pause = tries.get_retry_after(response.raw)
                    outcome: dict[str, Any] = {"response": response.raw}
            except (requests.RequestException, HTTPError, OSError) as error:
                trouble = _why(error)
                outcome = {"error": error}
            try:
                tries = tries.increment("GET", url, **outcome)
            except (MaxRetryError, HTTPError):
                raise SourceUnavailableError(f"{place}: {trouble}, {_TRIES} times") from None
            pause = tries.get_backoff_time() if pause is None else pause
            if pause > budget.seconds:
                raise SourceUnavailableError(
                    f"{place}: {trouble}, and asks for {pause:.0f} s until the next try, longer than is left of "
                    f"{self.source.max_seconds} s (source.max_seconds)"
                ) from None
            time.sleep(pause)

    def _sign(self, request: "PreparedRequest") -> "PreparedRequest":
        """Add the headers last of all, where neither a netrc file nor anything else replaces them."""
        request.headers.update({name: value.get_secret_value() for name, value in self.source.headers.items()})
        return request

    def _page(self, response: "Response", place: str, budget: _Budget) -> Page:
        """Read an answer's body.

        Raises:
            SourceError: it is none, is of the wrong type, or is too large.
        """
        status = response.status_code
        if status in (401, 403):
            raise SourceError(f"{place}: {_status(status)}; see source.headers")
        if status != HTTPStatus.OK:
            raise SourceError(f"{place}: {_status(status)}; see source.url and source.query")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind and not _fits(kind, self.source.format):
            raise SourceError(
                f"{place}: it is {kind}, not {self.source.format.upper()} (a page to log in, perhaps?); "
                "see source.url and source.format"
            )
        body = io.BytesIO()
        # What has arrived, not a full chunk: a service that dribbles must not outlast the time limit.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body.write(chunk)
            budget.take(len(chunk), place)
        link = response.links.get("next", {}).get("url", "")
        return Page(place, response.url, body.getvalue(), response.headers, link)

    def _without_secrets(self, text: str) -> str:
        for secret in self.source.headers.values():
            value = secret.get_secret_value()
            for part in (value, value.rpartition(" ")[2]):
                text = text.replace(part, "***")
        return text


def _host(scheme: str, netloc: str) -> str:
    parts = urlsplit(f"{scheme}://{netloc}")
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(scheme)}"


def _status(code: int) -> str:
    known = code in HTTPStatus.__members__.values()
    return f"the service answers {code}{f' {HTTPStatus(code).phrase}' if known else ''}"


def _why(error: Exception) -> str:
    """Say in our words why there was no answer: a library's may hold the address with all its parameters."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "it does not answer in time"
    if isinstance(error, requests.ConnectionError) and "NewConnection" in str(error):
        return "it cannot be reached"
    return f"its answer breaks off ({type(error).__name__})"


def _fits(kind: str, form: str) -> bool:
    if form == "json":
        return "json" in kind
    return "csv" in kind or "separated-values" in kind or kind in ("text/plain", "application/octet-stream")


def _json(page: Page) -> Any:
    try:
        return json.loads(page.body)
    except (ValueError, RecursionError) as error:
        at = f": {error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise SourceError(f"{page}: not JSON{at}") from None


def _at(document: Any, path: str) -> Any:
    """Return what stands at a dotted path, None if nothing does."""
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _records(document: Any, path: str | None, page: Page) -> list[Any]:
    found = document if path is None else _at(document, path)
    if isinstance(found, list):
        return found
    there = f"; it has: {', '.join(map(str, document))}" if isinstance(document, dict) else ""
    raise SourceError(f"{page}: no list of rows {f'at {path!r}' if path else 'at the top'}{there}. See source.records")


def _frame(records: Sequence[Any], columns: Sequence[str], page: Page) -> pd.DataFrame:
    escaped = b"\\u" in page.body
    rows = []
    for number, record in enumerate(records, start=1):
        problem = _problem(record, escaped)
        values = {columns[0]: json.dumps(record)} if problem else {name: record.get(name) for name in columns}
        rows.append({**values, ROW: number, PROBLEM: problem})
    # A key that one row lacks is a missing value; one that a whole page lacks is misspelt, or the service has changed.
    require(page, columns, list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record)))
    return pd.DataFrame(rows, columns=[*columns, ROW, PROBLEM], dtype=object)


def _problem(record: Any, escaped: bool) -> str | None:
    if not isinstance(record, dict):
        return "the row is not a JSON object"
    try:
        if escaped:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeError:
        return "the row is not UTF-8 text"
    return None
