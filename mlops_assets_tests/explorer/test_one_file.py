"""The page as one file: everything inside, nothing that can break out of it."""

import re

import pytest

from mlops_assets.explorer import index, key_of, one_file, questions, static_files
from mlops_assets.explorer.modules import joined, needed
from mlops_assets_tests.explorer.held import held

HOSTILE = "</script><script>alert(1)</script><!-- ' \" \u2028 \U0001f600"


def test_documents_are_what_was_given_and_end_no_element():
    documents = {key_of("/v1/forecasts/a", {"item": HOSTILE}): {"columns": {"item_id": [HOSTILE]}}}
    page = one_file(documents, HOSTILE)
    assert held(page) == documents
    assert "alert(1)</script>" not in page


def test_what_is_made_small_is_the_same_again():
    columns = {
        "item_id": ["a", "a", "b"],
        "origin": ["2024-05-01T00:00:00", None, "2024-05-01T00:00:00"],
        "mean": [1.0, None, 2.5],
        "lead": [1, 2, 1],
        "version": [3, 3, 3],
        "adjustment": [None, None, None],
        "late": [True, False, True],
        "one": [1, True, 1],
        "of": [["x"], ["x"], ["x"]],
    }
    documents = {"/a": {"columns": columns, "total": 3}, "/b": {"columns": {"x": []}}, "/state": {"name": "a"}}
    assert held(one_file(documents, "demo")) == documents


def test_nothing_in_it_refers_to_another_file(tmp_path):
    page = one_file({}, "demo", vendor=tmp_path)
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "default-src 'none'" in page


def test_the_charting_library_is_inside_with_its_licence(tmp_path):
    for name, text in {"uPlot.iife.min.js": "var uPlot", "uPlot.min.css": ".u {}", "LICENSE": "As it is."}.items():
        (tmp_path / name).write_text(text)
    page = one_file({}, "demo", vendor=tmp_path)
    assert "/*\nAs it is.*/\nvar uPlot" in page
    assert "<style>.u {}</style>" in page
    assert "uPlot.iife.min.js" in index(tmp_path)
    assert "uPlot.iife.min.js" in static_files(tmp_path)


def test_the_served_page_has_no_code_or_style_of_its_own(tmp_path):
    page = index(tmp_path)
    assert re.findall(r"<script(?![^>]*src=)|<style|style=|\son\w+=", page) == []
    named = set(re.findall(r'(?:src|href)="static/([^"?]*)\?v=\w+"', page))
    assert named == static_files(tmp_path).keys()


@pytest.mark.parametrize(
    ("params", "key"),
    [
        ({}, "/v1/x"),
        ({"item": None, "search": ""}, "/v1/x"),
        ({"role": "shadow", "item": "JFK/B6"}, "/v1/x?item=JFK%2FB6&role=shadow"),
        ({"item": ["b", "a"]}, "/v1/x?item=a&item=b"),
        ({"item": "\U0001f600 'q' \"d\" +&="}, "/v1/x?item=%F0%9F%98%80%20'q'%20%22d%22%20%2B%26%3D"),
        ({"late": True, "limit": 3}, "/v1/x?late=true&limit=3"),
    ],
)
def test_a_key_is_the_path_and_its_sorted_query(params, key):
    assert key_of("/v1/x", params) == key


def test_a_file_is_asked_for_some_items_or_all():
    assert ("/v1/forecasts/a", {"item": "x", "origin": "all", "role": "shadow"}) in questions("a", ["x"])
    assert ("/v1/forecasts/a/observations", {}) in questions("a")


def test_modules_are_joined_after_those_that_they_import():
    one = 'import { two } from "./b.js";\n\nexport const one = two();\n'
    script = joined({"a.js": one, "b.js": "export function two() {}\n"})
    assert script.index('modules["b.js"] =') < script.index('modules["a.js"] =')
    assert 'const { two } = modules["b.js"];' in script
    assert "return { one };" in script


@pytest.mark.parametrize(
    "text",
    [
        'import { b } from "./a.js";\n',
        'import { b } from "./missing.js";\n',
        'import b from "./b.js";\n',
        "export default 1;\n",
        'export * from "./b.js";\n',
    ],
)
def test_other_forms_of_modules_are_refused(text):
    with pytest.raises(ValueError, match=r"a\.js|missing\.js"):
        joined({"a.js": text, "b.js": ""})


def test_only_modules_that_an_entry_needs_are_taken():
    modules = {
        "a.js": 'import { b } from "./b.js";\n',
        "b.js": 'import { c } from "./c.js";\nexport const b = c;\n',
        "c.js": "export const c = 1;\n",
        "d.js": 'import { a } from "./a.js";\n',
    }
    assert sorted(needed("a.js", modules)) == ["a.js", "b.js", "c.js"]
