"""What is declared: list."""

from typing import Any

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


@click.command("list")
@base.as_json_option
def list_forecasts(as_json: bool) -> None:
    """Show the declared forecasts; one that cannot be used is red, with its reason below."""
    from rich.table import Table

    from mlops_assets.definitions import usable
    from mlops_assets.resources.secrets import scrub

    declared = usable(Settings.read())
    if as_json:
        shown = [_facts(spec) for spec in declared.specs]
        broken = [{"name": one.name, "file": str(one.file), "error": scrub(one.message)} for one in declared.broken]
        base.show_json([*shown, *broken])
        return
    table = Table("name", "frequency", "horizon", "partitions", "schedule", "file")
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


def _facts(spec: ForecastSpec) -> dict[str, Any]:
    facts = {name: getattr(spec, name) for name in ("name", "frequency", "horizon", "schedule")}
    return {**facts, "partitions": spec.partition_kind, "start": spec.partitions.start, "file": str(spec.file)}
