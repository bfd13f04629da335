"""What a server asks: one set of stores that only read, kept open, and the specs as they are now."""

import importlib
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from mlops_assets.errors import MlopsAssetsError, UnknownNameError
from mlops_assets.serving.cache import Frames, Looks
from mlops_assets.serving.latest import Latest
from mlops_assets.serving.overviews import Overviews
from mlops_assets.serving.problems import BusyAnswerError
from mlops_assets.serving.tokens import Tokens
from mlops_assets.serving.what_if import WhatIf
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlops_assets.environments import Stores
    from mlops_assets.reading.reader import Reader
    from mlops_assets.spec import Declared, ForecastSpec

_T = TypeVar("_T")
AT_ONCE = 8
"""Questions that are worked on at the same time."""
WAITING = 200
"""Questions that wait; more are told to come again."""
_WARMED = 3
"""Forecasts whose state is asked for before anybody does."""
_NEEDED = ("mlops_assets.analysis.status", "mlops_assets.adjustments.adjuster", "mlops_assets.report.documents")
"""Modules that import all others, those of one rare question aside."""
LOOK_SECONDS = 1.0
"""The folder of forecasts is looked at so often."""


class Served:
    """What the routes of a server share.

    Args:
        settings: of the environment.
        stores: to ask instead of the environment's own, which are opened when they are first needed.
    """

    def __init__(self, settings: Settings, stores: "Stores | None" = None) -> None:
        self.settings, self.tokens, self._stores = settings, Tokens(settings), stores
        self._writing = stores
        self._opening, self._looking = threading.Lock(), threading.Lock()
        self._declared: tuple[object, Declared] | None = None
        self.declared_until = 0.0
        self.parameters: dict[str, dict[str, bool]] = {}
        self.looks, self.frames = Looks(lambda: self.stores.tables), Frames()
        self.what_if = WhatIf(self)
        self.latest, self.overviews = Latest(self.looks, self.reader), Overviews(self, self.looks)
        self._limiter: anyio.CapacityLimiter | None = None

    async def work(self, task: Callable[[], _T], leave: bool = False) -> _T:
        """Do what takes long away from the event loop.

        Args:
            task: what is to be done.
            leave: whether it may be left to itself when nobody waits for it any more.

        Raises:
            BusyAnswerError: too much is waiting.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        if self._limiter.statistics().tasks_waiting >= WAITING:
            raise BusyAnswerError("too many questions are waiting for an answer: come again")

        def ready() -> _T:
            self.load()
            return task()

        return await anyio.to_thread.run_sync(ready, abandon_on_cancel=leave, limiter=self._limiter)

    def load(self) -> None:
        """Import what answers are made with, one thread for all.

        Of two threads that import parts of one package at the same time, one may find a module half made: Python lets
        it go on so that they do not wait for each other for ever.
        """
        with self._opening:
            for name in _NEEDED:
                importlib.import_module(name)

    @property
    def stores(self) -> "Stores":
        """The stores, for reading only."""
        with self._opening:
            if self._stores is None:
                from mlops_assets.environments import stores_of

                self._stores = stores_of(self.settings, read_only=True)
            return self._stores

    @property
    def writing(self) -> "Stores":
        """Stores of their own for the few routes that write; opened when one first does."""
        with self._opening:
            if self._writing is None:
                from mlops_assets.environments import stores_of

                self._writing = stores_of(self.settings)
            return self._writing

    def declared(self) -> "Declared":
        """Return the forecasts that are declared now.

        Raises:
            SpecError: there is no folder, or no file in it.
        """
        from mlops_assets.spec import load_specs
        from mlops_assets.spec.folder import files_of

        with self._looking:
            if self._declared is None or time.monotonic() >= self.declared_until:
                found = [_stamp(file) for file in files_of(self.settings.forecasts)]
                if self._declared is None or self._declared[0] != found:
                    self._declared = found, load_specs(self.settings.forecasts)
                self.declared_until = time.monotonic() + LOOK_SECONDS
            return self._declared[1]

    def spec(self, name: str) -> "ForecastSpec":
        """Return the spec of a forecast.

        Raises:
            UnknownNameError: there is none of that name.
            SpecError: it cannot be used.
        """
        declared = self.declared()
        for spec in declared.specs:
            if spec.name == name:
                return spec
        for broken in declared.broken:
            if broken.name == name:
                raise broken.error
        raise UnknownNameError.of("forecast", name, sorted(declared.names))

    def reader(self, name: str) -> "Reader":
        """Return what answers questions to a forecast, as everything is stored now. Raises as `spec` does."""
        from mlops_assets.reading.reader import Reader
        from mlops_assets.resources.snapshot import snapshot

        spec, stores = self.spec(name), self.stores
        return Reader(spec, snapshot(stores.tables), stores.clock, stores.tracking, stores.jobs)

    def away(self) -> dict[str, str]:
        """Return what does not answer now, with its reason.

        Each store is asked for something small, that costs the same however much it holds.
        """
        asked: dict[str, Callable[[], object]] = {"forecasts": self.declared}
        asked["tables"] = lambda: self.stores.tables.exists(["_", "_"])
        asked["mlflow"] = lambda: self.stores.tracking.exists()  # noqa: PLW0108 (opening them may fail)
        found = {}
        for what, question in asked.items():
            try:
                question()
            except MlopsAssetsError as error:
                found[what] = error.message
        return found


def _stamp(file: Path) -> tuple[str, int, int] | None:
    """Return what changes with a file; None: it has been removed since its folder was listed."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return file.name, found.st_mtime_ns, found.st_size


def warm(served: Served) -> None:
    """Open the stores in a thread of its own, and ask what the page begins with: it need not wait for the imports."""
    threading.Thread(target=partial(_quietly, served), name="opening the stores", daemon=True).start()


def _quietly(served: Served) -> None:
    try:
        served.load()
        from mlops_assets.report import documents

        for spec in served.declared().specs[:_WARMED]:
            served.overviews.document(spec, "state", documents.state)
    except Exception:  # whoever asks next is told
        return
