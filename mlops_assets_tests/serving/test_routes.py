"""Each route, as a client sees it."""

import re
import time
from datetime import datetime
from io import BytesIO, StringIO

import pandas as pd
import pyarrow as pa
import pytest
from openpyxl import load_workbook
from pandas.testing import assert_frame_equal

from mlops_assets.reading.items import listed
from mlops_assets.serving.formats import SHAPES
from mlops_assets_tests.serving.conftest import ODD

PATHS = [
    "",
    "/items",
    "/origins",
    "/observations",
    "/accuracy",
    "/calibration",
    "/changes",
    "/timeline",
    "/decisions",
    "/models",
    "/jobs",
]


def test_a_forecast_is_what_the_reader_gives(ask, stored):
    found = ask(item="shop 0")
    rows = stored.reader.forecasts("shop 0")
    assert (found["forecast"], found["total"], found["next"]) == ("demo", 7, None)
    assert list(found["rows"][0]) == list(rows.columns)
    assert [row["timestamp"] for row in found["rows"]] == [f"{t:%Y-%m-%dT%H:%M:%S}" for t in rows["timestamp"]]
    assert [row["mean"] for row in found["rows"]] == rows["mean"].tolist()
    assert found["rows"][0]["adjustment"] is None


@pytest.mark.parametrize("item", ODD)
def test_an_id_may_hold_anything(ask, item):
    assert {row["item_id"] for row in ask(item=item)["rows"]} == {item}


def test_items_may_be_repeated(ask):
    assert {row["item_id"] for row in ask(item=ODD[:3])["rows"]} == set(ODD[:3])


def test_columns_hold_the_same_as_rows(ask):
    rows, columns = ask(), ask(format="columns")
    assert [dict(zip(columns["columns"], v, strict=True)) for v in zip(*columns["columns"].values(), strict=True)] == (
        rows["rows"]
    )
    assert columns["total"] == rows["total"] == 7 * len(ODD)


def test_tables_for_other_tools_hold_the_reader_s_frame(client, stored):
    frame = stored.reader.forecasts()
    url = "/v1/forecasts/demo"
    parquet = pd.read_parquet(BytesIO(client.get(url, params={"format": "parquet"}).content))
    arrow = pa.ipc.open_stream(client.get(url, params={"format": "arrow"}).content).read_pandas()
    text = client.get(url, params={"format": "csv"}, headers={"accept": "text/html"})
    csv = pd.read_csv(BytesIO(text.content), parse_dates=["origin", "timestamp", "created_at"])
    for found in (parquet, arrow, csv):
        assert_frame_equal(found, frame, check_dtype=False)
    assert text.headers["content-type"] == "text/csv; charset=utf-8"
    assert text.headers["content-disposition"] == 'attachment; filename="demo.csv"'


def test_a_moment_of_csv_can_be_given_back(client):
    table = client.get("/v1/forecasts/demo", params={"format": "csv"}).text
    made = max(pd.read_csv(StringIO(table))["created_at"])
    again = client.get("/v1/forecasts/demo", params={"as_of": made, "format": "csv"})
    assert again.status_code == 200, again.text
    frame = pd.DataFrame({"at": [pd.Timestamp("2025-04-04T23:59:59.999999")]})
    assert SHAPES["csv"].write(frame, {}) == b"at\n2025-04-04T23:59:59.999999\n"
    book = load_workbook(BytesIO(SHAPES["xlsx"].write(frame, {})))
    assert book.active["A2"].value == datetime(2025, 4, 4, 23, 59, 59)


def test_excel_takes_no_text_for_a_formula(client):
    sheet = load_workbook(BytesIO(client.get("/v1/forecasts/demo?format=xlsx").content)).active
    values = {cell.value: cell.data_type for cell in sheet["A"]}
    assert values["=1+1"] == "s"
    assert {"crème 🍦", "O'Neil; DROP TABLE"} <= set(values)
    assert sheet.max_row == 1 + 7 * len(ODD)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv; charset=utf-8"),
        ("application/vnd.apache.parquet", "application/vnd.apache.parquet"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
    ],
)
def test_accept_chooses_the_format(client, accept, media):
    assert client.get("/v1/forecasts/demo", headers={"accept": accept}).headers["content-type"] == media


