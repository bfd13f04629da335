"""Files in object storage, read from a real S3 server over HTTP, give the rows that local files give."""

import gzip
import time
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.forecasting.data.contract import CUT_OFF, ROW_PROBLEM, ROW_SOURCE, Window
from mlops_assets.sources.base import SourceError, SourceUnavailableError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets_tests.io_managers import servers
from mlops_assets_tests.sources.reading import NOW
from mlops_assets_tests.worlds import declare, panel

COLUMNS = ["shop", "day", "sales", "rain"]
WINDOW = Window(pd.Timestamp("2024-03-01"), pd.Timestamp("2024-06-01"))


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory):
    """Yield a folder and a function that copies it into the bucket; the environment has the keys."""
    import boto3

    folder = tmp_path_factory.mktemp("objects")
    with servers.s3(folder) as (_, options), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", options["access_key_id"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", options["secret_access_key"])
        patch.setenv("AWS_REGION", options["region"])
        patch.setenv("AWS_ENDPOINT_URL", options["endpoint"])
        patch.setenv("AWS_ALLOW_HTTP", "true")
        client = boto3.client("s3", endpoint_url=options["endpoint"], region_name="us-east-1")
        write(folder / "source")
        first, second = (folder / "source" / "overlap" / name for name in ("z.csv", "a.csv"))
        client.upload_file(str(first), "tables", "overlap/z.csv")
        time.sleep(1.1)  # S3 tells seconds
        client.upload_file(str(second), "tables", "overlap/a.csv")
        for file in (folder / "source").rglob("*"):
            if file.is_file() and file not in (first, second):
                client.upload_file(str(file), "tables", file.relative_to(folder / "source").as_posix())
        yield folder / "source"


def write(folder: Path) -> None:
    for name in ("csv", "mixed/deep", "parquet", "lines", "odd", "overlap"):
        (folder / name).mkdir(parents=True)
    frame = panel()
    half = len(frame) // 2
    frame[:half].to_csv(folder / "csv" / "a.csv", index=False)
    (folder / "csv" / "b.csv.gz").write_bytes(gzip.compress(frame[half:].to_csv(index=False).encode()))
    (folder / "csv" / "_hidden.csv").write_text("nonsense")
    frame[:half].to_parquet(folder / "parquet" / "2024-01.parquet", row_group_size=40)
    frame[half:].to_parquet(folder / "parquet" / "2024-02.parquet")
    (folder / "parquet" / "readme.txt").write_text("not data")
    frame[:half].to_json(folder / "lines" / "a.jsonl", orient="records", lines=True, date_format="iso")
    (folder / "lines" / "empty.jsonl").write_text("")
    few = frame[:40].assign(day=frame["day"].astype(str))
    few.to_csv(folder / "odd" / "a.csv", index=False, sep=";", decimal=",", encoding="utf-16")
    (folder / "odd" / "b.json").write_text(few.to_json(orient="records"))
    few.to_excel(folder / "odd" / "c.xlsx", index=False)
    (folder / "odd" / "d.csv").write_text(few.to_csv(index=False).rstrip("\n"))
    for number, name in enumerate(("z.csv", "a.csv")):
        few.assign(sales=number).to_csv(folder / "overlap" / name, index=False)
    frame[:half].to_csv(folder / "mixed" / "a.csv", index=False)
    frame[half:].to_csv(folder / "mixed" / "deep" / "b.csv", index=False)


def read(folder: Path, path: str) -> pd.DataFrame:
    spec = declare(folder, source={"kind": "file", "path": path})
    return read_all(open_source(spec), COLUMNS, "day", WINDOW)


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("csv", 368),
        ("csv/a.csv", 184),
        ("csv/*.gz", 184),
        ("parquet/*.parquet", 368),
        ("parquet/2024-0[!2].parquet", 184),
        ("parquet/2024-0?.parquet", 368),
        ("lines", 184),
        ("mixed/*.csv", 184),
        ("mixed/**/*.csv", 368),
        ("mixed", 368),
        ("m*/a.csv", 184),
        ("odd/a.csv", 40),
        ("odd/b.json", 40),
        ("odd/c.xlsx", 40),
        ("odd/d.csv", 40),
    ],
)
def test_the_rows_are_those_of_local_files(bucket, tmp_path, path, rows):
    remote = read(tmp_path, f"s3://tables/{path}")
    assert len(remote) == rows
    pd.testing.assert_frame_equal(remote, read(tmp_path, str(bucket / path)))


def test_what_is_sniffed_is_said_as_of_local_files(bucket, tmp_path):
    for path, words in {
        "odd/a.csv": "1 file; encoding utf-16 in a.csv; delimiter ';' in a.csv",
        "odd/b.json": "1 file; a JSON list in b.json",
    }.items():
        spec = declare(tmp_path, source={"kind": "file", "path": f"s3://tables/{path}"})
        assert open_source(spec).probe(COLUMNS, "day", NOW) == f"s3://tables/{path}, {words}"
    assert read(tmp_path, "s3://tables/odd/d.csv")[ROW_PROBLEM].tolist() == [None] * 39 + [CUT_OFF]


@pytest.mark.parametrize(("latest_wins", "order"), [("name", ["a.csv", "z.csv"]), ("modified", ["z.csv", "a.csv"])])
def test_the_file_that_wins_is_read_last(bucket, tmp_path, latest_wins, order):
    source = {"kind": "file", "path": "s3://tables/overlap", "latest_wins": latest_wins}
    found = read_all(open_source(declare(tmp_path, source=source)), COLUMNS, "day", WINDOW)
    assert list(dict.fromkeys(found[ROW_SOURCE])) == order


def test_a_probe_says_what_was_found(bucket, tmp_path):
    spec = declare(tmp_path, source={"kind": "file", "path": "s3://tables/parquet/*.parquet"})
    assert open_source(spec).probe(COLUMNS, "day", NOW) == "s3://tables/parquet/*.parquet, 2 files"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("s3://tables/nothing/*.csv", "no such object"),
        ("s3://elsewhere/a.csv", "elsewhere"),
        ("s3:///a.csv", "no bucket"),
        ("s3://tables/csv/_hidden.csv", "s3://tables/csv/_hidden.csv: no column 'shop'"),
        ("s3://tables/parquet/readme.txt", "s3://tables/parquet/readme.txt: no column"),
    ],
)
def test_a_message_names_the_address(bucket, tmp_path, path, message):
    with pytest.raises(SourceError, match=path.replace("*", r"\*")) as caught:
        read(tmp_path, path)
    assert message in str(caught.value)
    assert "Debug" not in str(caught.value)


def test_a_dead_server_may_answer_later_and_no_key_is_shown(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    with pytest.raises(SourceUnavailableError) as caught:
        read(tmp_path, "s3://tables/csv")
    assert "hunter2" not in str(caught.value)
