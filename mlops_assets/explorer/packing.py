"""Answers made small for a file: every text once, a column of one value as that value."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

_PLAIN = {str, float, int, bool, NoneType}
_EXACT = 2**53
"""Whole numbers below it are the same as integers."""


def packed(documents: Mapping[str, Any]) -> dict[str, Any]:
    """Return documents as `unpacked` in packing.js reads them.

    Args:
        documents: answers; those with `columns` are made small.

    Returns:
        `texts`, and `documents`, in whose columns a list stays as it is, `{"is": value, "rows": count}` is a column of
        one value, and `{"texts": [...]}` one of texts, by their place in `texts` (None: missing).
    """
    texts: dict[str, int] = {}

    def small(values: list[Any]) -> Any:
        kinds = set(map(type, values))
        if len(kinds) == 1 and kinds <= _PLAIN and values.count(values[0]) == len(values):
            return {"is": values[0], "rows": len(values)}
        if kinds <= {str, NoneType}:
            return {"texts": [None if one is None else texts.setdefault(one, len(texts)) for one in values]}
        if kinds <= {float, NoneType}:
            return [int(one) if one is not None and one.is_integer() and abs(one) < _EXACT else one for one in values]
        return values

    made = {
        key: {**answer, "columns": {name: small(values) for name, values in answer["columns"].items()}}
        if isinstance(answer, Mapping) and "columns" in answer
        else answer
        for key, answer in documents.items()
    }
    return {"texts": list(texts), "documents": made}
