"""Fields on how text is written: what they take, and what is said of what they do not."""

from typing import Any

import pytest
import yaml

from mlops_assets.catalog.graph import Graph
from mlops_assets.forecasting.data.numbers import NumberFormat
from mlops_assets.spec import SpecError, load_spec
from mlops_assets_tests.worlds import SPEC, declare


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoding": "utf8mb4"}, "found 'utf8mb4'; not an encoding such as cp1252"),
        ({"encoding": "base64"}, "not an encoding such as cp1252"),
        ({"decimal": "comma"}, "source.decimal (line 6): found 'comma'; allowed: ., ,"),
        ({"decimal": ",", "thousands": ","}, "source.thousands (line 7): found ','; the same sign as decimal"),
        ({"delimiter": ";;"}, "source.delimiter (line 6): found ';;'; too long"),
        ({"latest_wins": "newest"}, "source.latest_wins (line 6): found 'newest'; allowed: name, modified"),
        ({"format": "xlsx"}, "source.format (line 6)"),
        ({"na_values": [None]}, "source.na_values.0"),
        ({"complete": "yes"}, "true or false is needed here"),
    ],
)
def test_a_wrong_field_is_told(tmp_path, fields, message):
    file = tmp_path / "demo.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "source": {"kind": "file", "path": "a.csv", **fields}}, sort_keys=False))
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert message in str(caught.value)


def numbers(folder, **fields: Any) -> NumberFormat:
    return Graph(declare(folder, source=fields)).contract.numbers


def test_every_kind_of_source_knows_how_numbers_are_written(tmp_path):
    written = {"decimal": ",", "thousands": ".", "na_values": ["sold out", -999]}
    form = NumberFormat(",", ".", ("sold out", "-999"))
    assert numbers(tmp_path, kind="file", path="a.csv", **written) == form
    assert numbers(tmp_path, kind="sql", url="sqlite:///a.db", table="sales", **written) == form
    assert numbers(tmp_path, kind="http", url="https://example.com", **written) == form
    assert numbers(tmp_path, kind="file", path="a.csv", na_values=-999).na_values == ("-999",)


def test_what_is_not_declared_leaves_the_fingerprint_as_it_was(tmp_path):
    plain = declare(tmp_path).fingerprint()
    assert declare(tmp_path, source={"kind": "file", "path": "sales.csv", "decimal": ","}).fingerprint() == plain
