"""The page on reading is run as it is written, against a forecast that is stored in files."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets_tests.reading.stored import StoredForecast, store

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shops(tmp_path_factory) -> tuple[StoredForecast, Path]:
    folder = tmp_path_factory.mktemp("shops")
    tables = ObjectTables(base=str(folder / "data" / "tables"))
    return store(folder, tables, name="shop_sales"), folder


def test_the_python_of_the_page_runs_and_says_what_stands_there(shops, monkeypatch, capsys):
    _, folder = shops
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLOPS_DATA", str(folder / "data"))
    monkeypatch.setenv("MLOPS_FORECASTS", str(folder / "forecasts"))
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "reading.md", "exec"), names)
    said = capsys.readouterr().out
    for line in re.findall(r"print\(.*  # (.*)", "".join(blocks)):
        assert line in said, line
    assert (folder / "shop_1.png").stat().st_size > 0


def test_plain_duckdb_gives_the_rows_of_the_views(shops, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    made, folder = shops
    monkeypatch.chdir(folder)
    current, accuracy = (text for text in re.findall(r"```sql\n(.*?)```", PAGE, re.S) if "read_parquet" in text)
    told = made.reader.forecasts(start="2024-01-01").drop(columns="adjustment")
    found = duckdb.sql(current).df().sort_values(["item_id", "timestamp"], ignore_index=True)
    pd.testing.assert_frame_equal(found.astype(told.dtypes.to_dict()), told)
    scores = duckdb.sql(accuracy).df().sort_values("item_id", ignore_index=True)
    expected = made.reader.accuracy("item", start="2024-01-01")[list(scores)]
    pd.testing.assert_frame_equal(scores.astype(expected.dtypes.to_dict()), expected)
