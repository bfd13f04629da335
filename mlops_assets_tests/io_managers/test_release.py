"""Every stored table says which release wrote it, and is read the same all the same."""

import pandas as pd
import pytest

from mlops_assets.io_managers import MissingTableError, Tables
from mlops_assets.io_managers import base as base_module
from mlops_assets.resources.release import package_version

ROWS = pd.DataFrame({"n": [1, 2], "kind": pd.Categorical(["a", "b"])})


def test_a_table_says_who_wrote_it(tables: Tables, key: list[str]):
    with pytest.raises(MissingTableError):
        tables.written_by(key)
    tables.write(key, ROWS)
    assert tables.written_by(key) == package_version()
    pd.testing.assert_frame_equal(tables.read(key), ROWS)


def test_each_partition_says_who_wrote_it(tables: Tables, key: list[str], monkeypatch: pytest.MonkeyPatch):
    tables.write(key, ROWS, "1")
    monkeypatch.setattr(base_module, "package_version", lambda: "9.0.0")
    tables.write_all(key, {"2": ROWS, "3": ROWS})
    assert [tables.written_by(key, name) for name in ("1", "2", "3")] == [package_version(), "9.0.0", "9.0.0"]
    assert tables.written_by(key) == "9.0.0"
    pd.testing.assert_frame_equal(tables.read(key), pd.concat([ROWS] * 3, ignore_index=True))
    assert tables.create(key, ROWS, "4")
    assert tables.written_by(key, "4") == "9.0.0"
    with pytest.raises(MissingTableError):
        tables.written_by(key, "5")
