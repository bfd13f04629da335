"""Rows of a web service: a real server on this machine that pages, stumbles, dribbles, lies and leads astray."""

import gzip
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest
import yaml

from mlops_assets.forecasting.data.contract import PROBLEM, ROW, SOURCE, Window
from mlops_assets.sources import http as http_source
from mlops_assets.sources.formats import SourceError, SourceUnavailableError, open_source, read_all
from mlops_assets.spec import SpecError, load_spec
from mlops_assets_tests.conftest import SPEC, declare, panel

COLUMNS = ["shop", "day", "sales", "rain"]
WINDOW = Window(pd.Timestamp("2024-03-01"), pd.Timestamp("2024-06-01"))
PLANTED = "hunter2planted"
ROWS: list[dict[str, Any]] = json.loads(panel(items=2).to_json(orient="records", date_format="iso"))
SIZE = 40


class Asked(NamedTuple):
    """One request: number (from 1), path, query, headers."""

    number: int
    path: str
    query: dict[str, str]
    headers: Any


class Service:
    """A server whose answers are a function of the request, and that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answer: Callable[[Asked], Any] = lambda asked: []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = Asked(len(service.asked) + 1, parts.path, dict(parse_qsl(parts.query)), self.headers)
                service.asked.append(asked)
                answer = service.answer(asked)
                status, headers, body = answer if isinstance(answer, tuple) else (200, {}, answer)
                if not isinstance(body, bytes | Iterator):
                    body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
                self.send_response(status)
                if isinstance(body, bytes):
                    headers = {"Content-Length": str(len(body)), **headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    for piece in [body] if isinstance(body, bytes) else body:
                        self.wfile.write(piece)
                except OSError:
                    pass  # the reader has heard enough

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}/v1/sales"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(http_source, "BACK_OFF_SECONDS", 0.01)
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


def by_offset(asked: Asked, rows: list[dict[str, Any]] = ROWS, size: int = SIZE) -> dict[str, Any]:
    at = int(asked.query.get("offset", 0))
    return {"data": {"items": rows[at : at + size]}, "meta": {"total": len(rows)}}


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


def expected() -> pd.DataFrame:
    return pd.DataFrame(ROWS, dtype=object)[COLUMNS]


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
    assert found[PROBLEM].isna().all()
    assert found[SOURCE].iloc[SIZE] == f"page 2 of {service.url}"
    assert found[ROW].iloc[SIZE] == 1


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
    assert found[PROBLEM].tolist() == [None, "the row is not a JSON object", None, "the row is not UTF-8 text"]
    assert found["shop"].tolist()[1] == "7"
    assert found["rain"].tolist()[2] is None
    assert found[ROW].tolist() == [1, 2, 3, 4]
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
        "query": {"since": ":window_start", "filter": "day lt ':window_end'", "limit": 500},
        "headers": {"Authorization": "Bearer ${SALES_TOKEN}", "Accept-Language": "en"},
    }
    spec = declare(tmp_path, source=source, time_zone="Europe/Berlin")
    read_all(open_source(spec), COLUMNS, "day", WINDOW)
    asked = service.asked[-1]
    assert asked.query == {
        "since": "2024-03-01T00:00:00+01:00",
        "filter": "day lt '2024-06-01T00:00:00+02:00'",
        "limit": "500",
    }
    assert asked.headers["Authorization"] == f"Bearer {PLANTED}"
    assert asked.headers["Accept-Language"] == "en"
    spec = declare(tmp_path, source={**source, "time_format": "%Y%m%d"})
    assert open_source(spec).probe(COLUMNS, "day") == service.url + " answers"
    today = pd.Timestamp.now("UTC")
    assert service.asked[-1].query["since"] in {f"{today - pd.Timedelta(days=n):%Y%m%d}" for n in (1, 2)}
    service.answer = lambda _: []
    assert "without rows for yesterday" in open_source(spec).probe(COLUMNS, "day")


def test_a_service_that_stumbles_is_asked_again(service, read):
    def answer(asked: Asked) -> Any:
        trouble = {
            1: (429, {"Retry-After": "0"}, {"error": "slow down"}),
            2: (500, {}, {}),
            3: (200, {"Content-Type": "application/json", "Content-Length": "100"}, b'[{"shop": '),
            4: (302, {"Location": "/v2/sales"}, b""),
        }
        return trouble.get(asked.number) or ROWS

    service.answer = answer
    pd.testing.assert_frame_equal(read()[COLUMNS], expected())
    assert [asked.path for asked in service.asked] == ["/v1/sales"] * 4 + ["/v2/sales"]


def test_retry_after_is_waited_for(service, read):
    service.answer = lambda asked: ROWS if asked.number > 1 else (503, {"Retry-After": "1"}, {})
    start = time.monotonic()
    assert len(read()) == len(ROWS)
    assert time.monotonic() - start >= 1


def answer_of(status: int = 200, body: Any = b"", **headers: str) -> Any:
    return lambda _: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def moved(asked: Asked) -> Any:
    return 302, {"Location": f"http://localhost:{asked.headers['Host'].rpartition(':')[2]}/else"}, b""


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
            (b"shop,day,sales,rain\n" if asked.number == 1 else b"shop;day;sales;rain\n") + b"a,2024-03-01,1,1\n",
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


def test_a_host_that_is_named_may_be_led_to(service, read):
    port = service.host.rpartition(":")[2]
    service.answer = lambda asked: ROWS if asked.path == "/else" else moved(asked)
    assert len(read(hosts=f"localhost:{port}")) == len(ROWS)


def test_a_slow_service_is_given_up(service, read):
    def dribble() -> Iterator[bytes]:
        for _ in range(100):
            yield b" "
            time.sleep(0.05)

    service.answer = lambda _: (200, {"Content-Type": "application/json"}, dribble())
    start = time.monotonic()
    with pytest.raises(SourceUnavailableError, match=r"took longer than 1 s \(source.max_seconds\)"):
        read(max_seconds=1)
    service.answer = lambda _: time.sleep(3) or []
    with pytest.raises(SourceUnavailableError):
        read(max_seconds=1)
    assert time.monotonic() - start < 4


def test_nobody_there(tmp_path, monkeypatch):
    monkeypatch.setattr(http_source, "BACK_OFF_SECONDS", 0.01)
    spec = declare(tmp_path, source={"kind": "http", "url": "http://127.0.0.1:9/x"})
    with pytest.raises(SourceUnavailableError, match=r"http://127\.0\.0\.1:9/x: it cannot be reached, 5 times"):
        read_all(open_source(spec), COLUMNS, "day", WINDOW)


def test_secrets_are_nowhere(service, tmp_path, monkeypatch, caplog, world):
    """The worst service there is: it says the key back in every place it can."""
    monkeypatch.setenv("KEY", PLANTED)
    caplog.set_level(logging.DEBUG)
    source = {"kind": "http", "url": service.url, "headers": {"X-Api-Key": "${KEY}", "Authorization": "Bearer ${KEY}"}}
    spec = declare(tmp_path / "said", source=source)
    said = [repr(spec), str(spec.model_dump()), spec.model_dump_json(), repr(open_source(spec)), spec.fingerprint()]
    answers: list[Any] = [
        answer_of(401, PLANTED.encode()),
        answer_of(200, PLANTED.encode(), Content_Type=f"text/{PLANTED}"),
        answer_of(200, b"[" + PLANTED.encode()),
        answer_of(302, Location=f"http://{PLANTED}.example.com/"),
        answer_of(302, Location=f"/{PLANTED}"),
        lambda _: {PLANTED: 1},
        lambda _: [{PLANTED: 1}],
        answer_of(503, PLANTED.encode()),
        lambda _: iter([]),
    ]
    for answer in answers:
        service.answer = lambda asked, answer=answer: answer(asked) if asked.number % 9 else (404, {}, b"")
        try:
            read_all(open_source(spec), COLUMNS, "day", WINDOW)
        except SourceError:
            said.append(traceback.format_exc())
    assert len(said) == 5 + len(answers)

    service.answer = lambda _: {PLANTED: ROWS}
    made = world(source=source, partitions={"kind": "daily", "start": "2024-03-01", "end": "2024-06-01"})
    for service.answer, success in ((lambda _: {PLANTED: 1}, False), (lambda _: ROWS, True)):
        result = made.run("observations", "quarantine", partition="2024-03-05", raise_on_error=False)
        assert result.success is success
        said += [str(event) for event in made.instance.all_logs(result.run_id)]
    assert made.metadata(result, "observations")["source"] == service.url
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert PLANTED.encode() not in file.read_bytes(), file
    # A service's own redirect may hold what it likes; that is the one line the HTTP library logs, below warning.
    logged = [record.getMessage() for record in caplog.records if "GET /" + PLANTED not in record.getMessage()]
    for text in [*said, *logged]:
        assert PLANTED not in text


def problem(folder: Path, **fields: Any) -> str:
    folder.mkdir(exist_ok=True)
    source = {"kind": "http", "url": "https://api.example.com/v1", **fields}
    file = folder / "demo.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "source": source}, sort_keys=False))
    with pytest.raises(SpecError) as caught:
        load_spec(file, {"KEY": PLANTED, "ODD": f"{PLANTED}\n"})
    assert PLANTED not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"url": "ftp://x/y"}, "source.url (line 5): not an address such as https://"),
        ({"url": "https://me:${KEY}@x/y"}, "no user or password in an address"),
        ({"url": "https://x/y?key=${KEY}"}, "no ? or # in an address"),
        ({"query": {"key": "${KEY}"}}, "source.query.key (line 7): ${...} is replaced in url, path, table, headers"),
        ({"headers": {"X-Api-Key": PLANTED}}, "source.headers.X-Api-Key (line 7): no secret in the file"),
        ({"headers": {"X-Api-Key": "${ODD}"}}, "source.headers.X-Api-Key (line 7): its value is not one line"),
        ({"headers": {"X Key": "${KEY}"}}, "the name of a header"),
        ({"headers": {"X-Key": 7}}, "source.headers.X-Key (line 7): text is needed here"),
        ({"headers": {"X-Key": "${GONE}"}}, "the environment variable GONE is not set"),
        ({"pages": {"kind": "cursor"}}, "source.pages.path (line 6): say where the JSON has the next cursor"),
        ({"pages": {"kind": "page", "path": "a"}}, "source.pages.path (line 8): found 'a'; belongs to the kinds"),
        ({"pages": {"kind": "link", "start": 1}}, "source.pages.start (line 8): found 1; belongs to"),
        ({"pages": {"kind": "link", "parameter": "p"}}, "a link holds all its parameters"),
        ({"pages": {"kind": "pages"}}, "did you mean 'page'?"),
        ({"pages": {"kind": "page", "first": 1}}, "allowed: kind, parameter, start, path, total"),
        ({"format": "csv", "records": "a"}, "source.records (line 7): found 'a'; CSV has no path"),
        ({"format": "csv", "pages": {"kind": "link", "path": "a"}}, "CSV has no place for it"),
        ({"max_seconds": 0}, "source.max_seconds (line 6)"),
        ({"table": "x"}, "unknown field"),
    ],
)
def test_a_wrong_spec_is_told_without_its_secrets(tmp_path, fields, message):
    assert message in problem(tmp_path, **fields)


def test_the_ingested_asset_says_where_its_rows_are_from(service, world):
    service.answer = lambda _: ROWS
    made = world(source={"kind": "http", "url": service.url})
    made.run("observations", "quarantine", partition="2024-03-01...2024-03-04")
    assert len(made.table("observations")) == 8
    specs = [spec for asset in made.assets for spec in asset.specs if spec.key == made.key("observations")]
    assert [spec.kinds for spec in specs] == [{"pandas", "http"}]
