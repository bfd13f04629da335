"""A project of one's own: new."""

import shlex
from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--table", help="Table to draft the first forecast from, as init does. Default: made-up sales.")
@click.option("--name", help="Of the Python package. Default: made of the folder's.")
@base.as_json_option
def new(folder: Path, table: str | None, name: str | None, as_json: bool) -> None:
    """Start a project in the new folder DIR: its first forecast, tests, CI, an image, and what Dagster loads.

    It passes its own tests at once, and Dagster's commands and `dg` work in it.
    """
    from mlops_assets.projects.project import make_project
    from mlops_assets.resources.clock import Clock

    with base.writing(folder):
        made = make_project(folder, Clock.of(Settings.read()).now(), table, name)
    forecast = made.forecast.spec.name
    if as_json:
        base.show_json({"folder": str(folder), "package": made.package, "forecast": forecast, "files": made.files})
        return
    for file in made.files:
        click.echo(f"  {file}")
    here = shlex.quote(str(folder))
    click.echo(
        f"\nwritten: {base.short_path(folder)}; then\n  cd {here}\n  mlops-assets run {forecast}\n  mlops-assets dev"
    )
