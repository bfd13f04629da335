"""The page of a journal, as a file and in a real browser."""

import pytest

from mlops_assets.simulation import story
from mlops_assets_tests.explorer.browser import PHONE, WIDE
from mlops_assets_tests.explorer.held import held
from mlops_assets_tests.simulation.made import journal


def test_the_page_holds_the_journal_and_says_of_which_seed_and_commit() -> None:
    told = journal(30)
    page = story.page(told)
    assert held(page) == {"/journal": told.to_json()}
    assert "<title>simulated: 30 days, seed 7</title>" in page


def test_days_are_stepped_through_and_told_in_words(page, tmp_path) -> None:
    from selenium.webdriver.common.keys import Keys

    file = tmp_path / "year.html"
    file.write_text(story.page(journal()), encoding="utf-8")
    page.open(f"{file.as_uri()}#2024-02-29")
    assert "seed 7 · 120 days · fast mode · release 0.2.0 · commit abc1234" in page.text("main section")
    assert "auditor found nothing wrong" in page.text("main section")
    assert "never retrained they would have been 33.3% worse over 20 origins" in page.text("main section")
    page.press("n")
    assert page.text(".today h2").startswith("Fri 1 Mar 2024")
    assert "Version 3 promoted – wql 0.081 is below" in page.text(".today")
    page.press(Keys.ARROW_LEFT)
    assert page.text(".steps .date") == "Thu 29 Feb 2024"
    page.run("const it = document.querySelector('.steps input'); it.value = 32; it.dispatchEvent(new Event('input'))")
    assert "Nothing came." in page.text(".today")
    assert "late partition – 2024-02-02 is late" in page.text(".today")
    assert page.run("return document.querySelectorAll('.lanes .span').length") == 3
    assert page.run("return performance.getEntriesByType('resource').length") == 0


@pytest.mark.parametrize(("size", "theme"), [(WIDE, "dark"), (PHONE, "light")])
def test_the_page_fits_and_is_accessible(page, tmp_path, size, theme) -> None:
    file = tmp_path / "year.html"
    file.write_text(story.page(journal()), encoding="utf-8")
    page.open(file.as_uri(), size, theme)
    assert page.run("return document.documentElement.scrollWidth <= innerWidth")
    assert page.findings() == []
