"""Code of others: the document's examples are those that are tested, and what they get wrong is told."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.errors import ModelFileError
from mlops_assets.forecasting.model import kinds

DOCUMENT = Path(__file__).parents[1] / "docs" / "extending.md"
FOREIGN = Path(__file__).parent / "foreign" / "acme"


def test_a_model_is_not_loaded_where_the_package_of_its_features_is_missing(monkeypatch):
    task = {"frequency": "D", "horizon": 1, "season_lengths": [7], "quantiles": [0.5]}
    task["model"] = {"kind": "random_forest", "features": ["paydays"], "parameters": {}}
    state = {"version": kinds.registry.forecaster.STATE_VERSION, "kind": "random_forest", "task": task}
    state["packages"] = {"paydays": "acme-forecasting==1.2.0"}
    with pytest.raises(ModelFileError, match=r"the model needs paydays \(acme-forecasting==1.2.0\): no feature"):
        kinds.rebuild(state)


def test_the_examples_of_the_document_are_those_of_the_package():
    """What is tested is what is printed: each block stands in a module of the foreign package, docstrings aside."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    modules = [_code(file.read_text(encoding="utf-8")) for file in FOREIGN.glob("*.py")]
    strange = [block for block in blocks if "# shop/" not in block and _code(block) not in modules]
    assert strange == []


def _code(text: str) -> str:
    return re.sub(r'\s+|"""[^"]*"""', "", text)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"b": [1.0]}, "gives no 'a'"),
        ({"a": [1.0, 2.0]}, r"has shape \(2,\), not \(1,\)"),
        ({"a": [float("inf")]}, "has an infinite value"),
        ({"a": ["text"]}, "failed: ValueError"),
    ],
)
def test_a_feature_that_is_none_is_told(monkeypatch, values, words):
    from mlops_assets.forecasting.model.extensions import ExtensionError
    from mlops_assets.forecasting.model.features import own
    from mlops_assets.forecasting.model.task import ModelSettings, Task

    class Odd:
        names = ("a",)

        def values(self, rows, past):
            return values

    monkeypatch.setattr(own, "load", lambda _: Odd())
    task = Task("D", 1, (7,), model=ModelSettings(features=("odd",)))
    with pytest.raises(ExtensionError, match=words):
        dict(own.columns(task, pd.DataFrame({"lead": [1]}), {}))
