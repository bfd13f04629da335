"""What the page asks, and under which key a file holds the answer."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

_UNRESERVED = "-_.!~*'()"
"""What JavaScript's encodeURIComponent leaves as it is, besides letters and digits."""
BY = ("all", "lead", "period", "item", "segment", "version")
"""By what the page shows accuracy."""
TABLES = (
    "state",
    "overview",
    "quality",
    "items",
    "origins",
    "calibration",
    "changes",
    "timeline",
    "decisions",
    "models",
    "importances",
    "jobs",
)


def key_of(path: str, params: Mapping[str, Any]) -> str:
    """Return the key of a question, the same as `keyOf` in data.js: the path and its sorted query.

    Args:
        path: as `/v1/forecasts/shop_sales/items`.
        params: its parameters; None and empty text are left out, a list is repeated.
    """
    pairs = sorted(
        f"{quote(name, safe=_UNRESERVED)}={quote(_text(value), safe=_UNRESERVED)}"
        for name, given in params.items()
        for value in (given if isinstance(given, list | tuple) else [given])
        if value is not None and value != ""
    )
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def questions(name: str, items: Iterable[str] | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Return what the page asks of a forecast, as (path, parameters): a file that answers all of it lacks nothing.

    Args:
        name: the forecast.
        items: those that can be looked at; None asks for the rows of all items at once, which the page takes apart.
    """
    forecast = f"/v1/forecasts/{name}"
    each = [{}] if items is None else [{"item": item} for item in items]
    return [
        ("/v1/forecasts", {}),
        *((f"{forecast}/{table}", {}) for table in TABLES),
        *((f"{forecast}/accuracy", {"by": by}) for by in BY),
        *((f"{forecast}/observations", item) for item in each),
        *((forecast, {**item, "origin": "all", "role": "shadow"}) for item in each),
    ]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
