"""YAML 1.2 as editors read it; what is no YAML is placed and not quoted."""

import gc
import json
from time import thread_time
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


ONCE = "k0: &k0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
BOMBS = {
    "aliases": ONCE + "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]\n" for n in range(1, 10)),
    "merged mappings": "k0: &k0 {a: 1, b: 2}\n"
    + "".join(f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}\n" for n in range(1, 9)),
    "a long list": f"k: [{'1,' * 20_000}]",
    "a deep list": "[" * 40_000,
    "a deep mapping": "".join(" " * depth + "a:\n" for depth in range(300)),
    "deep through aliases": "k0: &k0 [1]\n" + "".join(f"k{n}: &k{n} [*k{n - 1}]\n" for n in range(1, 60)),
    "a number of many digits": f"horizon: {'9' * 5000}",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_text_that_would_hold_a_machine_up_is_refused_within_a_second(kind):
    gc.freeze()  # what the tests before have left in this process is not looked through again and again
    began = thread_time()
    said = problem(BOMBS[kind])
    seconds = thread_time() - began
    gc.unfreeze()
    assert seconds < 1
    assert said.removeprefix("not valid YAML: ") in (
        "more than 10,000 values, aliases (*) followed",
        "nested deeper than 40 levels",
        "a number cannot be read: Exceeds the limit (4300 digits) for integer string conversion",
    )


def test_an_alias_that_is_followed_a_few_times_is_fine():
    assert read_yaml("a: &a [1, 2]\nb: [*a, *a]\nc: {<<: {d: *a}}").values == {
        "a": [1, 2], "b": [[1, 2], [1, 2]], "c": {"d": [1, 2]}
    }  # fmt: skip


def test_a_character_in_two_halves_is_one_and_half_a_character_is_told():
    assert parse_spec(MINIMAL + 'description: "a \\ud83d\\ude80"', FILE, {}).description == "a 🚀"
    with pytest.raises(SpecError, match=r"not valid YAML: line \d+, column 14: half of a character"):
        parse_spec(MINIMAL + 'description: "\\ud83d"', FILE, {})
