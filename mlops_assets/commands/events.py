"""Events from outside: events drain."""

from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import load_specs


@click.group()
def events() -> None:
    """React to events from outside, which say that something may have happened."""


@events.command()
@base.as_json_option
def drain(as_json: bool) -> None:
    """Read the queue MLOPS_EVENTS_QUEUE: jobs that its messages name are due now, and forecasts are named.

    For cron and pods without Dagster's daemon, before jobs run-due; the sensor arrivals does the same in each tick.
    What a message says is not believed: the service, or the source, is asked.
    """
    settings = Settings.read()
    if settings.events_queue is None:
        raise UsageError("there is no queue of events: set MLOPS_EVENTS_QUEUE")
    specs = load_specs(settings.forecasts).specs
    from mlops_assets.jobs.resource import Jobs

    woken = Jobs(settings).events(specs)
    if as_json:
        base.show_json(asdict(woken))
        return
    click.echo(f"{woken.messages} messages; jobs that are due: {', '.join(woken.jobs) or 'none'}")
    for name in woken.forecasts:
        click.echo(f"something may have come for {name}: mlops-assets run {name}")
