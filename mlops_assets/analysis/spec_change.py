"""A spec's file with other settings of its model, and everything else as it stood."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets.reading.questions import QuestionError
from mlops_assets.spec import ForecastSpec, SpecError, parse_spec
from mlops_assets.spec.reading import place_of_fields
from mlops_assets.spec.yaml_edit import set_values
from mlops_assets.spec.yaml_read import read_yaml


def changed_text(spec: ForecastSpec, model: ModelSettings) -> str:
    """Return the spec's file with other settings of the model, and nothing else changed.

    Raises:
        QuestionError: the file cannot be changed by itself; the message says what to set by hand.
    """
    old = spec.task.model
    values: dict[tuple[str, ...], Any] = {
        ("model", name): getattr(model, name)
        for name in ("kind", "max_training_rows")
        if getattr(model, name) != getattr(old, name)
    }
    values |= {
        ("model", "parameters", name): value
        for name, value in model.parameters.items()
        if name not in old.parameters or old.parameters[name] != value
    }
    try:
        text = Path(spec.file).read_text(encoding="utf-8-sig")
        top = place_of_fields(read_yaml(text).values)
        text = set_values(text, {(*top, *path): value for path, value in values.items()})
        found = parse_spec(text, Path(spec.file))
    except (ValueError, SpecError) as error:
        raise QuestionError(f"{spec.file} cannot be changed by itself ({error}); set {_assignments(values)}") from None
    if found.task != replace(spec.task, model=model):
        raise QuestionError(f"{spec.file} cannot be changed by itself; set {_assignments(values)}")
    return text


def _assignments(values: Mapping[tuple[str, ...], Any]) -> str:
    return ", ".join(f"{'.'.join(path)}: {value}" for path, value in values.items())


def diff(spec: ForecastSpec, new: str) -> str:
    """Return the way from the spec's file to a new text of it, as a unified diff."""
    old = Path(spec.file).read_text(encoding="utf-8-sig") if Path(spec.file).exists() else ""
    name = Path(spec.file).name
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), name, name, n=2))
