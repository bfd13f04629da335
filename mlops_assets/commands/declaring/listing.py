"""What is declared: list, and init, which declares another forecast."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec

if TYPE_CHECKING:
    from mlops_assets.drafts.draft import Draft


@click.command("list")
@base.as_json_option
def list_forecasts(as_json: bool) -> None:
    """Show the declared forecasts; one that cannot be used is red, with its reason below."""
    from rich.table import Table

    from mlops_assets.catalog.declared import usable
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


@click.command()
@click.argument("place", metavar="TABLE")
@click.option("--horizon", type=click.IntRange(1, 1000), help="Steps to forecast. Default: by frequency and history.")
@click.option("--name", help="Of the forecast. Default: made of the table's.")
@click.option("--table", metavar="NAME", help="Of a database with several tables: which.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write it. Default: NAME.yaml in MLOPS_FORECASTS, or in ./forecasts.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@base.as_json_option
def init(
    place: str,
    horizon: int | None,
    name: str | None,
    table: str | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Look at TABLE and write a spec for it, with comments on what was found. Asks nothing.

    TABLE is a file (CSV, Parquet, JSON, Excel), a folder, a glob, an address such as s3://bucket/sales/*.parquet, or
    one of a database such as postgresql://host/shop.
    """
    from mlops_assets.drafts.draft import draft, write
    from mlops_assets.forecasting.formatting import few
    from mlops_assets.resources.clock import Clock
    from mlops_assets.spec.folder import name_of

    settings = Settings.read()
    called = name or name_of(output.name if output else table or place)
    folder = Path("forecasts") if settings.shows_the_example else settings.forecasts
    file = output or folder / f"{called}.yaml"
    if file.exists() and not force:
        raise UsageError(f"{base.short_path(file)} is there already; --force replaces it, --name calls it otherwise")
    found = draft(place, file, called, Clock.of(settings).now(), horizon, table)
    with base.writing(file):
        write(found, file)
    if as_json:
        base.show_json({"forecast": called, "file": str(file), "spec": found.text, **found.facts()})
        return
    base.show(_told(found))
    # A command that is printed runs as it is printed: with the folder where the environment does not say it.
    here = "" if file.parent == settings.forecasts else f"MLOPS_FORECASTS={shlex.quote(str(file.parent))} "
    if found.made_long:
        told = "\n  ".join(found.made_long)
        click.echo(f"\nif each of {few(found.wide)} is an item, write them below one another:\n  {told}")
    click.echo(f"\nwritten: {base.short_path(file)}; look at its comments, then\n  {here}mlops-assets run {called}")


def _told(found: "Draft") -> list[Any]:
    from rich.table import Table

    shown = Table("", "column", "", title=None, box=None, show_header=False)
    for what, columns, words in found.lines():
        shown.add_row(what, columns, words)
    return [shown]
