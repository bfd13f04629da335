"""Rejected rows on a terminal: `mlops-assets quarantine`."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.analysis.quarantine import QuarantineFindings
from mlops_assets.forecasting.data.contract import REASONS
from mlops_assets.forecasting.formatting import counted


def parts(found: QuarantineFindings) -> Iterator[Any]:
    """Yield the reasons, some rows, and what would mend them, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    name, count = found.forecast, sum(found.reasons.values())
    if not count:
        yield f"[bold]{name}[/bold]: no row in quarantine"
        return
    first, last = found.partitions[0], found.partitions[-1]
    span = first if first == last else f"{len(found.partitions)} partitions from {first} to {last}"
    yield f"[bold]{name}[/bold]: {counted(count, 'row')} in quarantine, of {span}"
    reasons = Table("reason", "rows", "what it means")
    for reason, rows in found.reasons.items():
        reasons.add_row(reason, f"{rows:,}", escape(REASONS.get(reason, "")))
    yield reasons
    if len(found.rows):
        shown = Table("partition", "from", "row", "what is wrong", "as it was read")
        for row in found.rows.to_dict("records"):
            texts = (row["partition"], row["source"], str(row["source_row"]), row["detail"], row["record"])
            shown.add_row(*(escape(str(text)) for text in texts))
        yield shown
    for hint in found.hints:
        yield f"[yellow]![/yellow] {escape(hint)}"
    yield f"When the source or the spec is mended, read them again: mlops-assets reingest {name} --from {first}"
