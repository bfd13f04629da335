"""Small files are read once, and anew where they were replaced; no more are kept than there is room for."""

import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.io_managers.errors import MissingTableError
from mlops_assets.io_managers.objects import ObjectTables
from mlops_assets.io_managers.small_files import SmallFile, SmallFiles
from mlops_assets.resources.rows import Only

KEY, ROWS = ["demo", "notes"], 10
LOAD = ObjectTables._load


def parsed(data: bytes) -> SmallFile:
    """Return a file of as many rows as it has bytes."""
    return SmallFile(pa.table({"number": pa.array(range(len(data)), pa.int64())}), len(data))


def test_a_file_is_parsed_once_until_it_is_replaced(tmp_path):
    files, path, asked = SmallFiles(), tmp_path / "file", []

    def parse(data: bytes) -> SmallFile:
        asked.append(data)
        return parsed(data)

    path.write_bytes(b"abc")
    assert files.known(path) is None
    first = files.read(path, parse)
    assert files.read(path, parse) is files.known(path) is first
    other = tmp_path / "other"
    other.write_bytes(b"def")
    other.replace(path)
    assert files.known(path) is None
    assert files.read(path, parse) is not first
    assert asked == [b"abc", b"def"]
    path.unlink()
    with pytest.raises(FileNotFoundError):
        files.read(path, parse)


def test_what_was_used_last_is_kept_as_far_as_there_is_room(tmp_path):
    files = SmallFiles(most=2 * 8 * ROWS)
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_bytes(b"x" * ROWS)
    for path in (paths[0], paths[1], paths[0], paths[2]):
        files.read(path, parsed)
    assert [files.known(path) is not None for path in paths] == [True, False, True]
    large = tmp_path / "large"
    large.write_bytes(bytes(2**16 + 1))
    assert files.read(large, parsed) is None


def test_a_table_is_read_as_it_is_stored_whoever_has_replaced_it(tmp_path):
    ours, theirs = (ObjectTables(base=str(tmp_path)) for _ in range(2))
    rows = pd.DataFrame(
        {"item_id": list("aabb"), "timestamp": pd.date_range("2024", periods=4, unit="us"), "target": range(4)}
    )
    for factor in (1, 2, 3):
        (ours if factor % 2 else theirs).write(KEY, rows.assign(target=rows["target"] * factor), "2024-01-01")
        for _ in range(2):
            for columns, only in ((None, None), (["target"], None), (["target", "item_id"], Only(items=("b",)))):
                found = ours.read(KEY, ["2024-01-01"], columns, only)
                wanted = rows.assign(target=rows["target"] * factor)
                wanted = wanted[wanted["item_id"].isin(only.items if only else ["a", "b"])].reset_index(drop=True)
                pd.testing.assert_frame_equal(found, wanted[columns or list(wanted)])
        assert ours.row_counts(KEY, ["2024-01-01"]) == {"2024-01-01": 4}
    theirs.delete(KEY, "2024-01-01")
    with pytest.raises(MissingTableError):
        ours.read(KEY, ["2024-01-01"])


def test_a_whole_small_table_is_made_into_a_frame_once_and_nobody_changes_it_for_others(tmp_path, monkeypatch):
    tables = ObjectTables(base=str(tmp_path))
    rows = pd.DataFrame({"number": [1, 2], "words": ["one", None]})
    tables.write(KEY, rows, "a")
    made = []
    monkeypatch.setattr(ObjectTables, "_load", lambda self, *args: made.append(args) or LOAD(self, *args))
    for _ in range(3):
        found = tables.read(KEY)
        pd.testing.assert_frame_equal(found, rows)
        found["number"] += 1
        found.loc[0, "words"] = "another"
    assert len(made) == 1
    tables.write(KEY, rows.assign(number=3), "b")
    assert tables.read(KEY)["number"].tolist() == [1, 2, 3, 3]
    tables.delete(KEY, "a")
    assert tables.read(KEY)["number"].tolist() == [3, 3]
    assert len(made) == 3
    tables.delete(KEY)
    with pytest.raises(MissingTableError):
        tables.read(KEY)
