"""One spec from its YAML file, with every wrong field told at once."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mlops_assets.errors import UsageError
from mlops_assets.spec.forecast import ForecastSpec
from mlops_assets.spec.messages import aside, describe, field_and_line
from mlops_assets.spec.parts import VARIABLE
from mlops_assets.spec.sources import SOURCES
from mlops_assets.spec.yaml_read import Document, YamlTextError, read_yaml

LARGEST = 100_000
"""Bytes of a spec's file at most: what is larger is no spec, and would take seconds to read."""
MOST_TOLD = 30
"""Wrong fields of one file that are told at most."""
COMPONENT = "mlops_assets.Forecast"
"""Type of a component of Dagster whose attributes are a spec."""


class SpecError(UsageError):
    """A spec that cannot be used; the message names the file and every wrong field."""


def load_spec(file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read one spec.

    Args:
        file: the YAML file.
        environ: where `${VARIABLE}` in the source is looked up. Default: the process's environment.

    Raises:
        SpecError: the file cannot be read or breaks the rules; the message has one line for each wrong field.
    """
    try:
        if file.exists() and not file.is_file():
            raise SpecError(f"{file}: no file that can be read")
        if file.stat().st_size > LARGEST:
            raise SpecError(f"{file}: larger than {LARGEST // 1000} kB, which no spec is")
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{file}: not UTF-8 text (line {line}); save it as UTF-8") from None
    return parse_spec(text, file, environ)


def parse_spec(text: str, file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read a spec from its text; `file` is for messages and relative paths. Raises as `load_spec` does."""
    try:
        document = read_yaml(text)
    except YamlTextError as error:
        raise SpecError(f"{file}: not valid YAML: {error}") from None
    for key in place_of_fields(document.values):
        document = document.below(key)
    return spec_of(document, file, environ)


def place_of_fields(values: Any) -> tuple[str, ...]:
    """Return the keys below which a file's values have the fields of the spec: none, but in a component's file."""
    return ("attributes",) if isinstance(values, dict) and values.get("type") == COMPONENT else ()


def spec_of(document: Document, file: Path, environ: Mapping[str, str] | None = None) -> ForecastSpec:
    """Read a spec from what its file holds. Raises as `load_spec` does."""
    values = document.values
    if not isinstance(values, dict):
        raise SpecError(f"{file}: holds no fields; start with name:, source:, columns:")
    problems = [f"{field_and_line(path, document)}: stands twice" for path, _ in document.repeated]
    declared = values.get("source")
    environ = os.environ if environ is None else environ
    values = _expanded(values, (), environ, document, problems)
    spec = None
    if not problems:
        try:
            spec = ForecastSpec.model_validate(values)
        except ValidationError as error:
            problems = [
                describe(problem, document) for problem in error.errors(include_url=False) if not aside(problem)
            ]
    if spec is None:
        head = f"{file}: " if len(problems) == 1 else f"{file}: {len(problems)} problems\n  - "
        more = [f"and {len(problems) - MOST_TOLD} more"] if len(problems) > MOST_TOLD else []
        raise SpecError(head + "\n  - ".join([*problems[:MOST_TOLD], *more]))
    return spec.read_from(file.resolve(), declared if isinstance(declared, dict) else None)


_PLACES = re.compile(r"source|covariates\.sources\.\d+\.(source|future)|calendars\.\d+")
"""What of a spec may hold `${VARIABLE}`, in some fields."""
_EXPANDED = ("url", "path", "table", "headers")
_SECRET_HEADER = re.compile("auth|key|token|secret|cookie|pass", re.IGNORECASE)
_IN_THE_FILE = "no secret in the file: write ${NAME} and set that variable"


def _expanded(
    value: Any, path: tuple[str, ...], environ: Mapping[str, str], document: Document, problems: list[str]
) -> Any:
    """Look through a spec for what may hold variables, and return it with them replaced."""
    is_place = _PLACES.fullmatch(".".join(path)) is not None
    kind = value.get("kind") if is_place and isinstance(value, dict) and path[0] != "calendars" else None
    of_others = isinstance(kind, str) and kind not in SOURCES
    if is_place and not of_others:
        return _expand(value, path, len(path), environ, document, problems)
    if path == ("external",) or of_others:
        _check_variables(value, path, environ, document, problems)
        return value
    if isinstance(value, dict):
        return {key: _expanded(part, (*path, str(key)), environ, document, problems) for key, part in value.items()}
    if isinstance(value, list):
        return [_expanded(part, (*path, str(n)), environ, document, problems) for n, part in enumerate(value)]
    return value


def _expand(
    value: Any, path: tuple[str, ...], depth: int, environ: Mapping[str, str], document: Document, problems: list[str]
) -> Any:
    """Replace `${NAME}` by the environment's variable, so that no secret need stand in the file."""
    if isinstance(value, dict):
        return {
            key: _expand(part, (*path, str(key)), depth, environ, document, problems) for key, part in value.items()
        }
    if not isinstance(value, str) or len(path) == depth:
        return value
    where = field_and_line(path, document)
    if path[depth] == "headers" and "${" not in value and _SECRET_HEADER.search(path[-1]):
        problems.append(f"{where}: {_IN_THE_FILE}")
        return value
    if "${" in value and path[depth] not in _EXPANDED:
        problems.append(f"{where}: ${{...}} is replaced in {', '.join(_EXPANDED)} only")
        return value
    problems += [f"{where}: {problem}" for problem in _faults(value, environ)]
    return VARIABLE.sub(lambda match: environ.get(match.group(1), ""), value)


def _check_variables(
    value: Any, path: tuple[str, ...], environ: Mapping[str, str], document: Document, problems: list[str]
) -> None:
    """Look through the fields of a service: their variables are set; their values are filled in when it is called."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            _check_variables(part, (*path, str(key)), environ, document, problems)
    if not isinstance(value, str):
        return
    where = field_and_line(path, document)
    if path[-2:-1] == ("headers",) and "${" not in value and _SECRET_HEADER.search(path[-1]):
        problems.append(f"{where}: {_IN_THE_FILE}")
    problems += [f"{where}: {problem}" for problem in _faults(value, environ)]


def _faults(text: str, environ: Mapping[str, str]) -> list[str]:
    """Say what is wrong with the variables of a text."""
    unset = [name for name in VARIABLE.findall(text) if not environ.get(name)]
    faults = [f"the environment variable {name} is not set" for name in unset]
    return [*faults, "write a variable as ${NAME}"] if "${" in VARIABLE.sub("", text) else faults
