from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.sources import http_client
from mlops_assets.sources.base import read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.web_service import COLUMNS, WINDOW, Service
from mlops_assets_tests.worlds import declare


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(text: str | bytes, name: str = "sales.csv") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return file

    return write


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(http_client, "BACK_OFF_SECONDS", 0.01)
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def read(service: Service, tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Read the service by a spec whose source has these fields."""

    def run(**fields: Any) -> pd.DataFrame:
        spec = declare(tmp_path, source={"kind": "http", "url": service.url, **fields})
        return read_all(open_source(spec), COLUMNS, "day", WINDOW)

    return run
