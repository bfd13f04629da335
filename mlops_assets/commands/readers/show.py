"""What was forecast of an item: show. Only the stored tables are read."""

from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--item", required=True, metavar="ID", help="Which item, or sum of a hierarchy such as sum:north.")
@click.option("--origin", metavar="TIME", help="The forecast from there. Default: the latest.")
@click.option(
    "--as-of", metavar="MOMENT", help="Only what had been made and was known at this moment (UTC without an offset)."
)
@click.option(
    "--csv",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the forecast's rows there instead of showing them.",
)
@base.as_json_option
def show(name: str, item: str, origin: str | None, as_of: str | None, file: Path | None, as_json: bool) -> None:
    """Show what the forecast NAME says of one item, beside its history.

    Looks only at what is stored: no model is asked, and neither the source nor MLflow.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.forecasting.formatting import plain_rows
    from mlops_assets.reading.opening import open_reader
    from mlops_assets.reading.outputs.outlook import outlook

    with open_reader(spec, settings) as reader:
        found = outlook(reader, item, origin, as_of)
    if file is not None:
        with base.writing(file):
            found.forecasts.to_csv(file, index=False)
    if as_json:
        base.show_json({"forecast": name, "item": item, "rows": plain_rows(found.forecasts)})
    elif file is not None:
        click.echo(f"{name}: {len(found.forecasts)} rows in {base.short_path(file)}")
    else:
        from mlops_assets.commands.rendering import outlook as rendering

        base.show(rendering.parts(name, found))
