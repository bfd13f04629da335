"""One browser for all tests of a worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.explorer import VENDOR
from mlops_assets.explorer.files import has_charts
from mlops_assets_tests.explorer.answering import server
from mlops_assets_tests.explorer.browser import Browser, browser
from mlops_assets_tests.explorer.made import documents
from mlops_assets_tests.io_managers.servers import absent


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser) -> Iterator[Browser]:
    """The browser; a test with it fails where the page complains."""
    chromium.complaints()
    yield chromium
    assert chromium.complaints() == []


@pytest.fixture(scope="session")
def vendor() -> Path:
    if not has_charts():
        absent("uPlot", "make vendor")
    return VENDOR


@pytest.fixture(scope="session")
def explorer(vendor: Path) -> Iterator[str]:
    """The address of the explorer, over made answers."""
    with server(documents(), vendor) as address:
        yield address
