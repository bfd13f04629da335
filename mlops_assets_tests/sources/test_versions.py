"""A version is the same for the same content, and another for another, of every kind of source."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import Window
from mlops_assets.sources import files
from mlops_assets.sources.base import SourceError, SourceUnavailableError
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.sources.web_service import PLANTED, ROWS, SIZE, Asked, Service
from mlops_assets_tests.worlds import declare, panel

WINDOW = Window(pd.Timestamp("2024-05-01"), pd.Timestamp("2024-06-01"))


def reader_of(folder: Path, **source: Any) -> Any:
    return open_source(declare(folder / "forecasts", source=source or {"kind": "file", "path": "sales.csv"}))


def seen(reader: Any) -> tuple[str, str]:
    return reader.signature("day", WINDOW), reader.version("day", WINDOW)


def test_a_file_that_is_touched_or_written_again_as_it_was_keeps_its_version(tmp_path):
    reader, file = reader_of(tmp_path), tmp_path / "forecasts" / "sales.csv"
    signature, version = seen(reader)
    assert seen(reader) == (signature, version)
    os.utime(file, (1, 1))
    assert seen(reader)[0] != signature
    assert seen(reader)[1] == version
    text = file.read_text()
    file.unlink()
    file.write_text(text)
    assert seen(reader)[1] == version
    file.write_text(text.replace("shop 1", "shop 2"))
    assert seen(reader)[1] != version
    file.unlink()
    with pytest.raises(SourceError, match="no such file"):
        seen(reader)


def test_of_much_data_size_and_time_must_do(tmp_path, monkeypatch):
    reader, file = reader_of(tmp_path), tmp_path / "forecasts" / "sales.csv"
    hashed = seen(reader)[1]
    monkeypatch.setattr(files, "HASHED_BYTES", file.stat().st_size - 1)
    _, version = seen(reader)
    assert version != hashed
    assert seen(reader)[1] == version
    os.utime(file, (1, 1))
    assert seen(reader)[1] != version


def test_a_file_more_or_under_another_name_is_another_version_of_a_folder(tmp_path):
    reader = reader_of(tmp_path, kind="file", path="days")
    folder = tmp_path / "forecasts" / "days"
    folder.mkdir()
    (folder / "a.csv").write_text("day,shop\n")
    (folder / "_SUCCESS").write_text("")
    _, one = seen(reader)
    (folder / "b.csv").write_text("day,shop\n")
    _, two = seen(reader)
    (folder / "b.csv").rename(folder / "c.csv")
    _, other = seen(reader)
    assert len({one, two, other}) == 3
    (folder / "c.csv").unlink()
    assert seen(reader)[1] == one


def test_a_marker_is_wanted_in_each_folder_and_as_new_as_its_files(tmp_path):
    reader = reader_of(tmp_path, kind="file", path="days")
    days = tmp_path / "forecasts" / "days"
    for day in ("01", "02"):
        (days / day).mkdir(parents=True)
        (days / day / "part.csv").write_text("day\n")
    (days / "01" / "_SUCCESS").touch()
    assert reader.unmarked("_SUCCESS") == str(days / "02")
    (days / "02" / "_SUCCESS").touch()
    assert reader.unmarked("_SUCCESS") == ""
    later = time.time() + 60
    os.utime(days / "01" / "part.csv", (later, later))
    assert reader.unmarked("_SUCCESS") == str(days / "01")


def test_objects_are_known_by_their_tags(tmp_path, monkeypatch):
    import boto3

    with servers.s3(tmp_path) as (_, options):
        for name, value in {
            "AWS_ACCESS_KEY_ID": options["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": options["secret_access_key"],
            "AWS_REGION": options["region"],
            "AWS_ENDPOINT_URL": options["endpoint"],
            "AWS_ALLOW_HTTP": "true",
        }.items():
            monkeypatch.setenv(name, value)
        client = boto3.client("s3", endpoint_url=options["endpoint"], region_name="us-east-1")
        put = lambda key, body: client.put_object(Bucket="tables", Key=key, Body=body)  # noqa: E731
        reader = reader_of(tmp_path, kind="file", path="s3://tables/sales")
        put("sales/a.csv", b"day,shop")
        first = seen(reader)
        put("sales/a.csv", b"day,shop")
        assert seen(reader) == first, "the same again"
        assert reader.unmarked("_SUCCESS") == "s3://tables/sales"
        put("sales/_SUCCESS", b"")
        assert reader.unmarked("_SUCCESS") == ""
        assert seen(reader) == first
        told = put("sales/a.csv", b"day,shop,sales")
        assert seen(reader)[1] != first[1]
        tagged = reader_of(tmp_path, kind="file", path="s3://tables/sales/*.csv", version="etag")
        assert seen(tagged)[1] == told["ETag"].strip('"')


@pytest.mark.parametrize("what", [{"table": "sales"}, {"query": "SELECT * FROM sales WHERE day >= :window_start"}])
def test_a_table_is_known_by_its_latest_row_and_their_count(tmp_path, what):
    file = tmp_path / "sales.db"
    with sqlite3.connect(file) as database:
        panel().to_sql("sales", database, index=False)
    reader = reader_of(tmp_path, kind="sql", url=f"sqlite:///{file}", **what)
    assert "rows until 2024-05-31" in seen(reader)[1]
    before = seen(reader)
    with sqlite3.connect(file) as database:
        database.execute("INSERT INTO sales SELECT * FROM sales ORDER BY day DESC LIMIT 1")
    assert seen(reader) != before
    file.unlink()
    with pytest.raises(SourceError, match="no SQLite file"):
        seen(reader)


def test_a_service_that_names_its_answer_is_asked_for_no_rows(service: Service, tmp_path: Path):
    reader = reader_of(tmp_path, kind="http", url=service.url)
    service.named = {"ETag": '"1"', "Last-Modified": "Fri, 10 May 2024 06:00:00 GMT"}
    assert seen(reader) == ('"1"', '"1"')
    service.named = {"Last-Modified": "Fri, 10 May 2024 06:00:00 GMT"}
    assert seen(reader)[1].startswith("Fri")
    assert service.asked == []
    reader = reader_of(tmp_path, kind="http", url=service.url, version="etag")
    with pytest.raises(SourceError, match="without an ETag; leave out"):
        seen(reader)
    service.named = {"ETag": '"2"'}
    assert seen(reader) == ('"2"', '"2"')


def test_the_answer_of_another_service_is_known_by_the_rows_of_all_its_pages(service: Service, tmp_path: Path):
    rows = [dict(row) for row in ROWS]

    def pages(asked: Asked) -> Any:
        at = (int(asked.query.get("page", 1)) - 1) * SIZE
        return rows[at : at + SIZE]

    service.answer = pages
    reader = reader_of(tmp_path, kind="http", url=service.url, pages={"kind": "page"})
    _, first = seen(reader)
    assert seen(reader)[1] == first
    rows[-1]["sales"] += 1
    assert seen(reader)[1] != first


def test_a_service_that_is_away_is_so_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEY", PLANTED)
    reader = reader_of(tmp_path, kind="http", url="http://127.0.0.1:9/", headers={"X-Api-Key": "${KEY}"})
    with pytest.raises(SourceUnavailableError) as caught:
        seen(reader)
    assert PLANTED not in str(caught.value)
