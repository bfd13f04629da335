"""Specs as text, changed in one place, and what is said of them."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

import mlops_assets
from mlops_assets.spec import (
    SpecError,
    parse_spec,
)

EXAMPLES = Path(mlops_assets.__file__).parent / "forecasts"
FILE = Path("forecasts/demo.yaml")
MINIMAL = """\
name: demo
source: {kind: file, path: a.csv}
columns: {item_id: i, timestamp: t, target: y}
frequency: D
partitions: {start: 2013-01-01}
horizon: 3
"""
FILE_SOURCE = "{kind: file, path: a.csv}"
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff"), max_size=9)


def changed(old: str, new: str) -> str:
    assert MINIMAL.count(old) == 1
    return MINIMAL.replace(old, new)


def plus(text: str) -> str:
    return MINIMAL + text + "\n"


def sql(fields: str) -> str:
    return changed(FILE_SOURCE, f"{{kind: sql, {fields}}}")


def problem(text: str, **environ: str) -> str:
    """The message about a spec, without the name of the file, which it must start with."""
    with pytest.raises(SpecError) as error:
        parse_spec(text, FILE, environ)
    message = str(error.value)
    assert message.startswith(f"{FILE}: ")
    return message.removeprefix(f"{FILE}: ")
