"""Jobs of outside services: jobs list, show, state, run-due, wake, cancel, again."""

from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

import click

from mlops_assets.commands import base
from mlops_assets.errors import ExitCode, UsageError
from mlops_assets.jobs.job import OPEN, State
from mlops_assets.settings import Settings
from mlops_assets.spec import Declared, find_spec, load_specs

if TYPE_CHECKING:
    from mlops_assets.jobs.job import Job
    from mlops_assets.jobs.ledger import Ledger
    from mlops_assets.jobs.view import NextAction

STATES = get_args(State)
key_argument = click.argument("key")


@click.group()
def jobs() -> None:
    """See and move the jobs of external services. KEY is a job's key, or as much of its beginning as no other has."""


@jobs.command("list")
@click.argument("name", required=False)
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only jobs in this state; repeatable."
)
@click.option("--open", "only_open", is_flag=True, help="Only jobs for which something is still to be done.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="Show the latest so many.")
@base.as_json_option
def list_jobs(name: str | None, states: tuple[State, ...], only_open: bool, limit: int, as_json: bool) -> None:
    """Show the jobs of the forecast NAME, or of all, in the order in which they were intended. Changes nothing."""
    from mlops_assets.commands.rendering import jobs as rendering

    found = _ledger(only_read=True).of(name, states=states or (OPEN if only_open else None), limit=limit)
    if as_json:
        base.show_json([job.to_json() for job in found])
    else:
        base.show([rendering.table(found) if found else "no job in the ledger"])


@jobs.command()
@key_argument
@base.as_json_option
def show(key: str, as_json: bool) -> None:
    """Show a job with all that happened to it. Changes nothing."""
    from mlops_assets.commands.rendering import jobs as rendering

    ledger = _ledger(only_read=True)
    job = ledger.get(key)
    events = ledger.events(job.job_key)
    if as_json:
        told = [{**asdict(event), "at": f"{event.at.isoformat()}Z"} for event in events]
        base.show_json({**job.to_json(), "events": told})
    else:
        base.show(rendering.parts(job, events))


@jobs.command()
@base.name_argument
@click.option("--partition", metavar="KEY", help="Of this partition. Default: the latest one that has jobs.")
@base.as_json_option
def state(name: str, partition: str | None, as_json: bool) -> None:
    """Say what is next for the external service's part of the forecast NAME: start, wait, collect, deliver or repair.

    The same as the view mlops_job_log says in SQL. Ends with 0 for deliver, with 1 for repair, else with 3: not yet.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    found = _ledger(only_read=True).log(spec.name, partition)
    if found:
        standing = {**asdict(found[-1]), "since": f"{found[-1].since.isoformat()}Z"}
    else:
        unknown = dict.fromkeys(("service", "step", "state", "since", "job_key"))
        message = "nothing has been asked of the service"
        standing = {"forecast": name, "partition": partition, **unknown, "next_action": "start", "message": message}
    if as_json:
        base.show_json(standing)
    else:
        which = f"{name} {standing['partition']}" if standing["partition"] else name
        click.echo(f"{which}: {standing['next_action']} ({standing['message']})")
    raise click.exceptions.Exit(_exit_code(standing["next_action"]))


@jobs.command("run-due")
@click.argument("name", required=False)
@base.as_json_option
def run_due(name: str | None, as_json: bool) -> None:
    """Look once at each job that is due, of the forecast NAME or of all: ask the service, fetch what is there.

    Does what the sensor jobs does, from cron, an orchestrator or a pod without Dagster's daemon. It never waits. Ends
    with 1 where jobs are open of a forecast whose spec cannot be used: they are left alone.
    """
    settings = Settings.read()
    declared = Declared([find_spec(settings.forecasts, name)], []) if name else load_specs(settings.forecasts)
    asking = [spec for spec in declared.specs if spec.external is not None]
    if name and not asking:
        raise UsageError(f"{name} has no external service: its spec has no block external")
    from mlops_assets.environments import open_stores
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.rounds.external import take_a_look

    with open_stores(settings) as stores, base.progress() as listen:
        looked = [one for spec in asking for one in take_a_look(spec, stores, open_instance(settings), listen)]
        left = [spec for spec in declared.broken if stores.jobs.ledger.of(spec.name, states=OPEN, limit=1)]
    if as_json:
        base.show_json([{**one.job.to_json(), "event": one.event, "message": one.message} for one in looked])
    else:
        for one in looked:
            job, said = one.job, f": {one.message}" if one.message else ""
            click.echo(f"{job.forecast} {job.partition} {job.service} {job.step} {job.job_key[:8]}: {one.event}{said}")
        if not looked and not left:
            click.echo("no job is due")
    if left:
        base.tell_broken(left, err=True)
        raise click.exceptions.Exit(ExitCode.FAILED)


@jobs.command()
@key_argument
@click.option("--because", default="by hand", metavar="TEXT", help="What woke it; it stands among the job's events.")
@base.as_json_option
def wake(key: str, because: str, as_json: bool) -> None:
    """Let a job be looked at now: by the sensor's next tick, or the next run-due. For events of a service.

    What the event says is not believed: the service is asked. Of a job that has ended, nothing is changed.
    """
    job = _ledger().wake(key, message=because)
    _show(job, "is due" if job.open else f"has ended: {job.state}", as_json)


@jobs.command()
@key_argument
@click.option("--by", required=True, metavar="WHO", help="Who cancels it.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the job.")
@base.as_json_option
def cancel(key: str, by: str, reason: str, as_json: bool) -> None:
    """Cancel a job, here and at its service, and the steps that wait for it."""
    settings = Settings.read()
    from mlops_assets.environments import open_stores
    from mlops_assets.jobs.poller import Poller
    from mlops_assets.stages.external.asking import inputs_of

    with open_stores(settings) as stores:
        by = stores.approvers.by_key(by, settings.key).name
        job = stores.jobs.ledger.get(key)
        if not job.open:
            raise UsageError(f"job {job.job_key} has ended: it is {job.state}")
        spec = find_spec(settings.forecasts, job.forecast)
        poller = Poller(
            stores.jobs.ledger, lambda _: stores.jobs.provider(spec), lambda job: inputs_of(spec, stores.tables, job)
        )
        job = poller.cancel(job.job_key, f"by {by}: {reason}")
    _show(job, f"{job.state} ({job.error})", as_json)


@jobs.command()
@key_argument
@click.option("--by", metavar="WHO", help="Who asks; it stands with the new jobs. Default: by hand.")
@base.as_json_option
def again(key: str, by: str | None, as_json: bool) -> None:
    """Ask anew for a job that ended badly, and for the steps around it that did, with as much time as they had."""
    settings = Settings.read()
    from mlops_assets.lifecycle.approvers import Approvers

    approvers = Approvers.of(settings)
    who = approvers.by_key(by, settings.key).name if approvers.needed else by or "by hand"
    made = _ledger().again(key, who)
    if as_json:
        base.show_json([job.to_json() for job in made])
        return
    for job in made:
        click.echo(f"{job.job_key}: {job.step} of {job.partition} is {job.state}")


def _show(job: "Job", words: str, as_json: bool) -> None:
    if as_json:
        base.show_json(job.to_json())
    else:
        click.echo(f"{job.job_key}: {words}")


def _ledger(only_read: bool = False) -> "Ledger":
    from mlops_assets.jobs.ledger import Ledger

    return Ledger.open(Settings.read(), only_read=only_read)


def _exit_code(action: "NextAction") -> ExitCode:
    """Return how a question for the state ends, so that a shell can branch on it."""
    return {"deliver": ExitCode.DONE, "repair": ExitCode.FAILED}.get(action, ExitCode.NOT_YET)
