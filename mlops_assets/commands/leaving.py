"""Forecasts that leave: retire, rename."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import SpecError

if TYPE_CHECKING:
    from mlops_assets.lifecycle.leaving import Places

_yes = click.option("--yes", is_flag=True, help="Do it. Default: only say what would be done.")


@click.command()
@base.name_argument
@click.option("--delete", is_flag=True, help="Delete its tables, models and registered model too.")
@_yes
@base.as_json_option
def retire(name: str, delete: bool, yes: bool, as_json: bool) -> None:
    """Retire the forecast NAME, which no spec declares any more: what is stored of it is kept, or deleted."""
    from mlops_assets.lifecycle import leaving

    _tell(name, lambda places: leaving.retire(places, name, delete, yes), yes, as_json)


@click.command()
@click.argument("old")
@click.argument("new")
@_yes
@base.as_json_option
def rename(old: str, new: str, yes: bool, as_json: bool) -> None:
    """Let the stored data, models and versions of the forecast OLD follow its spec, in which it is called NEW now.

    The forecast goes on: nothing is trained anew. A rename that was interrupted goes on when it is asked for again.
    """
    from mlops_assets.lifecycle import leaving

    _tell(new, lambda places: leaving.rename(places, old, new, yes), yes, as_json)


def _tell(name: str, steps: "Callable[[Places], Iterator[str]]", done: bool, as_json: bool) -> None:
    """Print the steps, and whether they have been taken."""
    said: list[str] = []
    settings = Settings.read()
    from mlops_assets.catalog.declared import declared
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.approvers import Approvers
    from mlops_assets.lifecycle.leaving import Places
    from mlops_assets.resources.instance import present_instance
    from mlops_assets.rounds.turns import turn_of

    present = declared(settings)
    for broken in present.broken:
        if not isinstance(broken.error, SpecError):
            raise broken.error
        raise SpecError(
            f"{broken.message}\n  what this file declares cannot be known, and it may be {name}: mend it, "
            "or move it out of the folder"
        )
    if done:
        Approvers.of(settings).by_key(None, settings.key)
    with turn_of(name, settings, lambda step: click.echo(f"! {step.message}")), open_stores(settings) as stores:
        for step in steps(Places(stores, present_instance(settings), present.names)):
            said.append(step)
            click.echo(f"{'✓' if done else '·'} {step}")
    if not done:
        click.echo("nothing has been done yet: --yes does it")
    if as_json:
        base.show_json({"forecast": name, "done": done, "steps": said})
