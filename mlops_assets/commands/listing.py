"""What is declared: list."""

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import load_specs


@click.command("list")
def list_forecasts() -> None:
    """Show the declared forecasts."""
    from rich.table import Table

    table = Table("name", "frequency", "horizon", "partitions", "schedule", "file")
    for spec in load_specs(Settings.read().forecasts):
        table.add_row(
            spec.name,
            spec.frequency,
            str(spec.horizon),
            f"{spec.partition_kind} from {spec.partitions.start}",
            spec.schedule or "–",
            base.short_path(spec.file),
        )
    base.show([table])
