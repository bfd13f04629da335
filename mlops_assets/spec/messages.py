"""What is wrong with a field, as text: where, what was found, what is allowed."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel

from mlops_assets.forecasting.model import extensions
from mlops_assets.spec.forecast import ForecastSpec
from mlops_assets.spec.model import BOOSTING_PARAMETERS, FOREST_PARAMETERS
from mlops_assets.spec.parts import choice
from mlops_assets.spec.sources import OWN, SOURCES, FileSource, OwnSource
from mlops_assets.spec.yaml_read import Document

_NEEDED = {
    "string_type": "text is needed here",
    "int_type": "a whole number is needed here",
    "int_from_float": "a whole number is needed here",
    "float_type": "a number is needed here",
    "finite_number": "a finite number is needed here",
    "bool_type": "true or false is needed here",
    "list_type": "a list is needed here, such as [a, b]",
    "dict_type": "a mapping is needed here, such as name: value",
    "string_too_short": "it is empty",
    "string_too_long": "too long, at most {max_length} character",
    "too_short": "at least {min_length} is needed",
    "too_long": "at most {max_length} are allowed",
    "string_pattern_mismatch": "use small letters, digits and _, first a letter, at most 63 in all",
    "invalid_key": "the name of a field is text",
}


_SOURCES = {**SOURCES, OWN: OwnSource}
_OF_SOURCES = ("source", "future")
"""Fields that hold a source of any kind."""
_SECRET = [(place, field) for place in _OF_SOURCES for field in ("url", "headers")]


_NUMBER, _NAME = "float", "constrained-str"
"""What pydantic calls the two things that a field may be which takes a number or the name of a column."""


def aside(problem: Any) -> bool:
    """Whether a problem is of what was not meant: no name, where a number stands, and the other way round."""
    return problem["loc"][-1:] == ((_NUMBER if isinstance(problem["input"], str) else _NAME),)


def describe(problem: Any, document: Document) -> str:
    """One line for one wrong field: path, line, what was found, what is allowed, the nearest right name.

    What was found is quoted from the file, where a variable is only named: its value may be a secret.
    """
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    loc = tuple(map(str, problem["loc"]))
    path = tuple(p for i, p in enumerate(loc) if not p.startswith("[") and not _is_tag(loc, i))
    path += getattr(context.get("error"), "path", ())
    where = field_and_line(path, document)
    if kind == "extra_forbidden" and path[:-1] == ("model",) and path[-1] in (*FOREST_PARAMETERS, *BOOSTING_PARAMETERS):
        return f"{where}: a parameter of the regressor; it stands below parameters: model.parameters.{path[-1]}"
    if kind == "extra_forbidden":
        return f"{where}: unknown field; {choice(path[-1], _fields(_model_at(path[:-1], loc)))}"
    if kind == "missing":
        field = _model_at(path[:-1], loc).model_fields[path[-1]]
        return f"{where}: missing{f' ({field.description})' if field.description else ''}"
    if kind in ("union_tag_not_found", "union_tag_invalid") and isinstance(found, dict):
        shown = document.positions.get((*path, "kind"))
        allowed = ", ".join([*SOURCES, *extensions.names(extensions.SOURCES)])
        given = f"found {shown.text}; " if shown is not None else "missing; "
        return f"{field_and_line((*path, 'kind'), document)}: {given}allowed: {allowed}"
    if kind == "literal_error":
        message = choice(found, context["expected"].replace("'", "").replace(" or ", ", ").split(", "))
    elif kind in ("model_type", "model_attributes_type", "union_tag_not_found"):
        of_source = bool(path) and path[-1] in _OF_SOURCES
        fields = ("kind", "and what goes with it") if of_source else _model_at(path, loc).model_fields
        message = f"fields are needed here: {', '.join(fields)}"
    elif kind in _NEEDED:
        message = _NEEDED[kind].format(**context)
    else:
        message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    if kind == "string_type" and isinstance(found, bool | int | float):
        message += ": put it in quotes"
    shown = _shown(path, found, document)
    known = shown is None or (shown.startswith("'") and shown in message)
    return f"{where}: {message}" if known else f"{where}: found {shown}; {message}"


def _is_tag(loc: tuple[str, ...], place: int) -> bool:
    """Whether a part of a location is no field, but says of which kind a source is, or what else could stand there."""
    if loc[place] in (_NUMBER, _NAME):
        return place == len(loc) - 1
    return place > 0 and loc[place] in SOURCES and loc[place - 1] in _OF_SOURCES


def field_and_line(path: tuple[str, ...], document: Document) -> str:
    """Name a field and the line where it stands, or where that it is missing from stands."""
    above = (document.positions[path[:n]] for n in range(len(path), 0, -1) if path[:n] in document.positions)
    line = next((f" (line {position.line})" for position in above), "")
    return f"{'.'.join(path) or 'the file'}{line}"


def _shown(path: tuple[str, ...], found: Any, document: Document) -> str | None:
    """What stands at a path, as the file has it; None for what is long, absent or may be a secret."""
    position = document.positions.get(path)
    if position is None or any(pair in _SECRET for pair in pairwise(path)):
        return None
    return repr(found) if isinstance(found, list) and position.text is None else position.text


def _fields(model: type[BaseModel]) -> list[str]:
    """Names of a part's fields, its own before those that it shares with others."""
    return sorted(model.model_fields, key=lambda name: name not in model.__annotations__)


def _model_at(path: tuple[str, ...], loc: tuple[str, ...]) -> type[BaseModel]:
    """The part of the spec at a path."""
    model: type[BaseModel] = ForecastSpec
    for name in path:
        if name in _OF_SOURCES:
            model = next((_SOURCES[part] for part in loc if part in _SOURCES), FileSource)
        elif not name.isdigit():
            model = next(_parts_in(model.model_fields[name].annotation))
    return model


def _parts_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the parts that a type is made of: itself, those of a list, of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _parts_in(inner)
