"""What is declared: list."""

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings


@click.command("list")
def list_forecasts() -> None:
    """Show the declared forecasts; one that cannot be used is red, with its reason below."""
    from rich.table import Table

    from mlops_assets.definitions import usable

    table = Table("name", "frequency", "horizon", "partitions", "schedule", "file")
    declared = usable(Settings.read())
    for spec in declared.specs:
        table.add_row(
            spec.name,
            spec.frequency,
            str(spec.horizon),
            f"{spec.partition_kind} from {spec.partitions.start}",
            spec.schedule or "–",
            base.short_path(spec.file),
        )
    for broken in declared.broken:
        table.add_row(broken.name, "–", "–", "–", "–", base.short_path(broken.file), style="red")
    base.show([table])
    base.tell_broken(declared.broken)
