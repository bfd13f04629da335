"""A stored forecast for all who read."""

from pathlib import Path

import pytest

from mlops_assets_tests.reading.stored import StoredForecast, store


@pytest.fixture(scope="session")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredForecast:
    """Twelve rounds of three shops, shared by tests that change nothing."""
    return store(Path(tmp_path_factory.mktemp("stored")))
