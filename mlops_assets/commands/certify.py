"""What the places of tables keep: certify whether it is the same, migrate-tables of earlier releases."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mlops_assets.commands import base
from mlops_assets.errors import ExitCode
from mlops_assets.forecasting.formatting import counted
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec, first_spec

if TYPE_CHECKING:
    from mlops_assets.io_managers.sql.tables import SqlTables


@click.command()
@click.option("--on", metavar="PLACES", help="files, sql, object_storage, memory, or URLs; comma-separated.")
@click.option("--forecast", "name", metavar="NAME", help="Which forecast to run. Default: the first declared.")
@base.as_json_option
def certify(on: str | None, name: str | None, as_json: bool) -> None:
    """Prove that every place keeps the same tables and models.

    Runs a small round of a forecast on each place, under names of its own that are removed afterwards, and compares
    all that is read back with the first place's. Default: files, sql and memory, and object storage if it is set.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name) if name else first_spec(settings.forecasts)
    from mlops_assets.commands.rendering.certification import table
    from mlops_assets.rounds import certification

    words = [word.strip() for word in on.split(",") if word.strip()] if on else None
    with base.progress() as listen:
        findings = certification.certify(spec, settings, words, listen)
    if as_json:
        base.show_json([asdict(finding) for finding in findings])
    else:
        base.show([table(spec, findings)])
    sys.exit(ExitCode.FAILED if any(finding.difference for finding in findings) else ExitCode.DONE)


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@base.as_json_option
def migrate_tables(dry_run: bool, as_json: bool) -> None:
    """Bring tables that an earlier release has stored into today's form.

    Small ones are brought into it when they are written to next; this is for the others, which can be read meanwhile
    and not written. A command that was stopped goes on where it was. Nothing else need run, and nothing be stopped.
    """
    from mlops_assets.environments import open_stores
    from mlops_assets.io_managers.sql.tables import SqlTables

    found: dict[str, int] = {}
    with open_stores(Settings.read()) as stores:
        if isinstance(stores.tables, SqlTables):
            found = stores.tables.outdated()
            _tell_or_migrate(stores.tables, found, dry_run)
    if as_json:
        base.show_json({"dry_run": dry_run, "parts": found})
    if not found:
        click.echo("all tables are in today's form")


def _tell_or_migrate(tables: "SqlTables", found: Mapping[str, int], dry_run: bool) -> None:
    for name, parts in found.items():
        click.echo(f"{name}: {counted(parts, 'part')}{' would become one table' if dry_run else ''}")
        if dry_run:
            continue
        done = {"copied": 0, "dropped": 0}

        def told(what: str, count: int, name: str = name, done: dict[str, int] = done) -> None:
            done[what] += count
            click.echo(f"  {name}: {done[what]:,} {what}")

        tables.migrate(name, told)
