"""Secrets taken out of texts that were not written here, such as what another library's exception says."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

HIDDEN = "***"
_SHORTEST = 6
"""Shorter values are not looked for: they would be found within ordinary words."""
_NAMES = re.compile(
    r"PASSW|SECRET|CREDENTIAL|(^|_)(PASS|TOKEN|KEY|AUTH|NOTIFY|DSN|UR[IL])(_|$)",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(\b\w[\w+.-]{0,30}://)[^\s/]*@")
_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s'\",;]+", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|credentials?)['\"]?\s*[=:]\s*['\"]?)"
    r"[^\s&'\",;]+",
    re.IGNORECASE,
)


def scrub(text: str, secrets: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> str:
    """Return a text without secrets: `***` stands in their place.

    Hidden are users and passwords in addresses, what is named a password or a token, and the values that are known: of
    environment variables with such names (`..._TOKEN`, `..._URL`, ...), and those given.

    Args:
        text: what is to be shown.
        secrets: further values, such as `secrets_of` a spec's source.
        environ: the environment. Default: the process's.
    """
    environ = os.environ if environ is None else environ
    named = (value for name, value in environ.items() if _NAMES.search(name))
    known = {part for value in (*secrets, *named) for part in _parts(value) if len(part) >= _SHORTEST}
    known |= {quote(part, safe="") for part in known}  # as it stands in an address
    for part in sorted(known, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    text = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    return _NAMED.sub(rf"\1{HIDDEN}", _SCHEME.sub(rf"\1 {HIDDEN}", text))


def secrets_of(model: BaseModel) -> set[str]:
    """Return the values of all secret fields of a model, such as the source of a spec."""
    found: set[str] = set()
    for value in dict(model).values():
        parts = value.values() if isinstance(value, dict) else [value]
        found |= {part.get_secret_value() for part in parts if isinstance(part, SecretStr)}
    return found


def _parts(value: str) -> Iterator[str]:
    """Yield what must not be seen of a secret: an address's password, a header's last word, the value itself."""
    if not re.match(r"[\w+.-]+://", value):
        yield value
        yield from value.split()[1:]  # Bearer TOKEN
        yield from re.findall(r'"([^"\s]{20,})"', value)  # {"private_key_id": "...", ...}
        return
    try:
        address = urlsplit(value)
    except ValueError:
        yield value
        return
    yield from (address.password or "", unquote(address.password or ""))
    if address.netloc and address.scheme not in ("http", "https"):  # of a web page only the password is secret
        yield value
