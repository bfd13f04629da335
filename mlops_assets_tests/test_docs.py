"""The documents name what there is."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from mlops_assets.catalog.descriptions import to_markdown
from mlops_assets.forecasting.data.contract import REASONS
from mlops_assets.spec import ForecastSpec

DOCS = Path(__file__).parent.parent / "docs"


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
