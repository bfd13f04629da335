"""Rows of a web service: page after page to the end, and what is wrong with a page is said."""

import gzip
from typing import Any

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_PROBLEM, ROW_SOURCE
from mlops_assets.sources.base import SourceError, SourceUnavailableError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.sources.reading import NOW
from mlops_assets_tests.sources.web_service import (
    COLUMNS,
    PLANTED,
    ROWS,
    SIZE,
    WINDOW,
    Asked,
    answer_of,
    by_offset,
    expected,
    moved,
)
from mlops_assets_tests.worlds import declare


def by_page(asked: Asked) -> dict[str, Any]:
    at = (int(asked.query.get("page", 1)) - 1) * SIZE
    return {"data": {"items": ROWS[at : at + SIZE]}, "meta": {"total": len(ROWS)}}


def by_link(asked: Asked) -> Any:
    at = int(asked.query.get("from", 0))
    link = {"Link": f'<?from={at + SIZE}>; rel="next", </v1/sales>; rel="first"'} if at + SIZE < len(ROWS) else {}
    return 200, link, {"data": {"items": ROWS[at : at + SIZE]}}


def by_json_link(asked: Asked) -> Any:
    at = int(asked.query.get("from", 0))
    following = f"/v1/sales?from={at + SIZE}" if at + SIZE < len(ROWS) else None
    return {"data": {"items": ROWS[at : at + SIZE]}, "links": {"next": following}}


