"""What the value of a kind's parameter may be, said without the library that takes it."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import nearest

Rule = Callable[[object], str]
"""Says what is wrong with a value; an empty text where nothing is."""


def one_of(*allowed: str | bool | None) -> Rule:
    """Allow some values; of others, say the nearest right one."""

    def refusal(value: object) -> str:
        if any(value is one or (isinstance(one, str) and value == one) for one in allowed):
            return ""
        near = nearest(value, [one for one in allowed if isinstance(one, str)], cutoff=0.3)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{hint}It may be {', '.join('null' if one is None else str(one) for one in allowed)}"

    return refusal


def between(low: float, high: float, whole: bool = False) -> Rule:
    """Allow numbers from one to another, both included."""
    needed = f"a {'whole number' if whole else 'number'} from {low:g} to {high:g} is needed"

    def refusal(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float) or (whole and not isinstance(value, int)):
            return needed
        return "" if low <= value <= high else needed

    return refusal


def like(pattern: str, needed: str) -> Rule:
    """Allow texts of a pattern, which `needed` describes."""
    return lambda value: "" if isinstance(value, str) and re.fullmatch(pattern, value) else f"{needed} is needed"


def anything(value: object) -> str:
    """Allow what only the library itself can judge."""
    return ""
