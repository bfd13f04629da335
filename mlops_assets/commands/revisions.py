"""What was known before: revisions."""

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--item", metavar="ID", help="Every version of this item's values.")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Show so many of the latest.")
@base.as_json_option
def revisions(name: str, item: str | None, limit: int, as_json: bool) -> None:
    """Show how often, how late and by how much the observations of the forecast NAME were revised.

    Looks only, and changes nothing. --as-of of evaluate, explain and forecast asks on what was known at a moment.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.analysis import revisions as asking
    from mlops_assets.commands.rendering import revisions as rendering

    found = asking.revisions(spec, settings, item)
    if as_json:
        base.show_json(found.to_json())
    else:
        base.show(rendering.parts(found, limit))
