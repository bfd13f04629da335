"""The documents name what there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.descriptions import to_markdown
from mlops_assets.forecasting.data.contract import REASONS
from mlops_assets.spec import ForecastSpec

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def fields(model: type[BaseModel], prefix: str = "") -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += fields(kind, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return found


@pytest.mark.parametrize("field", fields(ForecastSpec))
def test_every_field_of_the_spec_is_documented(field):
    assert f"`{field}`" in (DOCS / "spec.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_documented(reason):
    assert f"`{reason}`" in (DOCS / "spec.md").read_text(encoding="utf-8")


def test_the_tables_are_documented_as_they_are_declared():
    assert (DOCS / "tables.md").read_text(encoding="utf-8") == to_markdown(), "renew it: make schema"


def test_a_renamed_column_is_told_to_those_who_upgrade():
    told = (DOCS / "upgrading.md").read_text(encoding="utf-8")
    renamed = {(table, past, one.name) for table, columns in TABLES.items() for one in columns for past in one.formerly}
    missing = {(table, past, new) for table, past, new in renamed if f"| `{table}` | `{past}` | `{new}` |" not in told}
    assert renamed
    assert missing == set()


def test_this_version_has_a_section_in_the_change_log():
    (version,) = re.findall(r'^version = "([0-9.]+?)(?:\.dev\d+)?"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
