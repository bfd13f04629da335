"""A store that is only looked at."""

import pandas as pd

from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.snapshot import remembered, snapshot

KEY = ["demo", "observations"]
ROW = pd.DataFrame({"target": [1.0]})


def test_what_is_stored_later_is_not_listed_and_all_else_is_the_stores(monkeypatch):
    tables = MemoryTables()
    tables.write(KEY, ROW, "2013-01-01")
    seen = snapshot(tables)
    first = seen.partitions(KEY)
    tables.write(KEY, ROW, "2013-01-02")
    monkeypatch.setattr(MemoryTables, "partitions", None)
    assert first == seen.partitions(KEY) == ["2013-01-01"]
    first.clear()
    assert seen.partitions(KEY) == ["2013-01-01"]
    assert len(seen.read(KEY)) == 2
    assert seen.exists(KEY)


def test_nothing_is_read_twice_and_a_new_column_is_no_part_of_what_is_kept(monkeypatch):
    tables = MemoryTables()
    tables.write(KEY, ROW.assign(item_id="a"), "2013-01-01")
    seen = remembered(tables)
    first = seen.read(KEY, ["2013-01-01"], ["target"])
    first["double"] = 2 * first["target"]
    seen.read(KEY, only=Only(items=["a"]))
    monkeypatch.setattr(MemoryTables, "read", None)
    assert list(seen.read(KEY, ["2013-01-01"], ["target"])) == ["target"]
    assert len(seen.read(KEY, only=Only(items=["a"]))) == 1
