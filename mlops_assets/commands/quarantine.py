"""What the contract has rejected: quarantine."""

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--partition", metavar="KEY", help="Only what the run of this partition has rejected.")
@click.option("--reason", metavar="REASON", help="Only what was rejected for this: off_grid, target_not_a_number, ...")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Show so many rows.")
@base.as_json_option
def quarantine(name: str, partition: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """Show which rows of the forecast NAME were rejected, why, and which field of the spec would mend it.

    Looks only, and changes nothing.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.analysis import quarantine as asking
    from mlops_assets.commands.rendering import quarantine as rendering

    found = asking.quarantine(spec, settings, partition, reason, limit)
    if as_json:
        base.show_json(found.to_json())
    else:
        base.show(rendering.parts(found))
