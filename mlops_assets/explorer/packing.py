"""Answers made small for a file: every text once, a column of one value as that value."""

from collections.abc import Mapping
from typing import Any


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
        if not values:
            return values
        first = values[0]
        if not isinstance(first, list | dict) and all(type(one) is type(first) and one == first for one in values):
            return {"is": first, "rows": len(values)}
        if all(one is None or isinstance(one, str) for one in values):
            return {"texts": [None if one is None else texts.setdefault(one, len(texts)) for one in values]}
        if all(one is None or isinstance(one, float) for one in values):
            return [int(one) if one is not None and abs(one) < 2**53 and one == int(one) else one for one in values]
        return values

    made = {
        key: {**answer, "columns": {name: small(values) for name, values in answer["columns"].items()}}
        if isinstance(answer, Mapping) and "columns" in answer
        else answer
        for key, answer in documents.items()
    }
    return {"texts": list(texts), "documents": made}
