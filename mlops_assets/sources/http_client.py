"""Asking a web service: again when it stumbles, within limits of time, size and hosts, its headers kept secret."""

import codecs
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from mlops_assets.resources.web import LATER, host_of, status_text, why_no_answer
from mlops_assets.sources.base import SourceError, SourceUnavailableError
from mlops_assets.spec import HttpSource

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

BACK_OFF_SECONDS = 0.5
"""The second try comes at once, the third after twice this, each later one after twice as long."""
_TRIES = 5
_REDIRECTS = 5
_CONNECT_SECONDS, _SILENT_SECONDS = 10.0, 60.0
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
        suffixes: of a file's name; an answer has none.
        modified: it was written now.
    """

    name: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    next_link: str = ""
    suffixes: tuple[str, ...] = ()
    modified: float = field(default_factory=time.time)

    @property
    def whole(self) -> bool:
        """Whether the service has said where the answer ends, so that one that is cut is known."""
        return "Content-Length" in self.headers or "chunked" in self.headers.get("Transfer-Encoding", "")

    @property
    def encoding(self) -> str | None:
        """Encoding that the service names, where it is not UTF-8; None if the answer is."""
        try:
            self.body.decode()
        except UnicodeDecodeError:
            return _charset(self.headers.get("Content-Type", ""))
        return None

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

    def take(self, count: int, name: str) -> None:
        self.bytes_read += count
        if self.bytes_read > self.source.max_megabytes * _MEGABYTE:
            raise SourceError(f"{name}: more than {self.source.max_megabytes} MB (source.max_megabytes)")
        if self.seconds < 0:
            raise SourceUnavailableError(f"{name}: took longer than {self.source.max_seconds} s (source.max_seconds)")


class HttpClient:
    """A session with one service, for one read; to be used in a `with` statement."""

    def __init__(self, source: HttpSource) -> None:
        self.source = source
        self.budget = _Budget(source)

    def __enter__(self) -> "HttpClient":
        import requests

        self._session = requests.Session()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def allowed(self, url: str, name: str) -> str:
        """Return an address if it is one of the hosts that may be asked.

        Args:
            url: where the service leads to.
            name: of the answer that leads there, for messages.

        Raises:
            SourceError: it is another host, or would be asked in the open where the first one was encrypted.
        """
        own = urlsplit(self.source.url)
        try:
            parts = urlsplit(url)
            host = host_of(parts.scheme, parts.netloc)
        except ValueError:
            raise SourceError(f"{name}: leads to an address that is not one") from None
        allowed = {host_of(own.scheme, own.netloc), *(host_of(parts.scheme, other) for other in self.source.hosts)}
        if parts.scheme not in ("https", own.scheme) or host not in allowed:
            raise SourceError(
                f"{name}: leads to {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}, "
                "which is not asked. If it is right, name it in source.hosts (it will get the headers, too)"
            )
        return url

    def fetch(self, name: str, url: str, query: Query) -> Page:
        """Ask until there is an answer, with growing pauses or those that the service asks for.

        Args:
            name: of the answer, for messages.
            url: asked, redirects followed as far as they are allowed.
            query: names and values.

        Raises:
            SourceError: the answer is none of rows, is too large, or leads where we do not go.
            SourceUnavailableError: no answer in time.
        """
        import requests
        from urllib3 import Retry
        from urllib3.exceptions import HTTPError, MaxRetryError

        tries = Retry(total=_TRIES - 1, backoff_factor=BACK_OFF_SECONDS, status_forcelist=LATER)
        redirects = 0
        while True:
            pause: float | None = None
            self.budget.take(0, name)
            try:
                with self._session.get(
                    url,
                    params=query,
                    auth=self._sign,
                    stream=True,
                    allow_redirects=False,
                    timeout=(min(_CONNECT_SECONDS, self.budget.seconds), min(_SILENT_SECONDS, self.budget.seconds)),
                ) as response:
                    target = self._session.get_redirect_target(response)
                    if target is not None:
                        redirects += 1
                        if redirects > _REDIRECTS:
                            raise SourceError(f"{name}: it was redirected {redirects} times")
                        url, query = self.allowed(urljoin(response.url, target), name), ()
                        continue
                    if response.status_code not in LATER:
                        return self._page(response, name)
                    trouble = status_text(response.status_code)
                    pause = tries.get_retry_after(response.raw)
                    outcome: dict[str, Any] = {"response": response.raw}
            except (requests.RequestException, HTTPError, OSError) as error:
                trouble = why_no_answer(error)
                outcome = {"error": error}
            try:
                tries = tries.increment("GET", url, **outcome)
            except (MaxRetryError, HTTPError):
                raise SourceUnavailableError(f"{name}: {trouble}, {_TRIES} times") from None
            pause = tries.get_backoff_time() if pause is None else pause
            if pause > self.budget.seconds:
                raise SourceUnavailableError(
                    f"{name}: {trouble}, and asks for {pause:.0f} s until the next try, longer than is left of "
                    f"{self.source.max_seconds} s (source.max_seconds)"
                ) from None
            time.sleep(pause)

    def validator(self, url: str, query: Query, headers: Sequence[str] = ("ETag", "Last-Modified")) -> str:
        """Ask, once and without a body, what the service calls its answer; empty if nothing.

        Args:
            url: asked.
            query: names and values.
            headers: of the answer, the first that it has counts.

        Raises:
            SourceUnavailableError: it cannot be reached.
        """
        import requests

        try:
            with self._session.head(
                url, params=query, auth=self._sign, allow_redirects=False, timeout=(_CONNECT_SECONDS, _CONNECT_SECONDS)
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    return ""
                return next((told for name in headers if (told := response.headers.get(name))), "")
        except (requests.RequestException, OSError) as error:
            raise SourceUnavailableError(f"{self.source.url}: {why_no_answer(error)}") from None

    def _sign(self, request: "PreparedRequest") -> "PreparedRequest":
        """Add the headers last of all, where neither a netrc file nor anything else replaces them."""
        request.headers.update({name: value.get_secret_value() for name, value in self.source.headers.items()})
        return request

    def _page(self, response: "Response", name: str) -> Page:
        """Read an answer's body.

        Raises:
            SourceError: it is none, is of the wrong type, or is too large.
        """
        status = response.status_code
        if status in (401, 403):
            raise SourceError(f"{name}: {status_text(status)}; see source.headers")
        if status != HTTPStatus.OK:
            raise SourceError(f"{name}: {status_text(status)}; see source.url and source.query")
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind and not _fits(kind, self.source.format):
            raise SourceError(
                f"{name}: it is {kind}, not {self.source.format.upper()} (a page to log in, perhaps?); "
                "see source.url and source.format"
            )
        body = io.BytesIO()
        # What has arrived, not a full chunk: a service that dribbles must not outlast the time limit.
        while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
            body.write(chunk)
            self.budget.take(len(chunk), name)
        link = response.links.get("next", {}).get("url", "")
        return Page(name, response.url, body.getvalue(), response.headers, link)


def _charset(content_type: str) -> str | None:
    """Return the charset that a content type names, if it is one."""
    named = Message()
    named["Content-Type"] = content_type
    charset = named.get_content_charset()
    try:
        return codecs.lookup(charset).name if charset else None
    except LookupError:
        return None


def _fits(kind: str, form: str) -> bool:
    if form == "json":
        return "json" in kind
    return "csv" in kind or "separated-values" in kind or kind in ("text/plain", "application/octet-stream")
