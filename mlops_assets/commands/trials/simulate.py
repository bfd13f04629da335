"""A year in minutes: simulate."""

import sys
from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.errors import ExitCode, UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import find_or_load_spec

DAYS = 365
SEED = 0


@click.command()
@click.option("--days", type=click.IntRange(1), help=f"Days to live. Default: {DAYS}; with --spec, half its history.")
@click.option("--seed", type=click.IntRange(0), help=f"What the made-up world is drawn from. Default: {SEED}.")
@click.option("--until", metavar="DAY", help="Stop after this day, such as 2024-05-03, and keep the stores.")
@click.option("--spec", metavar="SPEC", help="Live the history of this forecast instead: a name or a YAML file.")
@click.option("--full", is_flag=True, help="With Dagster's assets and sensors, not the stages by themselves.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("simulated_year.html"),
    show_default=True,
    help="The page that tells it day by day.",
)
@base.as_json_option
def simulate(
    days: int | None,
    seed: int | None,
    until: str | None,
    spec: str | None,
    full: bool,
    output: Path,
    as_json: bool,
) -> None:
    """Live a year of a forecast in minutes, and tell it day by day in one page.

    Data arrive each day with what happens in a year: late and broken files, an outage, a regime change, a revision of
    the past. Policy, gate, jobs and alerts are the real ones, stores are in memory; an auditor that is not the system
    checks each day. A seed is always the same year.

    With --until, what is stored on that evening stays in a folder beside the page, for other commands to look at.

    With --spec, the days are those of your own source: how would it have gone with your data?

    Exit code 1: the auditor has found a fault.
    """
    if spec is not None and seed is not None:
        raise UsageError("--seed draws a made-up world, and --spec lives the history of your own: leave one out")
    if spec is not None and full:
        raise UsageError("--full lives a made-up world: leave it out, or --spec")
    base.require_folder(output)
    kept = output.with_suffix("") if until and spec is None else None
    if kept is not None and kept.exists():
        raise UsageError(
            f"{kept} is there already, where --until keeps the stores: remove it, or name another --output"
        )
    settings = Settings.read()
    own = find_or_load_spec(settings.forecasts, spec) if spec is not None else None
    from mlops_assets.commands.rendering.simulated import Months, looking_at, summary, told
    from mlops_assets.simulation import year
    from mlops_assets.simulation.story import page

    click.echo("day by day, with a line for each month …")
    with Months(click.echo) as listen, base.remarks():
        if own is not None:
            with base.about(own.file):
                journal = year.of_history(own, settings, days, until or "", listen)
        else:
            journal = year.of_world(seed or SEED, days or DAYS, until or "", listen, full, kept)
    with base.writing(output):
        output.write_text(page(journal), encoding="utf-8")
    if as_json:
        base.show_json({**journal.to_json(), "page": str(output), "stores": str(kept or "")})
    else:
        base.show([*summary(journal), *(told(journal.days[-1]) if until else ())])
        click.echo(f"page: {base.short_path(output)}")
        for line in looking_at(kept, journal.days[-1].date) if kept is not None else ():
            click.echo(line)
    sys.exit(ExitCode.FAILED if journal.faults else ExitCode.DONE)
