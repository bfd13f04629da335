"""Who asks for a column is not sent the others: counted in bytes on the wire."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.io_managers import ObjectTables, SqlTables, Tables
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
