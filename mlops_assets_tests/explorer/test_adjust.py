"""Adjusting in a real browser, at a real server: log in, look, publish, take back, lock, and see whether it helped."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mlops_assets.adjustments.log import told
from mlops_assets.catalog.names import ADJUSTMENTS
from mlops_assets.environments import stores_of
from mlops_assets.serving.app import build_app
from mlops_assets_tests.explorer.browser import PHONE, Browser
from mlops_assets_tests.reading.stored import StoredForecast, store
from mlops_assets_tests.serving.conftest import running, settings_of

ITEM = '<b>"north"</b>'
TOKENS = {"MLOPS_API_TOKEN": "reading-secret-123", "MLOPS_API_WRITE_TOKEN": "anna:writing-secret-1"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredForecast:
    return store(tmp_path_factory.mktemp("adjusted"), items=[ITEM, "south"], rounds=4)


@pytest.fixture(scope="module")
def served(stored: StoredForecast, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that may write."""
    settings = settings_of(stored, tmp_path_factory.mktemp("data"), **TOKENS)
    app = build_app(settings, replace(stores_of(settings), tables=stored.tables))
    with running(app) as address:
        yield address


def _log(stored: StoredForecast) -> list[tuple[str, str, str]]:
    rows = told(stored.tables.read([stored.spec.name, ADJUSTMENTS]).sort_values("number"))
    return list(zip(rows["action"], rows["made_by"], rows["state"], strict=True))


def _enter(page: Browser, secret: str) -> None:
    page.find("#token").send_keys(secret)
    page.find(".login button").click()


def _press(page: Browser, words: str) -> None:
    script = "return [...document.querySelectorAll('#view button')].find((one) => one.textContent === arguments[0])"
    page.wait(lambda: page.run(script, words)).click()


def test_somebody_adjusts_looks_takes_back_and_locks(chromium: Browser, served: str, stored: StoredForecast) -> None:
    page = chromium
    page.driver.get(f"{served}#/demo/adjust")
    _enter(page, TOKENS["MLOPS_API_TOKEN"])  # whoever may only read is told so when they publish
    page.find("#adjust-reason").send_keys("promotion")
    _press(page, "Show what comes of it")
    assert "a token that may write" in page.text("#view .login")
    _enter(page, "writing-secret-1")
    words = page.wait(lambda: page.find("#view .words").text)
    assert "in all" in words
    assert "published then" in page.text(".legend")
    assert page.findings() == []
    page.prefer("dark")
    assert page.findings() == []
    page.prefer("light")

    _press(page, "Publish")
    page.wait(lambda: "holds" in page.text("#view table"))
    assert "× 1.1" in page.text("#view table")
    assert page.run("return document.querySelectorAll('#view table b').length") == 0
    assert _log(stored) == [("adjust", "anna", "holds")]
    page.complaints()  # answers 401 and 403 are logged by the browser: they were the server's right words

    _press(page, "Withdraw 1")
    page.wait(lambda: "ended by 2" in page.text("#view table"))
    page.find("#adjust-reason").send_keys("ordered")
    _press(page, "Lock the period")
    _press(page, "Unlock 3")
    page.wait(lambda: "ended by 4" in page.text("#view table"))
    assert [action for action, _, _ in _log(stored)] == ["adjust", "withdraw", "lock", "unlock"]
    page.open(f"{served}#/demo/adjust", size=PHONE)
    assert page.run("return document.documentElement.scrollWidth") <= PHONE[0]
    assert page.complaints() == []
    page.leave()
