"""How forecasts are: status, report, metrics."""

import os
from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import Declared, find_spec


@click.command()
@click.argument("name", required=False)
@base.as_json_option
def status(name: str | None, as_json: bool) -> None:
    """Show how the forecast NAME, or every forecast, is: what is stored, who is champion, how good, what is wrong.

    Looks only, and changes nothing. It always answers: a store that cannot be reached is a line of its own.
    """
    settings = Settings.read()
    from mlops_assets.analysis import status as asking
    from mlops_assets.catalog.declared import declared, usable
    from mlops_assets.commands.rendering import status as rendering

    present = Declared([find_spec(settings.forecasts, name)], []) if name else declared(settings)
    found = asking.status(present.specs, settings, present.broken)
    if not name and not present.broken:  # what a broken spec declares, nobody can know
        found += asking.no_longer_declared(settings, present.names)
    if not found and not present.broken:
        usable(settings)  # says that nothing is declared
    if as_json:
        shown = [one.to_json() for one in found]
        base.show_json(shown[0] if name else shown)
    else:
        base.show(rendering.parts(found[0]) if name else [rendering.table(found)])
        base.tell_broken(present.broken)


@click.command()
@base.name_argument
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it. Default: NAME.html in this folder.",
)
@click.option("--open", "opened", is_flag=True, help="Show it in the browser.")
@base.as_json_option
def report(name: str, output: Path | None, opened: bool, as_json: bool) -> None:
    """Write the report of the forecast NAME: the explorer with its data in one HTML file, which needs nothing else.

    The same file is made in each round, by the asset report, and kept with the champion's run in MLflow.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.analysis.status import page_of

    file = output or Path(f"{name}.html")
    page = page_of(spec, settings)
    with base.writing(file):
        file.write_text(page, encoding="utf-8")
    if as_json:
        base.show_json({"forecast": name, "file": str(file), "bytes": file.stat().st_size})
    click.echo(f"{name}: {base.short_path(file)} ({file.stat().st_size / 1e3:,.0f} kB)")
    if opened and click.launch(file.resolve().as_uri()):
        raise click.ClickException(f"no browser could be started: open {file} yourself")


@click.command()
@click.argument("name", required=False)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write them there, in one step: a textfile collector may read it at any time.",
)
@base.as_json_option
def metrics(name: str | None, output: Path | None, as_json: bool) -> None:
    """Print how the forecast NAME, or every forecast, is, as Prometheus's metrics; `serve` has them at /metrics."""
    settings = Settings.read()
    from mlops_assets.analysis import status as asking
    from mlops_assets.catalog.declared import declared

    present = Declared([find_spec(settings.forecasts, name)], []) if name else declared(settings)
    text = asking.metrics(present.specs, settings, present.broken)
    if as_json:
        base.show_json({"metrics": text})
    if output is None:
        click.echo("" if as_json else text, nl=False)
        return
    with base.writing(output):
        part = output.with_name(f".{output.name}.{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(output)
