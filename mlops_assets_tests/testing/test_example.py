"""The model of one's own that docs/models.md shows keeps its promises, may be named in a spec, and travels."""

import re
import sys
from pathlib import Path

import pytest

from mlops_assets.forecasting.model import entry, kinds, model_file
from mlops_assets.spec import parse_spec
from mlops_assets.tracking.logged_model import Needs
from mlops_assets_tests.forecasting.panels import daily_panel
from mlops_assets_tests.spec.declared import FILE, plus, problem

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
MODEL, CHECK = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def my_models(tmp_path, monkeypatch):
    (tmp_path / "my_models.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "my_models.py"
    sys.modules.pop("my_models", None)


def test_it_keeps_its_promises(my_models):
    exec(CHECK, {})


def test_a_spec_names_it_and_knows_its_parameters(my_models):
    spec = parse_spec(plus("model: {kind: my_models.Drift, parameters: {window: 13}}"), FILE)
    assert spec.task.model.kind == "my_models.Drift"
    assert "did you mean 'window'?" in problem(plus("model: {kind: my_models.Drift, parameters: {windows: 13}}"))
    assert "my_models has no Drifts; did you mean Drift?" in problem(plus("model: {kind: my_models.Drifts}"))


def test_its_file_travels_with_a_logged_model_and_loads_by_its_name(my_models):
    from importlib.metadata import version

    task = parse_spec(plus("model: {kind: my_models.Drift}"), FILE).task
    needs = Needs.of(task.model.kind)
    assert needs == Needs((f"mlops-assets=={version('mlops-assets')}",), (str(my_models),))
    frame = daily_panel(items=2, days=60)
    model = kinds.fit(kinds.rows(frame, task), task)
    again = entry.rebuild(model_file.loads(model_file.dumps(kinds.state_of(model))))
    assert type(again).__name__ == "Drift"
    assert again.predict(frame).equals(model.predict(frame))


@pytest.mark.parametrize(
    ("kind", "names"), [("extra_trees", []), ("lightgbm", ["lightgbm"]), ("ets", ["statsforecast"])]
)
def test_a_logged_model_requires_the_library_of_its_kind(kind, names):
    assert [one.partition("==")[0] for one in Needs.of(kind).requirements] == names
