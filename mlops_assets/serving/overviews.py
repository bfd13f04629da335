"""The state of forecasts: what the report tells, asked again when something has changed, or some time has passed."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.cache import Looks

if TYPE_CHECKING:
    from mlops_assets.report.overview import Overview
    from mlops_assets.report.state import Sources
    from mlops_assets.serving.stores import Served
    from mlops_assets.spec import ForecastSpec

FRESH_SECONDS = 30.0
"""MLflow and Dagster do not say that something has changed: they are asked again after this time."""


@dataclass
class _Kept:
    stamp: str
    at: float
    found: "Overview"
    documents: "dict[str, Any]"


class Overviews:
    """The state of each forecast as it was found last.

    Args:
        served: the stores.
        looks: say whether something has changed.
    """

    def __init__(self, served: "Served", looks: Looks) -> None:
        self._served, self._looks = served, looks
        self._kept: dict[str, _Kept] = {}
        self._asking: dict[str, threading.Lock] = {}

    def document(self, spec: "ForecastSpec", kind: str, tell: "Callable[[Sources, Overview], Any]") -> Any:
        """Return what is told of a forecast.

        Args:
            spec: the forecast.
            kind: of what is told.
            tell: tells it.
        """
        with self._asking.setdefault(spec.name, threading.Lock()):
            stamp = f"{id(spec)} {self._looks.look(spec.name).of()}"
            kept = self._kept.get(spec.name)
            fresh = kept is not None and kept.stamp == stamp and time.monotonic() - kept.at < FRESH_SECONDS
            if kept is not None and fresh and kind in kept.documents:
                return kept.documents[kind]
            sources = self._sources(spec)
            if kept is None or not fresh:
                from mlops_assets.report.state import overview

                kept = _Kept(stamp, time.monotonic(), overview(sources), {})
                self._kept[spec.name] = kept
            kept.documents[kind] = tell(sources, kept.found)
            return kept.documents[kind]

    def _sources(self, spec: "ForecastSpec") -> "Sources":
        from mlops_assets.analysis.status import sources_of

        return sources_of(spec, self._served.stores, self._served.settings)
