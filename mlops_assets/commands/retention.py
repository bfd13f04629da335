"""What is older than the spec keeps: retention."""

from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec

if TYPE_CHECKING:
    from mlops_assets.lifecycle.retention import Going

_AHEAD = timedelta(days=1)
"""By how much a pretended moment may be ahead: a day of another zone."""


@click.command()
@base.name_argument
@click.option("--apply", "remove", is_flag=True, help="Remove it. Without this option it is only listed.")
@base.as_json_option
def retention(name: str, remove: bool, as_json: bool) -> None:
    """List what is stored of the forecast NAME and older than `retention` in its spec keeps, or remove it.

    Of each table partitions, rows and their size. What is removed does not come back; questions about times before
    are refused from then on. A command that was killed is completed by the same command. Where MLOPS_APPROVERS says who
    may decide, --apply needs the key of one of them.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.retention import Retained
    from mlops_assets.rounds.turns import turn_of

    with base.progress() as listen, turn_of(name, settings, listen), open_stores(settings) as stores:
        who = stores.approvers.by_key(None, settings.key) if remove else None
        now, kept = stores.clock.now(), Retained(stores.tables, spec)
        if remove and now > datetime.now(timezone.utc) + _AHEAD:
            raise UsageError(
                f"MLOPS_NOW={settings.now} is still to come: what is young would be removed by it, for good"
            )
        going = kept.plan(now)
        if who is not None:
            kept.apply(going, now, who)
    if as_json:
        told = [{**asdict(one.bound), "since": str(one.bound.since), **_numbers(one)} for one in going]
        base.show_json({"forecast": name, "removed": remove, "tables": told})
        return
    if not going and not spec.retention.spans:
        click.echo(f"{spec.file} has no retention: everything is kept (docs/retention.md)")
        return
    if not going:
        click.echo(f"{name}: nothing is older than it is kept")
        return
    from rich.table import Table

    listed = Table(
        "table", "setting", "kept from", "partitions", "rows", "about", title="removed" if remove else "to go"
    )
    for one in going:
        since = one.bound.first or f"{one.bound.since:%Y-%m-%d %H:%M} UTC"
        said = f"{one.bound.setting}: {one.bound.duration}"
        count, size = f"{len(one.partitions):,}", f"{one.bytes / 1e6:,.1f} MB"
        listed.add_row(one.table, said, since, count, f"{one.rows:,}", size)
    base.show([listed])
    if not remove:
        click.echo(f"nothing was removed yet: mlops-assets retention {name} --apply removes it for good")


def _numbers(one: "Going") -> dict[str, Any]:
    """Return what a table loses, as JSON values."""
    keys = one.partitions
    numbers = {"partitions": len(keys), "rows": one.rows, "bytes": one.bytes}
    return {"table": one.table, **numbers, "oldest": keys[0], "latest": keys[-1]}
