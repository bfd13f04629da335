"""Secrets: kept out of what Dagster shows and stores, and taken out of texts that were not written here.

Dagster keeps a resource's configuration in snapshots and shows it in its web UI, and has no type for a secret. So the
configuration holds a reference, and the secret stays in this process; every process that builds the definitions has it
from its settings, and a worker of a cluster, which a reference is sent to, from its environment.
"""

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from mlops_assets.errors import TerminalError

HIDDEN = "***"
_REFERENCE = "secret:"
_KEPT: dict[str, SecretStr] = {}
_SHORTEST = 6
"""Shorter values are not looked for: they would be found within ordinary words."""
_NAMES = re.compile(
    r"PASSW|SECRET|CREDENTIAL|(^|_)(PASS|TOKEN|KEY|AUTH|APPROVERS|NOTIFY|DSN|UR[IL])(_|$)",
    re.IGNORECASE,
)
_IN_ADDRESS = re.compile(r"(\b\w[\w+.-]{0,30}://)[^\s/]*@")
_SCHEME = re.compile(r"\b(bearer|basic)\s+[^\s'\",;]+", re.IGNORECASE)
_NAMED = re.compile(
    r"((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|credentials?)['\"]?\s*[=:]\s*['\"]?)"
    r"[^\s&'\",;]+",
    re.IGNORECASE,
)


class UnknownSecretError(TerminalError, LookupError):
    """A process works with a reference to a secret that it does not know."""


def keep(value: Any, name: str = "") -> Any:
    """Return a reference in place of a secret; everything else as it is.

    Args:
        value: anything, a secret as SecretStr.
        name: what the reference says, such as the variable that holds the secret. Equal secrets under one name have one
            reference, in every process, so that snapshots of the same configuration are equal.
    """
    if not isinstance(value, SecretStr):
        return value
    for number in count(1):
        reference = f"{_REFERENCE}{name}{f' {number}' if number > 1 else ''}"
        if _KEPT.setdefault(reference, value) == value:
            return reference
    raise AssertionError


def reveal(value: str) -> SecretStr:
    """Return the secret that a value stands for, or the value itself as one.

    Raises:
        UnknownSecretError: a reference of another process, and the variable that it names is not set here.
    """
    if value in _KEPT or not value.startswith(_REFERENCE):
        return _KEPT.get(value) or SecretStr(value)
    name = value.removeprefix(_REFERENCE)
    if found := os.environ.get(name):
        return SecretStr(found)
    way = f"set {name} there, as it is set where the work is given out"
    if not re.fullmatch(r"\w+", name):
        way = "only the process that it was given to knows it; give it by an environment variable"
    raise UnknownSecretError(f"a secret is not known on {platform.node()}: {way}")


def variable_of(value: str) -> str:
    """Return the environment variable that a reference to a secret names; empty if it names none."""
    return value.removeprefix(_REFERENCE).partition(" ")[0] if value in _KEPT else ""


def scrub(text: str, secrets: Iterable[str] = (), environ: Mapping[str, str] | None = None) -> str:
    """Return a text without secrets: `***` stands in their place.

    Hidden are users and passwords in addresses, what is named a password or a token, and the values that are known: of
    environment variables with such names (`..._TOKEN`, `..._URL`, ...), of resources (`keep`), and those given.

    Args:
        text: what is to be shown.
        secrets: further values, such as `secrets_of` a spec's source.
        environ: the environment. Default: the process's.
    """
    environ = os.environ if environ is None else environ
    named = (value for name, value in environ.items() if _NAMES.search(name))
    kept = (secret.get_secret_value() for secret in _KEPT.values())
    known = {part for value in (*secrets, *named, *kept) for part in _parts(value) if len(part) >= _SHORTEST}
    known |= {quote(part, safe="") for part in known}  # as it stands in an address
    for part in sorted(known, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    text = _IN_ADDRESS.sub(rf"\1{HIDDEN}@", text)
    return _NAMED.sub(rf"\1{HIDDEN}", _SCHEME.sub(rf"\1 {HIDDEN}", text))


def without_login(address: str) -> str:
    """Return an address without user, password and parameters."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


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
        yield from (part.rpartition(":")[2].strip() for part in value.split(","))  # anna:SECRET,ben:SECRET
        return
    try:
        address = urlsplit(value)
    except ValueError:
        yield value
        return
    yield from (address.password or "", unquote(address.password or ""))
    if address.netloc and address.scheme not in ("http", "https"):  # of a web page only the password is secret
        yield value