def test_what_nobody_can_make_is_not_acceptable(client):
    answer = client.get("/v1/forecasts/demo", headers={"accept": "image/png, text/csv;q=0"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["error"]


def test_pages_follow_one_another(client, ask):
    whole, got, offset = ask()["rows"], [], 0
    while offset is not None:
        page = ask(limit=10, offset=offset)
        got, offset = got + page["rows"], page["next"]
    assert got == whole
    answer = client.get("/v1/forecasts/demo", params={"limit": 10, "format": "csv", "item": 'a/b "c"', "lead": 1})
    assert answer.headers["x-total-count"] == "1"
    assert "link" not in answer.headers
    answer = client.get("/v1/forecasts/demo", params={"limit": 3, "format": "csv", "item": 'a/b "c"'})
    following = answer.links["next"]["url"]
    assert len(client.get(following).text.splitlines()) == 4
    assert client.get(following).links["next"]["url"].endswith("offset=6")


def test_rows_are_bounded_in_all_ways(ask, stored):
    first, last = stored.days[-1] + pd.Timedelta(days=2), stored.days[-1] + pd.Timedelta(days=3)
    rows = ask(item="shop 0", start=first.isoformat(), end=last.isoformat())["rows"]
    assert [row["timestamp"] for row in rows] == [first.isoformat(), last.isoformat()]
    assert {row["lead"] for row in ask(lead=[1, 3])["rows"]} == {1, 3}
    before = stored.days[-3]
    assert {row["origin"] for row in ask(origin=before.isoformat())["rows"]} == {before.isoformat()}
    assert {row["origin"] for row in ask(origin="latest")["rows"]} == {stored.days[-1].isoformat()}
    known = ask(as_of=(before + pd.Timedelta(hours=31)).isoformat())["rows"]
    assert {row["origin"] for row in known} == {before.isoformat()}
    assert {name for name in ask(quantiles="0.5")["rows"][0] if name[1:].isdigit()} == {"q50"}
    assert not {name for name in ask(quantiles="none")["rows"][0] if name[1:].isdigit()}


def test_a_slash_within_a_name_is_found_as_people_write_it():
    found = pd.DataFrame({"item_id": ["north/café%2Fbig", "south/tea"], "volume": [1.0, 2.0]})
    assert listed(found, "café/big", "name")["item_id"].tolist() == ["north/café%2Fbig"]
    assert listed(found, "café%2fb", "name")["item_id"].tolist() == ["north/café%2Fbig"]


def test_items_are_found_by_a_part_of_their_names(ask):
    assert [row["item_id"] for row in ask("/items", search="DROP")["rows"]] == ["O'Neil; DROP TABLE"]
    names = [row["item_id"] for row in ask("/items", sort="name")["rows"]]
    assert names == sorted(ODD)


def test_the_rest_is_what_the_reader_gives(ask, stored):
    reader = stored.reader
    assert len(ask("/origins")["rows"]) == len(reader.origins()) == 12
    assert len(ask("/observations", item="shop 0")["rows"]) == len(reader.observations("shop 0"))
    assert [row["lead"] for row in ask("/accuracy", by="lead")["rows"]] == reader.accuracy("lead")["lead"].tolist()


@pytest.mark.parametrize("path", PATHS)
def test_a_client_that_has_it_gets_nothing_again(client, path):
    first = client.get(f"/v1/forecasts/demo{path}")
    assert first.status_code == 200
    again = client.get(f"/v1/forecasts/demo{path}", headers={"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get(f"/v1/forecasts/demo{path}", headers={"if-none-match": '"other"'}).status_code == 200


def test_large_answers_are_compressed(client):
    whole = client.get("/v1/forecasts/demo", headers={"accept-encoding": "identity"})
    packed = client.get("/v1/forecasts/demo", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(whole.content) / 4
    assert packed.content == whole.content
    assert "Accept-Encoding" in packed.headers["vary"]


def test_what_is_newly_stored_is_seen_within_seconds(client, stored):
    def latest() -> str:
        return client.get("/v1/forecasts/demo", params={"item": "shop 0"}).json()["rows"][0]["origin"]

    def wait_for(day: pd.Timestamp) -> None:
        deadline = time.monotonic() + 5
        while latest() != day.isoformat():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    day = stored.days[-1] + pd.Timedelta(days=1)
    stored.forecast(day)
    wait_for(day)
    assert client.get("/v1/forecasts/demo/origins").json()["total"] == 13
    stored.tables.delete(["demo", "forecasts"], f"{day:%Y-%m-%d}")
    wait_for(stored.days[-1])


@pytest.mark.parametrize(
    "params",
    [
        {"item": "shop 0"},
        {"item": ["x&y=z?#%", 'a/b "c"', "shop 0"], "limit": 9, "offset": 3},
        {"item": "shop 0", "format": "columns", "quantiles": "0.5"},
        {"limit": 10, "offset": 60, "version": "system"},
        {"limit": 0},
        {"offset": 1000},
    ],
)
def test_what_is_in_memory_is_what_the_store_answers(client, stored, params):
    """The first answer is the store's, and so is that to the same question with a parameter that changes nothing."""
    path = "/v1/forecasts/demo"
    served = client.app.state.served
    deadline = time.monotonic() + 5
    while served.latest.of("demo", params.get("version", "published")) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    quick = client.get(path, params=params)
    asked = client.get(
        path, params={**params, "end": "2199-01-01", "start": (stored.days[-1] + pd.Timedelta(days=1)).isoformat()}
    )
    assert quick.json() == asked.json()
    assert quick.content == asked.content


def test_the_page_of_routes_needs_no_internet(client):
    page = client.get("/docs").text
    assert all(path in page for path in client.get("/openapi.json").json()["paths"])
    assert "://" not in page
    assert "<script" not in page


def test_the_explorer_and_its_files_are_served(client):
    page = client.get("/").text
    names = re.findall(r'(?:src|href)="static/([^"]+)"', page)
    assert any(name.startswith("explorer.js?v=") for name in names)
    for name in names:
        assert client.get(f"/static/{name}").status_code == 200
    assert client.get("/static/explorer.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/static/index.html").status_code == 404


def test_it_runs_and_its_stores_answer(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}


def test_prometheus_is_told_how_forecasts_are(client):
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert '\nmlops_assets_forecast_state{forecast="demo",state="attention"} 1.0\n' in answer.text
    assert '\nmlops_assets_accuracy{forecast="demo",metric="skill"} ' in answer.text
