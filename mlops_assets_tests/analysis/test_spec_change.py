"""Other settings of a model in the file that a spec stands in, be it one of a Dagster component."""

from dataclasses import replace
from textwrap import indent

import pytest

from mlops_assets.analysis.spec_change import changed_text, diff
from mlops_assets.spec import load_spec, parse_spec
from mlops_assets_tests.worlds import declare


@pytest.mark.parametrize("model", [{"kind": "random_forest", "parameters": {"min_samples_leaf": 400}}, None])
def test_a_component_is_changed_below_its_attributes(tmp_path, model):
    text = (tmp_path / declare(tmp_path, model=model or {"kind": "random_forest"}).file).read_text()
    if model is None:  # the field is not there yet
        text = "\n".join(line for line in text.splitlines() if not line.startswith(("model:", "  kind: random_forest")))
    file = tmp_path / "demo" / "defs.yaml"
    file.parent.mkdir()
    file.write_text(f"type: mlops_assets.Forecast\nattributes:\n{indent(text, '  ')}\n", encoding="utf-8")
    spec = load_spec(file)
    better = replace(spec.task.model, parameters={**spec.task.model.parameters, "min_samples_leaf": 7})
    new = changed_text(spec, better)
    assert parse_spec(new, file).task == replace(spec.task, model=better)
    added = [line for line in diff(spec, new).splitlines() if line.startswith("+") and not line.startswith("+++")]
    assert len(added) == 1
    assert "min_samples_leaf: 7" in added[0]
