"""Model files: equal bytes for equal models, and nothing is loaded that was changed or does not belong."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_assets.forecasting.model import model_file
from mlops_assets.forecasting.model.model_file import ModelFileError


def fitted(kind: str = "forest") -> Any:
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    random = np.random.default_rng(0)
    X, y = random.random((200, 3)), random.random(200)
    models: dict[str, Any] = {
        "forest": RandomForestRegressor(5, random_state=0),
        "extra trees": ExtraTreesRegressor(3, random_state=0),
        "boosting": HistGradientBoostingRegressor(max_iter=5, random_state=0),
        "pipeline": make_pipeline(StandardScaler(), Ridge()),
    }
    return models[kind].fit(X, y)


def rewritten(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return the archive with its members changed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(sink, "w") as out:
        for name in archive.namelist():
            out.writestr(name, change(name, archive.read(name)))
    return sink.getvalue()


def tampered(data: bytes, field: str, value: Any) -> bytes:
    """Return a model file in which the root of every tree says something else."""

    def change(name: str, content: bytes) -> bytes:
        if not name.endswith(".npy"):
            return content
        array = np.load(io.BytesIO(content), allow_pickle=False)
        if array.dtype.names is None or field not in array.dtype.names:
            return content
        array[field][0] = value
        sink = io.BytesIO()
        np.save(sink, array, allow_pickle=False)
        return sink.getvalue()

    changed = rewritten(data, change)
    assert changed != data
    return changed


@pytest.mark.parametrize("kind", ["forest", "extra trees", "boosting", "pipeline"])
def test_a_model_comes_back_and_equal_models_are_equal_bytes(kind: str, tmp_path: Path):
    state = {"model": fitted(kind), "quantiles": (0.1, 0.5), "names": ["a"], "times": np.array(["2024"], "M8[us]")}
    sha256 = model_file.save(state, tmp_path / "model.skops")
    found = model_file.load(tmp_path / "model.skops", sha256)
    X = np.random.default_rng(1).random((50, 3))
    np.testing.assert_array_equal(found["model"].predict(X), state["model"].predict(X))
    assert found["quantiles"] == (0.1, 0.5)
    if not (kind == "boosting" and sklearn.__version__ < "1.8"):  # a restored one has other bytes there
        assert model_file.dumps(found) == (tmp_path / "model.skops").read_bytes()
    assert model_file.dumps({**state, "model": fitted(kind)}) == model_file.dumps(state)


def test_a_changed_file_is_refused_by_its_checksum():
    data = model_file.dumps({"model": fitted()})
    with pytest.raises(ModelFileError, match=r"not the file that was saved.*recorded was 00"):
        model_file.loads(data, "00")
    with pytest.raises(ModelFileError, match="not a model file"):
        model_file.loads(data[:-100])


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("forest", "left_child", 10**6, "node 0: a child outside the tree"),
        ("forest", "right_child", 0, "node 0: a child outside the tree"),
        ("forest", "left_child", -7, "node 0: a child outside the tree"),
        ("forest", "feature", 3, "node 0: a feature out of bounds"),
        ("forest", "feature", -1, "node 0: a feature out of bounds"),
        ("forest", "threshold", np.nan, "node 0: a threshold"),
        ("extra trees", "left_child", 10**6, "a child outside"),
        ("boosting", "left", 10**6, "a child outside"),
        ("boosting", "feature_idx", 99, "a feature out of bounds"),
    ],
)
def test_a_tampered_tree_is_refused_before_it_predicts(kind: str, field: str, value: Any, message: str):
    data = tampered(model_file.dumps({"model": fitted(kind)}), field, value)
    with pytest.raises(ModelFileError, match=message):
        model_file.loads(data)


@pytest.mark.parametrize(
    "node",
    [
        {"__loader__": "FunctionNode", "__module__": "os", "__class__": "system"},
        {"__loader__": "ObjectNode", "__module__": "subprocess", "__class__": "Popen"},
        {"__loader__": "ObjectNode", "__module__": "sklearn.ensemble._forest", "__class__": "effective_n_jobs"},
        {"__loader__": "TypeNode", "__module__": "os", "__class__": "PathLike"},
        {"__loader__": "OperatorFuncNode", "__module__": "operator", "__class__": "methodcaller"},
        {"__loader__": "MethodNode", "__module__": "builtins", "__class__": "str"},
        {"__loader__": "DictNode", "__module__": "os", "__class__": "system"},
    ],
)
def test_what_is_not_on_the_list_is_never_built(node: dict[str, str]):
    def change(name: str, content: bytes) -> bytes:
        if name != "schema.json":
            return content
        schema = json.loads(content)
        schema["content"]["extra"] = {**node, "content": "echo owned", "__id__": 10**6}
        return json.dumps(schema).encode()

    data = rewritten(model_file.dumps({"a": 1}), change)
    with pytest.raises(ModelFileError, match="not on the list of types"):
        model_file.loads(data)


@pytest.mark.parametrize("value", [print, lambda x: x, os, object()])
def test_what_could_not_be_loaded_is_not_saved(value: Any):
    with pytest.raises(ModelFileError, match=r"plain containers|not on the list"):
        model_file.dumps({"value": value})


def test_an_archive_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch):
    data = model_file.dumps({"zeros": np.zeros(10**6)})
    assert len(data) < 10**5
    monkeypatch.setattr(model_file, "LARGEST", 10**6)
    with pytest.raises(ModelFileError, match="unpacks to"):
        model_file.loads(data)


def test_the_trees_of_a_large_forest_are_checked_quickly():
    """126,000 nodes are checked in tens of milliseconds; a hundred times that would be noticed."""
    import time

    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    forest = RandomForestRegressor(10, random_state=0).fit(random.random((10_000, 3)), random.random(10_000))
    begun = time.process_time()
    model_file.check_trees({"model": forest})
    assert time.process_time() - begun < 2.0


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text() | arrays(np.float64, (2, 1)),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(0, 99) | st.floats(0, 1), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(PLAIN)
def test_what_is_plain_is_rebuilt_as_skops_does(state: Any):
    import skops.io

    data = model_file.dumps(state)
    assert model_file.dumps(model_file.loads(data)) == model_file.dumps(skops.io.loads(data)) == data
