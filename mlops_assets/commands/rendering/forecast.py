"""A forecast, beside what it would be with changes, on a terminal: `mlops-assets forecast`."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from mlops_assets.forecasting.formatting import few


def tables(result: dict[str, Any]) -> Iterator[Any]:
    """Render a result for a terminal: totals by timestamp, and the items that change most."""
    from rich.markup import escape
    from rich.table import Table

    point, compared = result["point"], bool(result["changes"])
    yield f"[bold]{result['forecast']}[/bold] from {result['origin']}, by {result['model']}"
    if compared:
        yield f"compared with: {escape(', '.join(result['changes']))}"
    for warning in result["warnings"]:
        yield f"[yellow]![/yellow] {escape(warning)}"
    if result["left_out"]:
        count, items = len(result["left_out"]), escape(few(result["left_out"]))
        yield f"[yellow]![/yellow] {count} items are left out, nothing has been observed of them lately: {items}"
    rows = pd.DataFrame(result["rows"])
    yield f"\nsum of {point} over {rows['item_id'].nunique()} items"
    yield _table(Table("timestamp", *_heads(point, compared)), result["totals"], ["timestamp"], point, compared)
    summed = [point, "changed", "difference"] if compared else [point]
    items = rows.groupby("item_id", as_index=False)[summed].sum()
    items = items.reindex(items[summed[-1]].abs().sort_values(ascending=False).index).head(10)
    yield (
        "the items that change most, summed over the horizon"
        if compared
        else "the largest items, summed over the horizon"
    )
    yield _table(Table("item", *_heads(point, compared)), items.to_dict("records"), ["item_id"], point, compared)


def _heads(point: str, compared: bool) -> list[str]:
    return ["as things stand", "then", "difference", "%"] if compared else [point]


def _table(table: Any, rows: Sequence[dict[Any, Any]], first: list[str], point: str, compared: bool) -> Any:
    from rich.markup import escape

    for row in rows:
        cells = [f"{row[point]:,.1f}"]
        if compared:
            share = f"{row['difference'] / row[point]:+.1%}" if row[point] else "–"
            cells += [f"{row['changed']:,.1f}", f"{row['difference']:+,.1f}", share]
        table.add_row(*(escape(str(row[name])) for name in first), *cells)
    return table
