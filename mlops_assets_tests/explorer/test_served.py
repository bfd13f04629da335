"""The explorer as `mlops-assets serve` gives it out, over a store of items whose names are anything."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.environments import stores_of
from mlops_assets.serving.app import build_app
from mlops_assets_tests.explorer.browser import PHONE
from mlops_assets_tests.reading.stored import store
from mlops_assets_tests.serving.conftest import ODD, running, settings_of

VIEWS = ("item", "accuracy", "ranking", "change", "whatif", "timeline", "models", "overview", "quality", "all")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server of twelve rounds."""
    folder: Path = tmp_path_factory.mktemp("served")
    stored = store(folder, items=ODD)
    settings = settings_of(stored, folder)
    app = build_app(settings, replace(stores_of(settings), tables=stored.tables))
    with running(app) as address:
        yield address


def test_every_view_shows_what_is_stored(page, served):
    for view in VIEWS:
        page.open(f"{served}#/demo/{view}", size=PHONE)
        assert page.run("return document.querySelectorAll('#view > *').length"), view
        assert page.run("return [...document.querySelectorAll('[role=alert]')].map((each) => each.textContent)") == []
        assert page.run("return document.documentElement.scrollWidth") <= PHONE[0], view
    page.leave()


def test_items_of_any_name_are_found_looked_at_and_downloaded(page, served):
    page.open(f"{served}#/demo")
    page.wait(lambda: page.text(".count") == f"{len(ODD)} items")
    for item in ODD:
        page.run("[...document.querySelectorAll('.row a')].find((a) => a.title === arguments[0]).click()", item)
        page.wait(lambda item=item: page.run("return document.querySelector('#view h2')?.textContent") == item)
        page.settled()
        assert page.run("return document.querySelectorAll('.plot').length") == 2
    page.open(f"{served}#/demo/ranking")
    page.run("[...document.querySelectorAll('.downloads button')].at(-1).click()")
    assert page.saved("demo items.xlsx").startswith(b"PK")
    page.leave()
