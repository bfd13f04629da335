"""Who may decide: people who have a key, and how they prove who they are."""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pydantic import SecretStr

from mlops_assets.errors import ExitCode, UsageError
from mlops_assets.lifecycle.roles import myself
from mlops_assets.settings import Settings, SettingsError

APPROVERS, KEY = "MLOPS_APPROVERS", "MLOPS_KEY"
COMMAND, SIGNATURE = "command", "signature"
"""How somebody has proven who they are: a key in the environment of a command, or a signature and its nonce."""
SHORTEST = 16
"""Characters of a key of `MLOPS_APPROVERS`: a signature is seen by others, who may try keys on it at leisure."""
VALID_SECONDS, AHEAD_SECONDS = 24 * 3600, 300
"""How long a signature holds, and by how much the signer's clock may be ahead."""
_NAME = re.compile(r"[\w.@+ -]{1,60}")
_HASHED = re.compile(r"(.+):sha256:([0-9a-fA-F]{64})")
_SIGNATURE = re.compile(r"1\.([0-9]{1,12})\.([0-9a-f]{16})\.([0-9a-f]{64})")


class UnprovenError(UsageError):
    """Who decides has not proven who they are. The message does not say which part of a proof is wrong."""

    exit_code: ClassVar[int] = ExitCode.NOT_ALLOWED


@dataclass(frozen=True)
class Key:
    """A secret, and whose it is.

    Attributes:
        name: whose; empty where it has none.
        digest: SHA-256 of the secret.
        secret: itself; None where only the hash is kept.
    """

    name: str
    digest: bytes = field(repr=False)
    secret: bytes | None = field(repr=False)

    def opens(self, secret: bytes) -> bool:
        """Whether a secret is this one, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.digest, hashlib.sha256(secret).digest())


@dataclass(frozen=True)
class Person:
    """Who decides.

    Attributes:
        name: of the key that was shown; where nobody has to show one, the name that was given.
        proof: `command`, or `signature` and its nonce; empty where nobody has to prove anything.
    """

    name: str
    proof: str = ""


@dataclass(frozen=True)
class Request:
    """A decision as it is signed.

    Attributes:
        forecast: its name.
        version: that is decided on.
        decision: `approve` or `reject`.
        by: who decides.
        reason: why.
    """

    forecast: str
    version: int
    decision: Literal["approve", "reject"]
    by: str
    reason: str


class Approvers:
    """The people who may decide; without any, everybody may, and nobody has to prove anything."""

    def __init__(self, keys: Sequence[Key] = (), environment: str = "local") -> None:
        self._keys, self._environment = tuple(keys), environment

    @classmethod
    def of(cls, settings: Settings) -> "Approvers":
        """Return those of an environment.

        Raises:
            SettingsError: the variable is no list of names and keys, or a key is too short.
        """
        keys = read_keys(APPROVERS, settings.approvers)
        if any(not key.name or (key.secret is not None and len(key.secret) < SHORTEST) for key in keys):
            raise SettingsError(
                f"{APPROVERS}: each key needs a name, and {SHORTEST} characters or more: anna:SECRET,ben:SECRET"
            )
        return cls(keys, settings.environment)

    @property
    def needed(self) -> bool:
        """Whether who decides has to prove who they are."""
        return bool(self._keys)

    def by_key(self, name: str | None, key: SecretStr | None) -> Person:
        """Return who is at the keyboard.

        Args:
            name: that they have given; None: that of the key, or of the login.
            key: of the person (`MLOPS_KEY`).

        Raises:
            UnprovenError: a key is needed, and there is none, or it is not that person's.
        """
        if not self.needed:
            return Person(name or myself())
        if key is None:
            raise UnprovenError(f"who decides has to prove it ({APPROVERS} is set): put your key into {KEY}")
        secret = key.get_secret_value().encode()
        found = [one.name for one in self._keys if one.opens(secret)]
        if not found or (name is not None and name != found[0]):
            raise UnprovenError(f"the key in {KEY} is none of {name or 'a person'} who may decide ({APPROVERS})")
        return Person(found[0], COMMAND)

    def by_signature(self, request: Request, signature: str, now: float) -> Person:
        """Return who has signed a decision.

        Args:
            request: the decision.
            signature: of `sign`.
            now: seconds since 1970, by the real clock.

        Raises:
            UnprovenError: a signature is needed, and this is none of that person over just this, or not of now.
        """
        if not self.needed:
            return Person(request.by)
        parts, right = _SIGNATURE.fullmatch(signature.strip()), False
        moment, nonce, given = parts.groups() if parts else ("0", "", "")
        for key in self._keys:
            made = _mac(key.secret or secrets.token_bytes(), request, self._environment, moment, nonce)
            right |= hmac.compare_digest(made, given) and key.name == request.by
        if not right or not -AHEAD_SECONDS <= now - int(moment) <= VALID_SECONDS:
            raise UnprovenError(
                f"version {request.version} of {request.forecast}: this needs a signature of {request.by or 'someone'} "
                f"over just this decision in {self._environment}, not older than {VALID_SECONDS // 3600} hours "
                "(mlops-assets sign makes one)"
            )
        return Person(request.by, f"{SIGNATURE} {nonce}")


def sign(request: Request, key: SecretStr, now: float, environment: str = "local") -> str:
    """Return a person's signature of a decision: its moment, a nonce, and an HMAC-SHA256 over all of it.

    Args:
        request: the decision.
        key: of who decides.
        now: seconds since 1970, by the real clock.
        environment: where it is decided (`MLOPS_ENV`): staging and production may have versions of one number.
    """
    moment, nonce = str(int(now)), secrets.token_hex(8)
    return f"1.{moment}.{nonce}.{_mac(key.get_secret_value().encode(), request, environment, moment, nonce)}"


def read_keys(variable: str, value: SecretStr | None) -> tuple[Key, ...]:
    """Read `SECRET`, or `anna:SECRET,ben:sha256:HEX`.

    Raises:
        SettingsError: it is neither, or two of them have the same name or secret.
    """
    if value is None:
        return ()
    keys = [_key(variable, part.strip()) for part in value.get_secret_value().split(",")]
    if len({key.name for key in keys}) < len(keys):
        raise SettingsError(f"{variable}: each of several tokens needs a name of its own: anna:SECRET,ben:SECRET")
    if len({key.digest for key in keys}) < len(keys):
        raise SettingsError(f"{variable}: two of them have the same secret")
    return tuple(keys)


def _key(variable: str, text: str) -> Key:
    hashed = _HASHED.fullmatch(text)
    name, separator, secret = (hashed[1], ":", hashed[2]) if hashed else text.rpartition(":")
    if not secret or re.search(r"\s", secret) or (separator and not _NAME.fullmatch(name)):
        raise SettingsError(f"{variable}: neither a token nor a list such as anna:SECRET,ben:SECRET")
    if hashed:
        return Key(name, bytes.fromhex(secret), None)
    return Key(name, hashlib.sha256(secret.encode()).digest(), secret.encode())


def _mac(secret: bytes, request: Request, environment: str, moment: str, nonce: str) -> str:
    told = [request.forecast, request.version, request.decision, request.by, request.reason, int(moment), nonce]
    text = json.dumps(["mlops-assets decision", 1, environment, *told])
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
