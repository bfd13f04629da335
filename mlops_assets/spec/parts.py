"""What all parts of a spec have in common."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from mlops_assets.errors import nearest


class MisfitError(ValueError):
    """Fields that are right by themselves and wrong together; `path` says which one to look at."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = tuple(path.split("."))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[
    list[Name],
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class Part(BaseModel):
    """Base of all parts: unknown fields are errors, no type is guessed, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def choice(given: Any, allowed: Iterable[str]) -> str:
    """Say what is allowed and which of it is nearest to what was found."""
    names = list(allowed)
    near = nearest(given, names, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? Allowed" if near else "allowed"
    return f"{hint}: {', '.join(names)}"


def repeated(names: Iterable[str]) -> str:
    """Name what stands more than once; empty where nothing does."""
    return ", ".join(repr(name) for name, count in Counter(names).items() if count > 1)
