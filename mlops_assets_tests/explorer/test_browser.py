"""The explorer in a real browser: what people do there, with keyboard and pointer, wide and narrow, light and dark."""

import csv
import io

import pytest

from mlops_assets.explorer import one_file
from mlops_assets_tests.explorer.answering import server
from mlops_assets_tests.explorer.browser import PHONE
from mlops_assets_tests.explorer.made import ITEMS, documents, table

VIEWS = ("item", "accuracy", "ranking", "change", "whatif", "timeline", "models", "overview", "quality", "all")
LEFT, RIGHT, ENTER, ESCAPE = "\ue012", "\ue014", "\ue007", "\ue00c"


def address(page):
    return page.run("return location.hash")


def test_an_item_is_searched_and_its_origins_are_stepped_through(page, explorer):
    page.open(f"{explorer}#/shop")
    assert "20 % better than repeating the last week" in page.text()
    page.press("/")
    page.press("south")
    page.wait(lambda: page.text(".count") == "1 item found")
    page.press(ENTER)
    page.wait(lambda: "Forecast of south/bread" in page.run("return document.querySelector('figcaption').textContent"))
    assert "Mon 22 Apr 2024 · 12 of 12" in page.text(".stepper")
    page.press(ESCAPE, LEFT, LEFT, LEFT, RIGHT)
    page.wait(lambda: "Sat 20 Apr 2024 · 10 of 12" in page.text(".stepper"))

    sent = page.driver.current_url
    assert "item=south%2Fbread" in sent
    page.open(sent)
    assert "Sat 20 Apr 2024 · 10 of 12" in page.text(".stepper")
    assert page.find("[aria-label='Time that is forecast']")
    assert "earlier forecasts" in page.text(".legend")
    assert "cloud" in page.text(".legend")


def test_every_canvas_has_a_table_beside_it(page, explorer):
    page.open(f"{explorer}#/shop/item?item=north%2Fbread")
    assert page.run("return document.querySelector('.plot').dataset.drawn") == "uplot"
    page.find(".values summary").click()
    assert "Tue 23 Apr 2024" in page.text(".values table")


def test_what_if_asks_the_champion(page, explorer):
    page.open(f"{explorer}#/shop/whatif?item=north%2Fbread")
    page.find(".lever input[type=range]").send_keys(RIGHT * 4)
    said = page.wait(lambda: page.find("#view .words").text)
    assert (
        said == "With price × 1.2, the sum over 14 times from Tue 30 Apr 2024 would rise from 700 to 840, +140 (+20 %)."
    )


def test_what_is_shown_is_downloaded(page, explorer):
    page.open(f"{explorer}#/shop/item?item=south%2Fbread&origin=2024-04-20T00:00:00")
    csv_button, excel_button = page.run("return [...document.querySelectorAll('.downloads button')].slice(0, 2)")
    csv_button.click()
    rows = list(csv.DictReader(io.StringIO(page.saved("shop south_bread.csv").decode())))
    assert {row["origin"] for row in rows} == {"2024-04-20T00:00:00"}
    assert {row["source"] for row in rows} == {"champion", "cloud"}
    excel_button.click()
    assert page.saved("shop south_bread.xlsx") == b"PK"


def test_ids_are_text_wherever_they_stand(page, explorer):
    page.open(f"{explorer}#/shop/ranking")
    for item in ITEMS:
        page.run("[...document.querySelectorAll('.row a')].find((a) => a.title === arguments[0]).click()", item)
        page.wait(lambda item=item: page.run("return document.querySelector('#view h2')?.textContent") == item)
    assert page.run("return document.querySelectorAll('#view img, aside img').length") == 0
    assert page.run("return document.title").startswith("xxx")


def test_links_lead_to_the_web_only(page, explorer):
    page.open(f"{explorer}#/shop/timeline")
    assert page.run("return [...document.querySelectorAll('.events a')].map((a) => a.href)") == [
        "https://mlflow.test/3"
    ]


