"""What the champion would say if a covariate were different: one question at a time, with its data kept at hand."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.problems import BusyAnswerError

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.analysis.opened import OpenForecast
    from mlops_assets.serving.stores import Served
    from mlops_assets.spec import ForecastSpec

WAIT_SECONDS, MOST_SECONDS = 10.0, 60.0
"""A question waits so long for the one before it, and so long for its own answer."""
MOST_KEPT, MOST_ROWS = 2, 5_000_000
"""Forecasts that stay open, and rows of the history of one."""


class WhatIf:
    """Asks champions.

    Args:
        served: the stores.
    """

    def __init__(self, served: "Served") -> None:
        self._served = served
        self._one = threading.Lock()
        self._open: OrderedDict[str, tuple[str, OpenForecast]] = OrderedDict()

    def ask(
        self, spec: "ForecastSpec", changes: Sequence[str], items: Sequence[str]
    ) -> "tuple[pd.DataFrame, dict[str, Any]]":
        """Return a row for each item and timestamp, now and changed, and what is to be said of them.

        Raises:
            BusyAnswerError: others are asking.
            QuestionError: see `analysis.what_if.what_if`; or there is no champion.
        """
        if not self._one.acquire(timeout=WAIT_SECONDS):
            raise BusyAnswerError("another question to a champion is being answered: come again")
        try:
            from mlops_assets.analysis.what_if import ask_opened
            from mlops_assets.forecasting.formatting import plain

            found = ask_opened(self._opened(spec), changes, items)
            rows = found.rows.assign(now=found.rows[found.point])
            said = {"model": found.model, "origin": plain(found.origin), "warnings": list(found.warnings)}
            return rows, said
        finally:
            self._one.release()

    def _opened(self, spec: "ForecastSpec") -> "OpenForecast":
        """Return a forecast that is open, or open it where something has changed since."""
        stamp = f"{id(spec)} {self._served.looks.look(spec.name).of()}"
        kept = self._open.get(spec.name)
        if kept is None or kept[0] != stamp:
            from mlops_assets.analysis.opened import open_stored

            kept = stamp, open_stored(spec, self._served.stores)
            self._open.pop(spec.name, None)
            if len(kept[1].history) <= MOST_ROWS:
                self._open[spec.name] = kept
            while len(self._open) > MOST_KEPT:
                self._open.popitem(last=False)
        return kept[1]
