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
MASTERS = re.compile(r"[\w.-]+:\d+(,[\w.-]+:\d+)*")
"""One master of Spark's own, or several of which one leads."""
_SCHEDULER = re.compile(r".+:\d+")
_MANAGERS = re.compile(r"yarn|local.*|k8s://.+")
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
        else:
            address.require_port()
        return address

    @property
    def opener(self) -> str:
        """The import path, `module:name`, of what opens a cluster; empty if the place is none."""
        return self.place if _OPENER.fullmatch(self.place) else ""

    def require_port(self) -> None:
        """Refuse a scheduler of Dask, or a master of Spark's own, without a port: their libraries say it badly.

        Raises:
            EngineAddressError: there is none.
        """
        if self.opener or self.kind not in ("dask", "spark"):
            return
        if self.kind == "dask" and not _SCHEDULER.fullmatch(self.place):
            raise EngineAddressError(
                f"MLOPS_ENGINE={self.text}: a scheduler of Dask has a port, such as dask://host:8786"
            )
        if self.kind == "spark" and not (MASTERS.fullmatch(self.place) or _MANAGERS.fullmatch(self.place)):
            raise EngineAddressError(
                f"MLOPS_ENGINE={self.text}: a master of Spark has a port, such as spark://host:7077; the others are "
                "spark://yarn, spark://k8s://host:443 and spark://local-cluster[2,1,1024]"
            )

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
