"""What the headers of a request say of the page that made a browser send it: which host it asks, and from where."""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s\[\]/?#@:\\]+))(?::[0-9]{0,5})?")
_SAME, _NO_PAGE = "same-origin", "none"
"""What `Sec-Fetch-Site` says of our own pages, and of what a person has typed or a bookmark holds."""

Headers = Iterable[tuple[bytes, bytes]]


def values(headers: Headers, name: bytes) -> list[str]:
    """Return all values of a header: one that is sent twice is read by some as the first, by others as the last."""
    return [value.decode("latin-1") for one, value in headers if one == name]


def asked(headers: Headers) -> Sequence[str]:
    """Return the names that a request asks for (its headers `Host`, without ports), an empty one for what is none."""
    found = [_HOST.fullmatch(host) for host in values(headers, b"host")]
    return [(one[1] or one[2]).lower() if one else "" for one in found] or [""]


def from_elsewhere(headers: Headers) -> bool:
    """Whether another page than the server's own makes a browser send this.

    A browser says itself whether a page is of the same origin (`Sec-Fetch-Site`), where it trusts the address (https,
    and this machine). Elsewhere `Origin` has to name host and port of `Host`; beside a `same-origin` the name does, for
    a proxy may have left the port out of `Host`.
    """
    headers = list(headers)
    sites, hosts = values(headers, b"sec-fetch-site"), values(headers, b"host") or [""]
    if any(site not in (_SAME, _NO_PAGE) for site in sites):
        return True
    return any(not _is(host, origin, _SAME in sites) for origin in values(headers, b"origin") for host in hosts)


def _is(host: str, origin: str, whatever_port: bool) -> bool:
    """Whether an origin is of a host."""
    try:
        page, server = urlsplit(origin.lower()), urlsplit(f"//{host.lower()}")
    except ValueError:
        return False
    return bool(page.hostname) and page.hostname == server.hostname and (whatever_port or page.netloc == server.netloc)
