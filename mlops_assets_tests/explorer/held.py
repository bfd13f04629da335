"""What a page that is one file holds."""

import json
import re
from typing import Any


def held(page: str) -> dict[str, Any]:
    """Return the answers by the key of their question, as `unpacked` in packing.js gives them."""
    found = re.search(r'<script type="application/json" id="documents">(.*?)</script>', page, re.S)
    assert found is not None
    packed = json.loads(found[1])
    return {key: _unpacked(answer, packed["texts"]) for key, answer in packed["documents"].items()}


def _unpacked(answer: dict[str, Any], texts: list[str]) -> dict[str, Any]:
    if "columns" not in answer:
        return answer
    return {**answer, "columns": {name: _values(column, texts) for name, column in answer["columns"].items()}}


def _values(column: Any, texts: list[str]) -> list[Any]:
    if isinstance(column, list):
        return column
    if "texts" in column:
        return [None if at is None else texts[at] for at in column["texts"]]
    return [column["is"]] * column["rows"]
