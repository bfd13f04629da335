"""Values are changed where they stand, and nothing else is."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.spec.yaml_edit import set_values

KIND, LEAF = ("model", "kind"), ("model", "parameters", "leaf")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1  # one\n", "a: 1  # one\nmodel: {kind: extra}\nFINAL"),
        ("model:\n  kind: old  # why\n  seed: 0\nz: 1\n", "model:\n  kind: extra  # why\n  seed: 0\nz: 1\nFINAL"),
        ("model:\n  seed: 0  # why\nz: 1\n", "model:\n  kind: extra\n  seed: 0  # why\nz: 1\nFINAL"),
        ("model: {seed: 0}  # why\n", "model: {seed: 0, kind: extra}  # why\nFINAL"),
        ("model: {}\n", "model: {kind: extra}\nFINAL"),
        ("model:\nz: 1\n", "model: {kind: extra}\nz: 1\nFINAL"),
        ("model: {\n  seed: 0,\n}\n", "model: {\n  seed: 0, kind: extra}\nFINAL"),
    ],
)
def test_a_value_is_set_where_it_belongs(before, after):
    assert set_values(before, {KIND: "extra"}) == after.removesuffix("FINAL")


def test_mappings_on_the_way_are_made_and_filled():
    text = set_values("a: 1\n", {LEAF: 4, ("model", "parameters", "share"): 0.5, ("model", "rows"): None})
    assert text == "a: 1\nmodel: {parameters: {leaf: 4, share: 0.5}, rows: null}\n"


def test_a_path_through_a_value_is_refused():
    with pytest.raises(ValueError, match="model is not a mapping"):
        set_values("model: forest\n", {KIND: "extra"})


NAMES = st.sampled_from(["a", "b", "model", "parameters", "leaf"])
PLAIN = st.integers() | st.booleans() | st.none() | st.sampled_from(["x", "no", "1e3", "a: b", "sklearn.tree.T"])
TREES = st.dictionaries(
    NAMES, st.recursive(PLAIN, lambda below: st.dictionaries(NAMES, below, min_size=1), max_leaves=8)
)


def test_a_block_is_replaced_by_a_value_and_what_follows_it_stays():
    text = "model:\n  parameters:\n    leaf:\n      a: null\n  # told\nb: |\n  x\n\nc: 1\n"
    found = set_values(text, {LEAF: "no", ("b",): None})
    assert yaml.safe_load(found) == {"model": {"parameters": {"leaf": "no"}}, "b": None, "c": 1}
    assert "# told" in found


@settings(max_examples=150, deadline=None)
@given(tree=TREES.filter(bool), flow=st.sampled_from([None, False, True]), value=PLAIN)
def test_whatever_the_text_its_values_are_the_old_ones_and_the_new(tree, flow, value):
    text = yaml.safe_dump(tree, default_flow_style=flow, sort_keys=False)
    try:
        found = yaml.safe_load(set_values(text, {LEAF: value}))
    except ValueError:
        at = tree["model"]
        assert not isinstance(at, dict) or not isinstance(at["parameters"], dict)
        return
    expected = {**tree}
    model = {**(expected.get("model") or {})}
    model["parameters"] = {**(model.get("parameters") or {}), "leaf": value}
    assert found == {**expected, "model": model}
