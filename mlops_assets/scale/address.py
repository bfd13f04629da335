"""Where the engine is, as MLOPS_ENGINE says it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import yaml

from mlops_assets.scale.failures import EngineAddressError

LOCAL = "local"
EXAMPLES = "local, local?workers=4, dask://host:8786, dask://local?workers=2&memory=1GiB, spark://host:7077, databricks"
_ADDRESS = re.compile(
    r"(?P<kind>local|dask|spark|sc|databricks)(\+(?P<protocol>\w+))?(://(?P<place>[^?]+))?(\?(?P<query>.*))?"
)
_OPENER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Address:
    """An engine's address, read.

    Attributes:
        text: as it was given.
        kind: local, dask, spark, sc (Spark Connect) or databricks.
        place: after `://`, such as `host:8786`; empty if there is nothing.
        protocol: after a `+`, such as `tls`; empty for the usual one.
        options: after the `?`, as numbers, booleans and texts.
    """

    text: str
    kind: str
    place: str
    protocol: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, text: str) -> "Address":
        """Read an address.

        Raises:
            EngineAddressError: it is none.
        """
        found = _ADDRESS.fullmatch(text.strip())
        bare = found is not None and found["kind"] in (LOCAL, "databricks")
        if found is None or bare != (found["place"] is None):
            raise EngineAddressError(f"MLOPS_ENGINE: found {text!r}; it takes an address such as {EXAMPLES}")
        options = {name: _plain(value) for name, value in parse_qsl(found["query"] or "", keep_blank_values=True)}
        address = cls(text.strip(), found["kind"], found["place"] or "", found["protocol"] or "", options)
        if address.kind == LOCAL:
            address.only(workers=int)
        elif address.place == LOCAL and address.kind == "dask":
            address.only(workers=int, memory=str)
        return address

    @property
    def opener(self) -> str:
        """The import path, `module:name`, of what opens a cluster; empty if the place is none."""
        return self.place if _OPENER.fullmatch(self.place) else ""

    def only(self, **known: type) -> dict[str, Any]:
        """Return the options, which must be among those that are known, and of their type.

        Raises:
            EngineAddressError: one is not.
        """
        for name, value in self.options.items():
            if name not in known:
                raise EngineAddressError(f"MLOPS_ENGINE={self.text}: no option {name!r}; there are: {', '.join(known)}")
            if type(value) is not known[name] or (known[name] is int and value < 1):
                takes = "a number from 1 on" if known[name] is int else "a size such as 1GiB"
                raise EngineAddressError(f"MLOPS_ENGINE={self.text}: {name} takes {takes}, found {value!r}")
        return dict(self.options)


def _plain(text: str) -> Any:
    """Read a number, a truth value or a text."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text
