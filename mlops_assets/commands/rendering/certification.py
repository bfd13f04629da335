"""What every place keeps, side by side, on a terminal: `mlops-assets certify`."""

from collections.abc import Sequence
from typing import Any

from mlops_assets.rounds.certification import Finding
from mlops_assets.spec import ForecastSpec


def table(spec: ForecastSpec, findings: Sequence[Finding]) -> Any:
    """Return the findings as a table, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    made = Table("place", "table", "partitions", "rows", "content", "equal", title=f"{spec.name} on every place")
    last = ""
    for finding in findings:
        if finding.place != last and last:
            made.add_section()
        place, last = finding.place if finding.place != last else "", finding.place
        verdict = f"[red]✗ {escape(finding.difference)}[/red]" if finding.difference else "[green]✓[/green]"
        counts = (str(finding.partitions or "–"), str(finding.rows))
        made.add_row(escape(place), finding.table, *counts, finding.digest, verdict)
    return made
