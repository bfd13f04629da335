"""A forecast, beside what it would be with changes, on a terminal: `mlops-assets forecast`."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from mlops_assets.analysis.at_once import TableForecast
from mlops_assets.analysis.what_if import ForecastResult
from mlops_assets.forecasting.formatting import few, plain_rows, stamp


def tables(result: ForecastResult) -> Iterator[Any]:
    """Render a forecast: one item's quantiles, or totals by timestamp and the items that change most or are largest."""
    from rich.markup import escape

    yield f"[bold]{result.forecast}[/bold] from {stamp(result.origin)}, by {result.model}"
    if result.changes:
        yield f"compared with: {escape(', '.join(result.changes))}"
    for warning in result.warnings:
        yield f"[yellow]![/yellow] {escape(warning)}"
    if result.left_out:
        count, items = len(result.left_out), escape(few(result.left_out))
        yield f"[yellow]![/yellow] {count} items are left out, nothing has been observed of them lately: {items}"
    quantiles = [str(name) for name in result.rows if re.fullmatch("q[0-9].*", str(name))]
    if result.rows["item_id"].nunique() == 1 and not result.changes:
        yield f"\n[bold]{escape(str(result.rows['item_id'].iloc[0]))}[/bold]"
        yield _by_quantile(result.rows, quantiles)
        return
    yield f"\nsum of {result.point} over {result.rows['item_id'].nunique()} items"
    yield _table("timestamp", result.totals, "timestamp", result)
    summed = [result.point, *(["changed", "difference"] if result.changes else [])]
    items = result.rows.groupby("item_id", as_index=False)[summed].sum()
    items = items.reindex(items[summed[-1]].abs().sort_values(ascending=False).index).head(10)
    yield f"the {'items that change most' if result.changes else 'largest items'}, summed over the horizon"
    yield _table("item", items, "item_id", result)


def of_table(result: TableForecast) -> Iterator[Any]:
    """Render the forecast of a table: what was found, the largest item with its quantiles, how good it was."""
    from rich.markup import escape
    from rich.table import Table

    found = result.draft
    facts = Table(box=None, show_header=False)
    for what, columns, words in found.lines():
        facts.add_row(what, escape(columns), escape(words))
    yield facts
    for warning in result.warnings:
        yield f"[yellow]![/yellow] {escape(warning)}"
    if result.left_out:
        yield f"[yellow]![/yellow] nothing lately of {len(result.left_out)} items: {escape(few(result.left_out))}"
    totals = result.rows.groupby("item_id")[result.point].sum()
    largest = str(totals.idxmax())
    quantiles = found.spec.task.quantile_columns
    yield f"\n[bold]{escape(largest)}[/bold], the largest of {len(totals)}, from {stamp(result.origin)}"
    yield _by_quantile(result.rows[result.rows["item_id"] == largest], quantiles)
    yield f"[bold]{escape(result.verdict)}[/bold]"


def _by_quantile(rows: pd.DataFrame, quantiles: Sequence[str]) -> Any:
    """A row for each timestamp of an item, with its quantiles."""
    from rich.table import Table

    table = Table("timestamp", *quantiles)
    for row in plain_rows(rows):
        table.add_row(str(row["timestamp"]), *(f"{row[name]:,.1f}" for name in quantiles))
    return table


def _table(head: str, rows: pd.DataFrame, name: str, result: ForecastResult) -> Any:
    """A row for each timestamp or item: the point forecast and, with changes, what it would be then."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(head, *(["as things stand", "then", "difference", "%"] if result.changes else [result.point]))
    for row in plain_rows(rows):
        value = row[result.point]
        cells = [f"{value:,.1f}"]
        if result.changes:
            share = f"{row['difference'] / value:+.1%}" if value else "–"
            cells += [f"{row['changed']:,.1f}", f"{row['difference']:+,.1f}", share]
        table.add_row(escape(str(row[name])), *cells)
    return table
