"""Ingesting anew what was ingested under another spec: reingest."""

from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--from", "first", metavar="KEY", help="This partition and all after it, whatever spec they are of.")
@click.option("--allow-shrink", is_flag=True, help="Replace stored rows by fewer: they are not wanted any more.")
@click.option("--keep", is_flag=True, help="Read nothing: the stored rows are what the spec says, under other names.")
@base.as_json_option
def reingest(name: str, first: str | None, allow_shrink: bool, keep: bool, as_json: bool) -> None:
    """Ingest the partitions of the forecast NAME anew that were ingested under another spec.

    What is stored already as the spec says is left alone, so that a command that was stopped goes on where it was.
    A partition is replaced whole or not at all. Nothing is trained: that is what the next run does.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.lifecycle.meanings import ChangedSpecError
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.rounds.reingest import keep as keep_stored
    from mlops_assets.rounds.reingest import reingest as carry_out
    from mlops_assets.rounds.turns import turn_of

    if keep:
        with base.progress() as listen, turn_of(name, settings, listen):
            kept = keep_stored(spec, settings)
        if as_json:
            base.show_json({"forecast": name, "kept": len(kept)})
        click.echo(f"{len(kept)} partitions of {name} keep their rows, as what the present spec says")
        click.echo(f"next: mlops-assets run {name}")
        return
    with base.progress() as listen, turn_of(name, settings, listen):
        made = carry_out(spec, settings, open_instance(settings), listen, first, allow_shrink)
    if as_json:
        base.show_json({"forecast": name, **asdict(made)})
    click.echo(f"{len(made.anew)} partitions of {name} were ingested anew, {made.kept} left as they were")
    for table, place in made.moved.items():
        click.echo(f"  {name}/{table} of the old partitions is kept as {name}/{place}, and not scored any more")
    if made.removed:
        click.echo(f"  {len(made.removed)} old partitions ({made.removed[0]} to {made.removed[-1]}) are removed")
    if not made.still:
        click.echo(f"next: mlops-assets run {name}")
        return
    span = f"{len(made.still)} partitions ({made.still[0]} to {made.still[-1]})"
    if first is not None and made.still[-1] < first:
        raise ChangedSpecError(
            f"{span} before {first} are of another spec still", advice=[f"mlops-assets reingest {name}"]
        )
    raise ChangedSpecError(
        f"{span} stay as they are, of another spec: fewer rows have come for them than are stored, or too many of "
        "theirs are rejected. --allow-shrink takes the fewer rows, --keep the stored ones for what the spec says, "
        "where only names have changed",
        advice=[f"mlops-assets reingest {name} --allow-shrink"],
    )
