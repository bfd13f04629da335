"""CSV of a web service: sniffed as files are, and judged whole by what the service promises."""

from collections.abc import Iterator

import pytest

from mlops_assets.forecasting.data.contract import CUT_OFF, ROW_PROBLEM
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.web_service import COLUMNS, WINDOW
from mlops_assets_tests.worlds import declare

TEXT = "shop;day;sales;rain\nKöln;2024-03-01;1;0\n"


def answer(service, body: bytes | Iterator[bytes], content_type: str = "text/csv") -> None:
    service.answer = lambda asked: (200, {"Content-Type": content_type}, body)


def test_delimiter_and_the_charset_of_the_service_are_used_and_said(service, tmp_path):
    answer(service, TEXT.encode("latin-1"), "text/csv; charset=ISO-8859-1")
    reader = open_source(declare(tmp_path, source={"kind": "http", "url": service.url, "format": "csv"}))
    assert read_all(reader, COLUMNS, "day", WINDOW)[COLUMNS].to_numpy().tolist() == [["Köln", "2024-03-01", "1", "0"]]
    assert reader.notes == [f"encoding iso8859-1 in {service.url}", f"delimiter ';' in {service.url}"]


def test_what_is_utf_8_is_read_so_whatever_charset_is_named(service, read):
    answer(service, TEXT.encode(), "text/csv; charset=ISO-8859-1")
    assert read(format="csv")["shop"].tolist() == ["Köln"]


def test_a_declared_encoding_comes_first_and_an_unknown_one_is_told(service, read):
    answer(service, TEXT.encode("cp1250"))
    with pytest.raises(SourceError, match="not UTF-8 text: line 2 has the bytes"):
        read(format="csv")
    assert read(format="csv", encoding="cp1250")["shop"].tolist() == ["Köln"]


@pytest.mark.parametrize("complete", [False, True])
def test_an_answer_without_a_line_end_is_whole_if_its_length_is_promised_or_it_is_declared(service, read, complete):
    body = TEXT.encode().rstrip()
    answer(service, body)
    assert read(format="csv")[ROW_PROBLEM].tolist() == [None]
    answer(service, iter([body]))
    assert read(format="csv", complete=complete)[ROW_PROBLEM].tolist() == [None if complete else CUT_OFF]


def test_a_json_row_with_a_key_twice_is_told(service, read):
    body = b'[{"shop": "a", "day": "2024-03-01", "sales": 1, "sales": 2, "rain": 0}]'
    answer(service, body, "application/json")
    assert read()[ROW_PROBLEM].tolist() == ["the row has the key 'sales' twice"]
