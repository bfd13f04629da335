"""A version taken over from one environment into another: promote."""

import tempfile
from pathlib import Path

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.argument("version", type=int)
@click.option(
    "--from", "source", required=True, metavar="ENV", help="Where it was trained: the name of a file .env.NAME."
)
@click.option("--to", "target", metavar="ENV", help="Where it shall forecast. Default: this process's environment.")
@click.option("--by", required=True, metavar="WHO", help="Who decides.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the decision.")
@base.as_json_option
def promote(name: str, version: int, source: str, target: str | None, by: str, reason: str, as_json: bool) -> None:
    """Take VERSION of the forecast NAME over from another environment, whose gate has let it through.

    Its file (by its checksum), run, evidence and decisions are copied, and the gate of the environment that takes it
    over judges it on the observations stored there. An environment is a file .env.NAME in the working folder with its
    variables, or a path to one. A command that was killed is completed by the same command.

    Exit code 0: it is champion, or waits for a person as approval: manual asks; 4: the gate has refused it.
    """
    from mlops_assets.lifecycle.approvers import Approvers
    from mlops_assets.lifecycle.decisions import DecisionError
    from mlops_assets.rounds.env_files import NamedEnvironment
    from mlops_assets.rounds.promotion import as_json as answer
    from mlops_assets.rounds.promotion import receive, send
    from mlops_assets.rounds.turns import turn_of

    here = NamedEnvironment.find(target) if target else NamedEnvironment.present(Settings.read().environment)
    with here.entered():
        settings = Settings.read()
        spec = find_spec(settings.forecasts, name)
        Approvers.of(settings).by_key(by, settings.key)  # before minutes of fetching
    there = NamedEnvironment.find(source)
    with (
        tempfile.TemporaryDirectory(prefix="mlops-assets-") as folder,
        base.progress(f"{name}: fetching version {version} from {there.name}") as listen,
    ):
        sent = send(there, name, version, Path(folder) / "parcel")
        with here.entered(), turn_of(name, settings, listen):
            made = receive(spec, settings, sent, there.name, by, reason, listen)
    entry = made.decision
    if as_json:
        base.show_json(answer(name, there.name, here.name, version, made))
    else:
        from mlops_assets.commands.rendering.history import decision_line

        click.echo(
            f"version {version} of {there.name} is version {entry.version} of {here.name} (sha256 {made.sha256})"
        )
        click.echo(decision_line(name, made.number, entry))
        for remark in made.remarks:
            click.echo(f"  {remark}")
        if entry.outcome == "awaiting approval":
            click.echo(f"  next, in {here.name}: mlops-assets approve {name} {entry.version} --by YOU --reason WHY")
    if entry.outcome == "refused":
        raise DecisionError(f"the gate of {here.name} refuses version {entry.version} of {name}: {entry.reason}")
