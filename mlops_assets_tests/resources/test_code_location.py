"""Which code location a run of a command belongs to: the one that Dagster's own commands load in that folder."""

import pytest
from dagster._core.workspace.load_target import get_origins_from_toml

from mlops_assets.resources.instance import CODE_LOCATION, code_location


@pytest.mark.parametrize(
    "project",
    [
        'root_module = "shop"',
        'root_module = "shop"\ncode_location_target_module = "shop.loaded"',
        'root_module = "shop"\ncode_location_name = "sales"',
    ],
)
def test_it_is_that_of_the_project(project, tmp_path):
    (tmp_path / "pyproject.toml").write_text(f"[tool.dg.project]\n{project}\n")
    (origin,) = get_origins_from_toml(str(tmp_path / "pyproject.toml"))
    assert code_location(tmp_path) == origin.location_name


@pytest.mark.parametrize("text", [None, "", "[tool.dg]\nproject = 3\n", "no toml", "[tool.dg.project]\n"])
def test_without_a_project_it_is_ours(text, tmp_path):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    assert code_location(tmp_path) == CODE_LOCATION == "mlops_assets.definitions"
