"""YAML 1.2 as editors read it; what is no YAML is placed and not quoted."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.spec import (
    SpecError,
    parse_spec,
)
from mlops_assets.spec.yaml_read import read_yaml
from mlops_assets_tests.spec.declared import FILE, MINIMAL, TEXT, changed, problem


def test_text_that_older_yaml_takes_for_something_else_stays_text():
    spec = parse_spec(
        changed("{item_id: i, timestamp: t, target: y}", "{item_id: no, timestamp: on, target: 6:30}")
        + "holidays: NO\ndescription: 2013-01-01\n",
        FILE,
    )
    assert spec.columns.item_id == ["no"]
    assert (spec.columns.timestamp, spec.columns.target) == ("on", "6:30")
    assert spec.holidays == "NO"
    assert spec.description == "2013-01-01"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_json_is_read_as_what_it_says(values: Any):
    assert read_yaml(json.dumps(values, ensure_ascii=False)).values == values


def test_numbers_of_yaml_1_2_are_numbers():
    text = "[0, -12, 3.5, 1e3, .5, +7, .inf, 010, 0x1f, 1_000, 2013-01-01]"
    values = read_yaml(text).values
    assert values == [0, -12, 3.5, 1000.0, 0.5, 7, float("inf"), "010", "0x1f", "1_000", "2013-01-01"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [\n", "line 2, column 1: while parsing a flow node"),
        ("name: demo\nsource:\n\tkind: file\n", "line 3, column 1: "),
        (MINIMAL + "---\n" + MINIMAL, "line 7, column 1: expected a single document"),
        ("name: !!python/object:os.system x\n", "line 1, column 7: could not determine a constructor"),
        ("name: *nowhere\n", "line 1, column 7: found undefined alias"),
        ("? [a, b]\n: 3\n", "line 1, column 3: while constructing a mapping, found unhashable key"),
        ("name: \x00\n", "unacceptable character #x0000"),
        ("a: &a [*a]\n", "an anchor (&) holds itself"),
    ],
)
def test_broken_yaml_is_placed(text, says):
    assert problem(text).startswith(f"not valid YAML: {says}")


def test_broken_yaml_is_not_quoted():
    assert "hunter2" not in problem("source: {kind: sql, url: 'x://u:hunter2@h\n")


def test_a_character_in_two_halves_is_one_and_half_a_character_is_told():
    assert parse_spec(MINIMAL + 'description: "a \\ud83d\\ude80"', FILE, {}).description == "a 🚀"
    with pytest.raises(SpecError, match=r"not valid YAML: line \d+, column 14: half of a character"):
        parse_spec(MINIMAL + 'description: "\\ud83d"', FILE, {})
