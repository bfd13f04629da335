"""The documents name what there is."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.descriptions import to_markdown
from mlops_assets.catalog.meaning import NOT_OF_ROWS
from mlops_assets.forecasting.data.contract import REASONS
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.sources import SOURCES

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


ANSWERS = ("nothing", "retrain", "ingest anew", "new forecast name")


def changing() -> dict[str, str]:
    """Return what docs/changing.md says of each field: its path to the first words of the answer."""
    found = {}
    for line in (DOCS / "changing.md").read_text(encoding="utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        names, answer = line.strip("| ").split(" | ")
        prefix = "source." if names.startswith("`source`:") else ""
        for name in re.findall("`([^`]+)`", names.removeprefix("`source`:")):
            found[f"{prefix}{name}"] = answer
    return found


def test_what_a_change_means_is_said_of_every_field_and_of_no_other():
    of_sources = {f"source.{name}" for part in SOURCES.values() for name in part.model_fields}
    assert changing().keys() == {*fields(ForecastSpec), *of_sources} - {"source"}
    assert all(any(answer in said for answer in ANSWERS) for said in changing().values())


@pytest.mark.parametrize("field", [name for name in changing() if name.startswith(("source.", "columns."))])
def test_what_is_to_be_ingested_anew_is_what_decides_on_the_rows(field):
    assert changing()[field].startswith("nothing" if field in NOT_OF_ROWS else "ingest anew")


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