def test_keys_are_told_and_views_have_numbers(page, explorer):
    page.open(f"{explorer}#/shop/item?item=north%2Fbread")
    page.press("?")
    assert "search items" in page.text("dialog")
    page.press(ESCAPE)
    page.press("2")
    page.wait(lambda: address(page) == "#/shop/accuracy?item=north%2Fbread")
    page.settled()
    page.press("\ue015")
    page.wait(lambda: address(page) == "#/shop/accuracy?item=south%2Fbread")


def test_the_theme_can_be_chosen_and_is_kept(page, explorer):
    page.open(f"{explorer}#/shop", theme="light")
    page.find("[title='Theme: as the system']").click()
    dark = page.run("return getComputedStyle(document.body).backgroundColor")
    page.open(f"{explorer}#/shop", theme="light")
    assert page.run("return getComputedStyle(document.body).backgroundColor") == dark == "rgb(16, 20, 26)"
    page.run("localStorage.clear()")


@pytest.mark.parametrize("where", ["", *(f"#/shop/{view}?item=north%2Fbread" for view in VIEWS)])
def test_nothing_serious_keeps_anybody_out(page, explorer, where):
    page.open(f"{explorer}{where}")
    assert page.findings() == []
    page.prefer("dark")
    assert page.findings() == []


def test_a_telephone_shows_every_view_without_scrolling_sideways(page, explorer):
    for view in VIEWS:
        page.open(f"{explorer}#/shop/{view}?item={'x' * 300}", size=PHONE)
        assert page.run("return document.documentElement.scrollWidth") <= PHONE[0], view
    page.find(".burger").click()
    page.find(".row a").click()
    page.wait(lambda: "item=north%2Fbread" in address(page))


def test_without_the_library_charts_are_svg_and_a_line_says_so(page, tmp_path):
    with server(documents(), tmp_path) as served:
        page.open(f"{served}#/shop/accuracy")
        assert (
            page.run("return [...document.querySelectorAll('.plot')].map((plot) => plot.dataset.drawn)") == ["svg"] * 3
        )
        assert page.run("return document.querySelectorAll('.plot svg path').length") > 3
        assert "make vendor" in page.text("footer")
        assert page.findings() == []
        page.leave()


@pytest.mark.parametrize("charts", ["uplot", "svg"])
def test_one_file_shows_the_same_and_asks_nobody(page, tmp_path, vendor, charts):
    file = tmp_path / "shop.html"
    file.write_text(one_file(documents(), "Sales", vendor if charts == "uplot" else tmp_path), encoding="utf-8")
    for view in VIEWS:
        page.open(f"{file.as_uri()}#/shop/{view}?item=north%2Fbread")
        assert page.run("return performance.getEntriesByType('resource').length") == 0
    page.open(f"{file.as_uri()}#/shop/item?item=north%2Fbread")
    assert page.run("return document.querySelector('.plot').dataset.drawn") == charts
    buttons = page.run("return [...document.querySelectorAll('.downloads button')].map((each) => each.textContent)")
    assert set(buttons) == {"↓ CSV"}
    page.open(f"{file.as_uri()}#/other")
    assert "not in this file" in page.text()


def test_ten_thousand_items_are_listed_where_one_looks(page, vendor):
    held = documents()
    rows = [{"item_id": f"item {number:05}", "level": "item", "volume": 1.0} for number in range(10_000)]
    held["/v1/forecasts/shop/items"] = table(rows)
    with server(held, vendor) as served:
        page.open(f"{served}#/shop/timeline")
        page.wait(lambda: page.text(".count") == "10,000 items")
        page.run("document.querySelector('.list').scrollTop = 5000 * 46")
        page.wait(lambda: "item 05002" in page.text(".rows"))
        assert page.run("return document.querySelectorAll('.row').length") < 60
        page.leave()
