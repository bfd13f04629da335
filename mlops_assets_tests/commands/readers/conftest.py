"""A stored forecast for commands that read."""

from pathlib import Path

import pytest

from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets_tests.reading.stored import StoredForecast, store


@pytest.fixture
def stored_files(tmp_path: Path, call: object) -> StoredForecast:
    """A few rounds in the files of the sandbox."""
    return store(tmp_path, ObjectTables(base=str(tmp_path / "data" / "tables")), items=2, rounds=4)