KINDS: dict[str, tuple[Any, dict[str, Any], int]] = {
    "number": (by_page, {"kind": "page"}, 6),
    "number to the total": (by_page, {"kind": "page", "total": "meta.total"}, 5),
    "offset": (by_offset, {"kind": "offset"}, 6),
    "offset to the total": (by_offset, {"kind": "offset", "parameter": "offset", "total": "meta.total"}, 5),
    "link header": (by_link, {"kind": "link"}, 5),
    "link in the JSON": (by_json_link, {"kind": "link", "path": "links.next"}, 5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_pages_of_every_kind_are_read_to_the_end(service, read, kind):
    service.answer, pages, requests = KINDS[kind]
    found = read(records="data.items", pages=pages)
    pd.testing.assert_frame_equal(found[COLUMNS], expected())
    assert len(service.asked) == requests
    assert found[ROW_PROBLEM].isna().all()
    assert found[ROW_SOURCE].iloc[SIZE] == f"page 2 of {service.url}"
    assert found[ROW_NUMBER].iloc[SIZE] == 1


def test_a_cursor_is_followed_over_an_empty_page(service, read):
    def answer(asked: Asked) -> Any:
        at = asked.query.get("after", "0")
        if at == "gap":
            return {"items": [], "next": "80"}
        end = int(at) + SIZE
        following = "gap" if end == 80 else str(end) if end < len(ROWS) else ""
        return {"items": ROWS[int(at) : end], "next": following}

    service.answer = answer
    found = read(records="items", pages={"kind": "cursor", "parameter": "after", "path": "next"})
    pd.testing.assert_frame_equal(found[COLUMNS], expected())
    assert [asked.query.get("after") for asked in service.asked] == [None, "40", "gap", "80", "120", "160"]


def csv_text(rows: list[dict[str, Any]]) -> bytes:
    return pd.DataFrame(rows, columns=COLUMNS).to_csv(index=False, sep=";").encode()


def test_csv_is_read_page_by_page_as_text(service, read):
    def answer(asked: Asked) -> Any:
        rows = ROWS[(int(asked.query["p"])) * 100 :][:100]
        body = gzip.compress(csv_text(rows))
        headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Encoding": "gzip", "X-Total-Count": "184"}
        return 200, headers, body

    service.answer = answer
    pages = {"kind": "page", "parameter": "p", "start": 0, "total": "X-Total-Count"}
    found = read(format="csv", delimiter=";", pages=pages)
    assert found["sales"].tolist() == [str(row["sales"]) for row in ROWS]
    assert len(service.asked) == 2


def test_one_answer_without_pages_a_list_of_rows_with_oddities(service, read):
    service.answer = lambda _: [ROWS[0], 7, {"shop": "x", "day": "2024-03-01", "sales": None}, {"shop": "\ud800"}]
    found = read()
    assert found[ROW_PROBLEM].tolist() == [None, "the row is not a JSON object", None, "the row is not UTF-8 text"]
    assert found["shop"].tolist()[1] == "7"
    assert found["rain"].tolist()[2] is None
    assert found[ROW_NUMBER].tolist() == [1, 2, 3, 4]
    service.answer = lambda _: []
    assert read().empty


def test_the_window_goes_into_the_query_and_secrets_into_headers(service, tmp_path, monkeypatch):
    monkeypatch.setenv("SALES_TOKEN", PLANTED)
    monkeypatch.setenv("SALES_HOST", service.host)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    service.answer = lambda _: ROWS[:3]
    source = {
        "kind": "http",
        "url": "http://${SALES_HOST}/v1/sales",
        "query": {"since": ":window_start", "filter": "day lt ':window_end'", "last": ":window_last", "limit": 500},
        "headers": {"Authorization": "Bearer ${SALES_TOKEN}", "Accept-Language": "en"},
    }
    spec = declare(tmp_path, source=source, time_zone="Europe/Berlin")
    read_all(open_source(spec), COLUMNS, "day", WINDOW)
    asked = service.asked[-1]
    assert asked.query == {
        "since": "2024-03-01T00:00:00+01:00",
        "filter": "day lt '2024-06-01T00:00:00+02:00'",
        "last": "2024-05-31T23:59:59.999999+02:00",
        "limit": "500",
    }
    assert asked.headers["Authorization"] == f"Bearer {PLANTED}"
    assert asked.headers["Accept-Language"] == "en"
    spec = declare(tmp_path, source={**source, "time_format": "%Y%m%d"})
    assert open_source(spec).probe(COLUMNS, "day", NOW) == service.url + " answers"
    assert service.asked[-1].query["since"] == "20240430"
    service.answer = lambda _: []
    assert "without rows for 2024-04-30" in open_source(spec).probe(COLUMNS, "day", NOW)


def test_lists_that_are_columns_are_read_as_rows(service, read):
    columns = {name: [row[name] for row in ROWS] for name in COLUMNS}
    service.answer = lambda _: {"latitude": 52.5, "daily_units": {"rain": "mm"}, "daily": columns}
    pd.testing.assert_frame_equal(read(records="daily")[COLUMNS], expected())
    service.answer = lambda _: {"daily": {**columns, "rain": []}}
    with pytest.raises(SourceError, match=r"different lengths \(shop 184, day 184, sales 184, rain 0\)"):
        read(records="daily")


FIRST, REST = {"offset": "0"}, {"kind": "offset"}
LATER: dict[str, tuple[Any, dict[str, Any], str]] = {
    "down": (answer_of(503), {}, "{url}: the service answers 503 Service Unavailable, 5 times"),
    "come back tomorrow": (
        answer_of(429, Retry_After="86400"),
        {},
        "429 Too Many Requests, and asks for 21600 s until the next try",
    ),
    "fewer rows than promised": (
        lambda asked: {"data": {"items": by_offset(asked)["data"]["items"][:30]}, "meta": {"total": 999}},
        {"records": "data.items", "pages": {**REST, "total": "meta.total"}},
        "page 8, the last, ends after 184 rows; 999 are promised",
    ),
}
WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no key": (answer_of(401), {}, "{url}: the service answers 401 Unauthorized; see source.headers"),
    "not there": (answer_of(404), {}, "{url}: the service answers 404 Not Found; see source.url"),
    "nothing": (answer_of(204), {}, "{url}: the service answers 204 No Content"),
    "another host": (moved, {}, "{url}: leads to http://localhost:{port}, which is not asked"),
    "round in circles": (answer_of(307, Location="/v1/sales"), {}, "redirected 6 times"),
    "next link elsewhere": (
        lambda _: (200, {"Link": '<http://169.254.169.254/latest>; rel="next"'}, ROWS),
        {"pages": {"kind": "link"}},
        "page 1 of {url}: leads to http://169.254.169.254, which is not asked",
    ),
    "file": (
        lambda _: {"items": ROWS, "next": "file:///etc/passwd"},
        {"records": "items", "pages": {"kind": "link", "path": "next"}},
        "page 1 of {url}: leads to file://",
    ),
    "repeated": (
        lambda _: (200, {}, ROWS[:9]),
        {"pages": REST},
        "page 2 of {url}: the same as page 1; does the service know the parameter 'offset'?",
    ),
    "cursor repeated": (
        lambda asked: {"items": [{**ROWS[0], "sales": asked.number}], "next": "same"},
        {"records": "items", "pages": {"kind": "cursor", "path": "next"}},
        "page 3 of {url}: it would be page 2 once more",
    ),
    "columns changed": (
        lambda asked: [
            {**row, "sold" if asked.number == 2 else "sales": 1} if asked.number < 3 else row
            for row in [{"shop": "a", "day": "2024-03-01", "rain": asked.number}]
        ],
        {"pages": REST},
        "page 2 of {url}: no column 'sales'; it has: 'shop', 'day', 'rain', 'sold'",
    ),
    "CSV columns changed": (
        lambda asked: (
            200,
            {"Content-Type": "text/csv"},
            (b"shop,day,sales,rain\n" if asked.number == 1 else b"store;day;sales;rain\n") + b"a,2024-03-01,1,1\n",
        ),
        {"format": "csv", "pages": {"kind": "page"}},
        "page 2 of {url}: no column 'shop'",
    ),
    "a page to log in": (
        answer_of(200, b"<html>", Content_Type="text/html; charset=utf-8"),
        {},
        "{url}: it is text/html, not JSON (a page to log in, perhaps?)",
    ),
    "JSON for CSV": (lambda _: ROWS, {"format": "csv"}, "{url}: it is application/json, not CSV"),
    "not JSON": (answer_of(200, b'[{"a": 1,]'), {}, "{url}: not JSON: "),
    "not text": (answer_of(200, b"\xff\xfe\xff"), {}, "{url}: not JSON"),
    "no list": (
        lambda _: {"rows": ROWS, "count": 3},
        {},
        "{url}: no list of rows at the top; it has: rows, count. See source.records",
    ),
    "nothing at the path": (
        lambda _: {"rows": None},
        {"records": "data.items"},
        "{url}: no list of rows at 'data.items'; it has: rows",
    ),
    "no total": (
        lambda _: {"items": ROWS},
        {"records": "items", "pages": {**REST, "total": "meta.total"}},
        "page 1 of {url}: no number of rows at 'meta.total'",
    ),
    "too large": (
        lambda _: (200, {"Content-Type": "application/json"}, iter([b" " * (1 << 20)] * 3)),
        {"max_megabytes": 1},
        "{url}: more than 1 MB (source.max_megabytes)",
    ),
    "small until it is unpacked": (
        answer_of(200, gzip.compress(b" " * (5 << 20)), Content_Encoding="gzip", Content_Type="application/json"),
        {"max_megabytes": 1},
        "{url}: more than 1 MB",
    ),
}


@pytest.mark.parametrize("case", [*LATER, *WRONG])
def test_what_is_wrong_is_an_error_that_names_the_page(service, read, case):
    service.answer, fields, message = {**LATER, **WRONG}[case]
    with pytest.raises(SourceError) as caught:
        read(**fields)
    wanted = message.replace("{url}", service.url).replace("{port}", service.host.rpartition(":")[2])
    assert wanted in str(caught.value)
    assert isinstance(caught.value, SourceUnavailableError) == (case in LATER)
    assert len(service.asked) <= 10
