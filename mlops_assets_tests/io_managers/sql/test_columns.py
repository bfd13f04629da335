"""Who asks for columns or rows is not sent the others: counted in bytes on the wire."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.io_managers import ObjectTables, SqlTables, Tables
from mlops_assets.resources.rows import Only, Span
from mlops_assets_tests.io_managers.conftest import Places
from mlops_assets_tests.io_managers.servers import counted, fresh_name


@pytest.mark.parametrize("place", ["s3", "azure", "mariadb"])
def test_chosen_columns_are_all_that_is_sent(places: Places, place: str):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{number}": random.normal(size=20_000) for number in range(10)})
    key, address = [fresh_name(), "t"], places.address(place)
    places.tables(place).write(key, frame, "p")
    where = address[1]["endpoint"] if isinstance(address, tuple) else address
    port = re.findall(r":(\d+)", where)[-1]
    with counted(int(port)) as (relay, sent):
        through: Any = where.replace(f":{port}", f":{relay}")
        tables: Tables = (
            ObjectTables(address[0], {**address[1], "endpoint": through})
            if isinstance(address, tuple)
            else SqlTables(through)
        )
        pd.testing.assert_frame_equal(tables.read(key), frame)
        everything = sum(sent)
        pd.testing.assert_frame_equal(tables.read(key, columns=["c7"]), frame[["c7"]])
        chosen = sum(sent) - everything
    assert everything > 1_500_000
    assert 150_000 < chosen < everything / 5


@pytest.mark.parametrize(
    "only",
    [Only(Span("item 0100", "item 0149")), Only(["item 0100"]), Only(since=pd.Timestamp("2024-01-01 05:00"))],
)
def test_rows_that_are_wanted_are_all_that_is_sent(places: Places, only: Only):
    number = np.arange(20_000)
    frame = pd.DataFrame(
        {
            "item_id": [f"item {n % 1000:04d}" for n in number],
            "timestamp": pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(number, unit="s")).dt.as_unit("us"),
            "target": number / 7,
        }
    )
    key, address = [fresh_name(), "t"], places.address("mariadb")
    places.tables("mariadb").write(key, frame, "p")
    port = re.findall(r":(\d+)", address)[-1]
    with counted(int(port)) as (relay, sent):
        tables = SqlTables(address.replace(f":{port}", f":{relay}"))
        pd.testing.assert_frame_equal(tables.read(key), frame)
        everything = sum(sent)
        found = tables.read(key, only=only)
        assert 0 < len(found) < len(frame) / 8
        assert sum(sent) - everything < everything / 5
