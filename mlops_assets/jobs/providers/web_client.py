"""Asking a service over HTTP once, and what its answer means for the job: the poller tries again, not we."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin, urlsplit

from mlops_assets.jobs.providers.service_errors import (
    BusyError,
    NotThereError,
    RefusedByServiceError,
    UnreachableError,
    UnsureError,
    WrongAnswerError,
)
from mlops_assets.resources.secrets import scrub
from mlops_assets.resources.web import LATER, host_of, never_sent, status_text, why_no_answer
from mlops_assets.spec.external import filled
from mlops_assets.spec.parts import VARIABLE

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

_ONE_LINE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_MOST_BYTES = 256 << 20
_BEGINNING = 200
"""Characters of a strange answer that are shown."""


@dataclass(frozen=True)
class WebClient:
    """One service over HTTP.

    Attributes:
        headers: of every request, with `${VARIABLE}` in them, which is filled in when it is asked.
        place: field of the spec that declares them, for messages.
        timeout: seconds.
        hosts: of addresses that may be asked besides that of the first one.
        environ: of the variables. Default: the process's.
        secrets: values that no message may show, besides those in the headers.
    """

    headers: Mapping[str, str]
    place: str
    timeout: float
    hosts: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    secrets: tuple[str, ...] = ()

    def read(self, url: str, name: str, **options: Any) -> Any:
        """Ask what changes nothing, and return the JSON.

        Args:
            url: asked.
            name: of the service, for messages.
            options: of `requests.request`, such as `params`.

        Raises:
            NotThereError: 404.
            UnreachableError: no answer; the same again later.
        """
        try:
            return self._ask("GET", url, name, **options)
        except UnsureError as error:
            raise UnreachableError(error.message) from None

    def change(self, method: str, url: str, name: str, **options: Any) -> Any:
        """Ask for what may have been done even if no answer comes.

        Raises:
            UnsureError: the request went out, and its answer is lost.
        """
        return self._ask(method, url, name, **options)

    def follow(self, url: str, link: str, name: str) -> str:
        """Return the address that an answer leads to, if its host is one that may be asked.

        Raises:
            WrongAnswerError: it is not.
        """
        here, there = urlsplit(url), urlsplit(urljoin(url, link))
        allowed = {host_of(here.scheme, here.netloc), *(host_of(there.scheme, other) for other in self.hosts)}
        if there.scheme not in ("https", here.scheme) or host_of(there.scheme, there.netloc) not in allowed:
            raise WrongAnswerError(
                f"{name}: leads to {there.scheme}://{there.hostname}, which is not asked. If it is right, name it in "
                "external.rest.hosts (it will get the headers, too)"
            )
        return there.geturl()

    def clean(self, text: str) -> str:
        """Return a text without secrets."""
        own = [filled(value, self.environ) for value in self.headers.values() if VARIABLE.search(value)]
        return scrub(text, [*own, *self.secrets])

    def _ask(self, method: str, url: str, name: str, **options: Any) -> Any:
        import requests

        own = {
            **{key: filled(value, self.environ) for key, value in self.headers.items()},
            **options.pop("headers", {}),
        }
        if wrong := next((key for key, value in own.items() if not _ONE_LINE.fullmatch(value)), None):
            raise UnreachableError(
                f"{name}: {self._named(wrong)} is not one line of plain ASCII without spaces around it"
            )

        def sign(request: "PreparedRequest") -> "PreparedRequest":
            # Last of all, where neither a netrc file nor anything else replaces them.
            request.headers.update(own)
            return request

        try:
            response = requests.request(
                method,
                url,
                auth=sign,
                allow_redirects=False,
                timeout=(min(10.0, self.timeout), self.timeout),
                **options,
            )
        except requests.RequestException as error:
            said = f"{name}: {why_no_answer(error)}"
            raise (UnreachableError if never_sent(error) else UnsureError)(said) from None
        if not response.ok or response.is_redirect:
            self._refuse(response, method, name)
        return self._json(response, name)

    def _refuse(self, response: "Response", method: str, name: str) -> NoReturn:
        code, said = response.status_code, f"{name}: {status_text(response.status_code)}"
        if code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise UnreachableError(f"{said}: it does not let us in; is {self._named(*self.headers)} still valid?")
        if code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            raise BusyError.asking(said, _retry_after(response))
        if code in LATER:
            raise (UnreachableError if method == "GET" else UnsureError)(said)
        if code == HTTPStatus.NOT_FOUND and method != "POST":
            raise NotThereError(said)
        if code == HTTPStatus.CONFLICT:
            raise UnsureError(f"{said}: it may have it already")
        if response.is_redirect:
            raise WrongAnswerError(f"{said}: it leads elsewhere, which is not followed; see {self.place}")
        raise RefusedByServiceError(f"{said}: {self._beginning(response)}")

    def _named(self, *headers: str) -> str:
        """Name the variables that some headers are made of."""
        found = sorted({name for header in headers for name in VARIABLE.findall(self.headers.get(header, ""))})
        return f"{', '.join(found)} (of {self.place})" if found else self.place

    def _json(self, response: "Response", name: str) -> Any:
        if not response.content:
            return None
        if len(response.content) > _MOST_BYTES:
            raise WrongAnswerError(f"{name}: its answer is larger than {_MOST_BYTES >> 20} MB")
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError):
            raise WrongAnswerError(f"{name}: its answer is no JSON: {self._beginning(response)}") from None

    def _beginning(self, response: "Response") -> str:
        text = " ".join(response.content[: 4 * _BEGINNING].decode(errors="replace").split())
        return self.clean(text)[:_BEGINNING] or "nothing"


def _retry_after(response: "Response") -> float | None:
    """Return the seconds that a service asks us to wait."""
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    text = response.headers.get("Retry-After")
    try:
        return None if text is None else float(Retry().parse_retry_after(text))
    except InvalidHeader:
        return None


def value_at(document: Any, path: str, name: str) -> Any:
    """Return what stands at a path such as `job.id` or `items.0.id` of a JSON document; None if nothing does.

    Raises:
        WrongAnswerError: the path leads through what has no parts.
    """
    value = document
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        elif value is not None:
            raise WrongAnswerError(f"{name}: its answer has no {path!r}")
    return value
