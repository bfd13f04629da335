"""What web services answer, in our words: a library's own may hold the address with all its parameters."""

from http import HTTPStatus
from urllib.parse import urlsplit

LATER = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which it is worth to try again."""


def host_of(scheme: str, netloc: str) -> str:
    """Return host and port, also where the port is the scheme's own."""
    parts = urlsplit(f"{scheme}://{netloc}")
    return f"{parts.hostname}:{parts.port or {'http': 80, 'https': 443}.get(scheme)}"


def status_text(code: int) -> str:
    """Say which status a service has answered with."""
    known = code in HTTPStatus.__members__.values()
    return f"the service answers {code}{f' {HTTPStatus(code).phrase}' if known else ''}"


def why_no_answer(error: Exception) -> str:
    """Say why there was no answer."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return "it does not answer in time"
    if isinstance(error, ValueError):
        return f"its address or a header is not valid ({type(error).__name__})"
    if never_sent(error):
        return "it cannot be reached"
    return f"its answer breaks off ({type(error).__name__})"


def never_sent(error: Exception) -> bool:
    """Whether a request that failed has not reached the service, so that nothing can have happened there."""
    import requests

    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError | ValueError):
        return True
    return isinstance(error, requests.ConnectionError) and any(
        sign in str(error) for sign in ("NewConnection", "NameResolution", "ProxyError")
    )
