"""Decisions of a person on versions of a model, and what was decided: approve, reject, rollback, sign, history."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Environment, Settings
from mlops_assets.spec import find_spec

if TYPE_CHECKING:
    from pydantic import SecretStr

    from mlops_assets.lifecycle.approvers import Approvers, Person
    from mlops_assets.lifecycle.decisions import Entry
    from mlops_assets.lifecycle.lifecycle import Lifecycle


def _signed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every decision of a person has."""
    command = base.as_json_option(command)
    command = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the decision.")(
        command
    )
    return click.option("--by", required=True, metavar="WHO", help="Who decides.")(command)


@click.command()
@base.name_argument
@click.argument("version", type=int)
@_signed
@click.option("--force", is_flag=True, help="Even if the version does not wait for approval.")
def approve(name: str, version: int, by: str, reason: str, force: bool, as_json: bool) -> None:
    """Make VERSION of the forecast NAME the champion; it must wait for approval."""
    _decide(name, by, lambda life, who: life.approve(version, who.name, reason, force, who.proof), as_json)


@click.command()
@base.name_argument
@click.argument("version", type=int)
@_signed
def reject(name: str, version: int, by: str, reason: str, as_json: bool) -> None:
    """Refuse VERSION of the forecast NAME, which waits for approval."""
    _decide(name, by, lambda life, who: life.reject(version, who.name, reason, who.proof), as_json)


@click.command()
@base.name_argument
@click.option("--to", type=int, metavar="VERSION", help="Which version comes back. Default: the champion before.")
@_signed
def rollback(name: str, to: int | None, by: str, reason: str, as_json: bool) -> None:
    """Bring an earlier champion of the forecast NAME back, in one step.

    The version that leaves is not promoted again by itself on the same data.
    """
    _decide(name, by, lambda life, who: life.rollback(who.name, reason, to, who.proof), as_json)


@click.command("sign")
@base.name_argument
@click.argument("version", type=int)
@click.option("--decision", type=click.Choice(["approve", "reject"]), required=True, help="What is decided.")
@_signed
@click.option(
    "--environment",
    type=click.Choice(get_args(Environment)),
    help="Where it is decided. Default: the environment of this process (MLOPS_ENV).",
)
def sign_decision(
    name: str,
    version: int,
    decision: Literal["approve", "reject"],
    by: str,
    reason: str,
    environment: Environment | None,
    as_json: bool,
) -> None:
    """Sign a decision on VERSION of the forecast NAME with the key in MLOPS_KEY, for Dagster or MLflow to carry out.

    The signature holds once, for 24 hours, for this decision in this environment alone. Nothing is decided yet.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    if settings.key is None:
        raise UsageError("nothing to sign with: put your key into MLOPS_KEY")
    from mlops_assets.commands.rendering.history import signed_lines
    from mlops_assets.lifecycle.approvers import Approvers, Request, sign

    person = Approvers.of(settings).by_key(by, settings.key)
    request = Request(spec.name, version, decision, person.name, " ".join(reason.split()))
    where = environment or settings.environment
    signature = sign(request, settings.key, time.time(), where)
    if as_json:
        base.show_json({**asdict(request), "environment": where, "signature": signature})
    else:
        base.show(signed_lines(request, where, signature))


@click.command()
@base.name_argument
@click.option("--at", metavar="MOMENT", help="Who was champion then, and on what evidence: 2013-12-31, UTC.")
@base.as_json_option
def history(name: str, at: str | None, as_json: bool) -> None:
    """Show which version of the forecast NAME was champion when, who decided it, and why."""
    with _opened(name) as (life, _, _):
        from mlops_assets.commands.rendering.history import tables
        from mlops_assets.lifecycle.history import history_of

        found = history_of(life, at)
    if as_json:
        base.show_json(found.to_json())
    else:
        base.show(tables(found))


def _decide(
    name: str, by: str, decision: Callable[["Lifecycle", "Person"], "tuple[int, Entry]"], as_json: bool
) -> None:
    """Carry out a person's decision and say what has changed."""
    with _opened(name) as (life, approvers, key):
        from mlops_assets.commands.rendering.history import decision_line

        number, entry = decision(life, approvers.by_key(by, key))
        left = life.still_published() if entry.kind == "rollback" and not as_json else ""
    if as_json:
        told = ("outcome", "version", "champion_before", "champion_after", "decided_by", "proof", "reason")
        base.show_json({"forecast": name, "decision": number, **{field: getattr(entry, field) for field in told}})
        return
    click.echo(decision_line(name, number, entry))
    if left:
        click.echo(left)


@contextmanager
def _opened(name: str) -> Iterator[tuple["Lifecycle", "Approvers", "SecretStr | None"]]:
    """Open the versions of a forecast's model, and say who may decide on them, and whose key was given."""
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.lifecycle import Lifecycle

    with open_stores(settings) as stores:
        yield Lifecycle.of(stores, spec.name), stores.approvers, settings.key
