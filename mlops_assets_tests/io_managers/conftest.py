"""Every place that tables and models can live in, as fixtures; servers start when the first test asks."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.io_managers import (
    MemoryModels,
    MemoryTables,
    Models,
    ObjectModels,
    ObjectTables,
    SqlTables,
    Tables,
)
from mlops_assets_tests.io_managers import servers

CEPH = ["ceph"] if os.environ.get("MLOPS_TEST_CEPH") else []
TABLE_PLACES = ["memory", "files", "object_memory", "s3", "azure", "sqlite", "duckdb", "postgres", "mariadb", *CEPH]
MODEL_PLACES = ["memory", "files", "object_memory", "s3", "azure", *CEPH]
SLOW_PLACES = {"s3", "azure", "duckdb", "mariadb", "ceph"}
"""Where an operation takes tens of milliseconds, so properties are tried on fewer examples."""


@dataclass
class Places:
    """Opens managers; a server starts at the first use and stops at the end of the session."""

    folder: Path
    stack: ExitStack
    started: dict[str, Any] = field(default_factory=dict)

    def address(self, place: str) -> Any:
        """Return what a place is reached by: a folder or URL, for object storage with options."""
        if place not in self.started:
            self.started[place] = self._start(place)
        return self.started[place]

    def _start(self, place: str) -> Any:
        folder = self.folder / place
        folder.mkdir()
        starters: dict[str, Callable[[Path], Any]] = {
            "postgres": servers.postgres, "s3": servers.s3, "azure": servers.azure, "mariadb": servers.mariadb,
            "ceph": servers.ceph,
        }  # fmt: skip
        if place in starters:
            return self.stack.enter_context(starters[place](folder))
        plain = {
            "files": (str(folder), {}),
            "object_memory": (f"memory://{folder.name}", {}),
            "sqlite": f"sqlite:///{folder}/tables.db",
            "duckdb": f"duckdb:///{folder}/tables.duckdb",
        }
        return plain[place]

    def tables(self, place: str) -> Tables:
        """Open a manager of tables."""
        if place == "memory":
            return MemoryTables()
        address = self.address(place)
        return ObjectTables(*address) if isinstance(address, tuple) else SqlTables(address)

    def models(self, place: str) -> Models:
        """Open a manager of models."""
        return MemoryModels() if place == "memory" else ObjectModels(*self.address(place))


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(tmp_path_factory.mktemp("places"), stack)


@pytest.fixture(scope="session", params=TABLE_PLACES)
def place(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def tables(place: str, places: Places) -> Tables:
    return places.tables(place)


@pytest.fixture(scope="session", params=MODEL_PLACES)
def models(request: pytest.FixtureRequest, places: Places) -> Models:
    return places.models(request.param)


@pytest.fixture
def key() -> list[str]:
    return [servers.fresh_name(), "table"]
