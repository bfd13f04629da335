"""What an external service's forecasts are for: shown beside ours, switched, and switched back."""

from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--role", type=click.Choice(["champion", "shadow"]), help="What its forecasts are for from now on.")
@click.option("--rollback", is_flag=True, help="Give it back the role that it had before.")
@click.option("--reason", metavar="TEXT", help="Why; it is kept with the decision.")
@click.option("--by", metavar="WHO", help="Who decides. Default: who is logged in.")
@base.as_json_option
def external(name: str, role: str | None, rollback: bool, reason: str | None, by: str | None, as_json: bool) -> None:
    """Show how the external service of the forecast NAME stands beside our model, or say what its forecasts are for.

    champion: they are delivered, and ours until they are there, or where they are late. shadow: they are scored beside
    ours. A switch holds from the next round on; the log of decisions keeps it, and its last word counts, whatever the
    spec begins with.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    if role is not None and rollback:
        raise UsageError("give either --role or --rollback")
    if (role or rollback) and not reason:
        raise UsageError("a decision has to say why: --reason TEXT")
    from mlops_assets.analysis.status import sources_of
    from mlops_assets.commands.rendering.status import beside
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.roles import Roles
    from mlops_assets.report.beside import standing
    from mlops_assets.report.state import external_state

    with open_stores(settings) as stores:
        roles, said = Roles(stores.tables, spec), {}
        if role or rollback:
            wanted, who = role or roles.before(), stores.approvers.by_key(by, settings.key)
            number, entry = roles.switch(wanted, who.name, reason or "", stores.clock.now(), who.proof)
            said = {"decision": number, "decided_by": entry.decided_by}
        found = external_state(sources_of(spec, stores, settings))
    assert found is not None, "who has no service has no roles either"
    if as_json:
        base.show_json({"forecast": name, **said, **asdict(found)})
        return
    decided = [f"{name}: {found.service} is {found.role} (decision {said['decision']})"] if said else []
    base.show([*decided, standing(found), *([beside(found)] if found.rows else [])])
