"""Who may read and who may write: bearer tokens, and the cookie that a browser gets for one."""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlops_assets.lifecycle.approvers import APPROVERS, Key, read_keys
from mlops_assets.settings import Settings, SettingsError

READING, WRITING = "reading", "writing"
Right = Literal["reading", "writing"]
COOKIE = "mlops_assets_session"
SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Caller:
    """Somebody who showed a token.

    Attributes:
        name: that the token has in its variable; empty where it has none.
        right: what it allows; who may write may read.
    """

    name: str
    right: Right


@dataclass(frozen=True)
class _Token:
    key: Key
    caller: Caller
    cookies: bytes
    """What cookies are signed with."""


class Tokens:
    """The tokens of a server.

    Args:
        settings: that hold them.

    Raises:
        SettingsError: a variable is no list of tokens, or two names or secrets in it are the same.
    """

    def __init__(self, settings: Settings) -> None:
        reading = read_keys("MLOPS_API_TOKEN", settings.api_token)
        writing = read_keys("MLOPS_API_WRITE_TOKEN", settings.api_write_token)
        deciding = [key for key in read_keys(APPROVERS, settings.approvers) if key not in writing]
        self._tokens = (*_tokens(reading, READING), *_tokens((*writing, *deciding), WRITING))
        if len({token.key.digest for token in self._tokens}) < len(self._tokens):
            raise SettingsError(f"MLOPS_API_TOKEN, MLOPS_API_WRITE_TOKEN and {APPROVERS}: two have the same secret")
        self.needed = bool(reading)
        self.writable = bool(writing or deciding)

    def bearer(self, header: str) -> Caller | None:
        """Return whose token an Authorization header has; None of nobody's."""
        scheme, _, secret = header.partition(" ")
        return self.of(secret.strip()) if scheme.lower() == "bearer" else None

    def of(self, secret: str) -> Caller | None:
        """Return whose token it is, in a time that does not tell how much of it is right; None of nobody's."""
        given, found = secret.encode("utf-8", "replace"), None
        for token in self._tokens:
            if token.key.opens(given):
                found = token.caller
        return found

    def cookie(self, secret: str) -> str:
        """Return what a browser keeps instead of a right token: it ends by itself, and with the token."""
        until = str(int(time.time()) + SESSION_SECONDS)
        number = next(n for n, token in enumerate(self._tokens) if token.key.opens(secret.encode()))
        return f"{number}.{until}.{self._signature(self._tokens[number], until)}"

    def session(self, cookie: str) -> Caller | None:
        """Return who got a cookie; None where nobody did, or it has ended."""
        number, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        if not (re.fullmatch(r"[0-9]{1,4}", number) and re.fullmatch(r"[0-9]{1,12}", until)):
            return None
        if int(number) >= len(self._tokens) or int(until) < time.time():
            return None
        token = self._tokens[int(number)]
        right = hmac.compare_digest(self._signature(token, until).encode(), signature.encode("utf-8", "replace"))
        return token.caller if right else None

    @staticmethod
    def _signature(token: _Token, until: str) -> str:
        signed = hmac.new(token.cookies, f"{token.caller.name} {token.caller.right} {until}".encode(), hashlib.sha256)
        return urlsafe_b64encode(signed.digest()).decode().rstrip("=")


def _tokens(keys: Sequence[Key], right: Right) -> Sequence[_Token]:
    # Of what only the hash is known, cookies end with this process: who has read the hash must not be able to make one.
    return [_Token(key, Caller(key.name, right), key.secret or secrets.token_bytes()) for key in keys]
