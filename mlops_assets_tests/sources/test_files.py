"""One file, a folder, a glob: which files are read, in which order, and what is said if there is none."""

from datetime import date

import pyarrow as pa
import pytest
from pyarrow import parquet

from mlops_assets.forecasting.data.contract import ROW_NUMBER, ROW_SOURCE, Contract, check
from mlops_assets.sources.base import SourceError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import parse_spec
from mlops_assets_tests.sources.reading import COLUMNS, HEADER, MARCH, NOW, fails, read, reader_of


def test_a_folder_is_read_whole_in_the_order_of_names(csv, tmp_path):
    for name in ("2024/b.csv", "2024/a.csv", "2023/a.csv"):
        csv(HEADER + f"{name},2024-03-01,1\n", f"data/{name}")
    for hidden in (".hidden.csv", "_SUCCESS", "_old/a.csv", "2024/.a.csv.crc"):
        csv("nonsense", f"data/{hidden}")
    frame = read(tmp_path / "data")
    assert frame["item"].tolist() == ["2023/a.csv", "2024/a.csv", "2024/b.csv"]
    assert frame[ROW_SOURCE].tolist() == frame["item"].tolist()
    assert frame[ROW_NUMBER].tolist() == [1, 1, 1]


def test_a_glob(csv, tmp_path):
    for name in ("1/a.csv", "1/b.txt", "2/a.csv", "2/deep/a.csv"):
        csv(HEADER + f"{name},2024-03-01,1\n", f"data/{name}")
    assert read(tmp_path / "data/*/a.csv")["item"].tolist() == ["1/a.csv", "2/a.csv"]
    assert read(tmp_path / "data/**/a.csv")["item"].tolist() == ["1/a.csv", "2/a.csv", "2/deep/a.csv"]
    assert read(tmp_path / "data/[12]/b.*")["item"].tolist() == ["1/b.txt"]
    assert read(tmp_path / "data/1/../2/a.csv")["item"].tolist() == ["2/a.csv"]


def test_a_name_with_signs_of_a_glob_is_a_name_if_there_is_such_a_file(csv):
    assert len(read(csv(HEADER + "a,2024-03-01,1\n", "sales[1].csv"))) == 1


def test_files_of_all_kinds_in_one_folder(csv, tmp_path):
    csv(HEADER + "a,2024-03-01,1\n", "data/1.csv")
    csv('{"item": "b", "day": "2024-03-02", "sales": 2}\n', "data/2.jsonl")
    for name, sales in {"3": [3.0], "4": [None]}.items():
        table = pa.table({"item": [name], "day": [date(2024, 3, int(name))], "sales": pa.array(sales, pa.float64())})
        parquet.write_table(table, tmp_path / f"data/{name}.parquet")
    checked = check(read(tmp_path / "data"), Contract(("item",), "day", "sales", "D"), MARCH, NOW)
    assert checked.accepted["item_id"].tolist() == ["3", "4", "a", "b"]
    assert checked.accepted["target"].fillna(-1).tolist() == [3, -1, 1, 2]


def test_rows_are_counted_without_being_read_where_a_row_group_may_hold_some_of_the_window(csv, tmp_path):
    days = pa.array([date(2024, month, 15) for month in (1, 3) for _ in range(50)])
    (tmp_path / "data").mkdir()
    table = pa.table({"item": ["a"] * 100, "day": days, "sales": pa.array([1.0] * 100)})
    parquet.write_table(table, tmp_path / "data/1.parquet", row_group_size=50)
    csv(HEADER + "a,2024-03-01,1\n" * 80, "data/2.csv")
    (tmp_path / "data/3.parquet").write_text("none")
    assert 50 + 20 < reader_of(tmp_path / "data").rows_about("day", MARCH) < 50 + 160


def test_a_file_of_no_known_kind(csv, tmp_path):
    file = csv("", "data/readme.md")
    assert fails(tmp_path / "data").startswith(
        f"{file}: unknown ending; say source.format: csv, parquet, jsonl, json or excel"
    )
    csv(HEADER + "a,2024-03-01,1\n", "data/readme.md")
    assert len(read(tmp_path / "data", format="csv")) == 1


@pytest.mark.parametrize("path", ["none.csv", "none", "none/*.csv", "*.csv"])
def test_no_file_at_all(tmp_path, path):
    assert (
        fails(tmp_path / path) == f"{tmp_path / path}: no such file, and no file matches; see source.path in the spec"
    )


def test_paths_start_from_the_folder_of_the_spec(csv, tmp_path):
    csv(HEADER + "a,2024-03-01,1\n", "data/sales.csv")
    text = (
        "name: demo\nsource: {kind: file, path: ../data/sales.csv}\nfrequency: D\nhorizon: 3\n"
        "columns: {item_id: item, timestamp: day, target: sales}\npartitions: {start: 2024-01-01}\n"
    )
    reader = open_source(parse_spec(text, tmp_path / "forecasts" / "demo.yaml"))
    (tmp_path / "forecasts").mkdir()
    assert len(read_all(reader, COLUMNS, "day", MARCH)) == 1
    assert reader.probe(COLUMNS, "day", NOW).endswith("sales.csv, 1 file")
    with pytest.raises(SourceError, match="no column 'price'"):
        reader.probe([*COLUMNS, "price"], "day", NOW)
