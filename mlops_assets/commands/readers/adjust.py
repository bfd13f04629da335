"""What people change of a forecast: adjust, withdraw, lock and unlock, and whether it has helped."""

from typing import TYPE_CHECKING, Any

import click

from mlops_assets.commands import base
from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec

if TYPE_CHECKING:
    from mlops_assets.adjustments.adjuster import Adjuster, Change

_AMOUNTS = ("value", "factor", "delta")


@click.command()
@base.name_argument
@click.option("--item", metavar="ID", help="Which item, or sum of items as in reconciled_forecasts: sum:north.")
@click.option("--group", metavar="NAME", help="Which group of the spec's hierarchy: the same as --item sum:NAME.")
@click.option("--all", "everything", is_flag=True, help="All items.")
@click.option("--from", "since", metavar="TIME", help="The first timestamp: 2024-05-31, or 2024-05-31T18:00.")
@click.option("--until", metavar="TIME", help="The last one, included; a date is all of its day. Default: as --from.")
@click.option("--value", type=float, help="What is expected at each timestamp; of a sum, of all its items together.")
@click.option("--factor", type=float, help="What the forecast is multiplied by.")
@click.option("--delta", type=float, help="What is added at each timestamp; of a sum, to all its items together.")
@click.option("--reason", default="", metavar="WORD", help="Why, in a word: promotion. What helps is counted by it.")
@click.option("--note", default="", metavar="TEXT", help="Why, in a sentence.")
@click.option("--by", metavar="WHO", help="Who does it. Default: who is logged in.")
@click.option(
    "--ends",
    type=click.Choice(["until", "origin"]),
    default="until",
    show_default=True,
    help="until: it holds for later forecasts too, until its period has passed; origin: for the latest one only.",
)
@click.option("--replaces", type=int, metavar="NUMBER", help="The adjustment in whose place it is.")
@click.option("--withdraw", type=int, metavar="NUMBER", help="Take an adjustment back.")
@click.option("--lock", is_flag=True, help="Lock the period: what is published of it stays, and nobody adjusts it.")
@click.option("--unlock", type=int, metavar="NUMBER", help="Lift a lock.")
@click.option("--value-added", is_flag=True, help="Show whether people have helped: by person, reason and lead.")
@click.option("--dry-run", is_flag=True, help="Show what would become of the forecast, and change nothing.")
@base.as_json_option
def adjust(name: str, by: str | None, dry_run: bool, value_added: bool, as_json: bool, **asked: Any) -> None:
    """Adjust what is published of the forecast NAME; without options, list what people have changed.

    The system's forecast stays in the ledger beside it, and every change is a row that is never changed:
    mlops-assets adjust sales --item "shop 1" --from 2024-05-31 --until 2024-06-02 --factor 1.2 --reason promotion
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    given = [action for action in ("withdraw", "lock", "unlock") if asked[action] not in (None, False)]
    amounts = [kind for kind in _AMOUNTS if asked[kind] is not None]
    if len([*given, *amounts, *(["value-added"] if value_added else [])]) > 1:
        raise UsageError("give one of --value, --factor, --delta, --withdraw, --lock, --unlock, --value-added")
    from mlops_assets.adjustments.adjuster import Adjuster
    from mlops_assets.adjustments.log import told
    from mlops_assets.commands.rendering import adjustments as rendering
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.roles import myself

    with open_stores(settings) as stores:
        adjuster = Adjuster(stores.tables, spec, stores.clock)
        if value_added:
            from mlops_assets.adjustments import value_added as helped

            rows = helped.compared(stores.tables, spec)
            found = {one: helped.summed(rows, one) for one in ("all", "person", "reason", "lead")}
            answer, parts = rendering.helped_json(name, found), rendering.helped(name, found)
        elif given or amounts:
            who = by or myself() if dry_run else stores.approvers.by_key(by, settings.key).name
            change = _change(adjuster, asked, amounts, who, dry_run)
            answer, parts = change.to_json(), rendering.changed(change)
        elif any(asked[option] for option in ("item", "group", "everything", "since", "until", "reason", "replaces")):
            raise UsageError("say how much: --value, --factor or --delta (or --lock)")
        else:
            log = told(adjuster.log.all())
            answer, parts = rendering.log_json(name, log), rendering.listed(name, log)
    if as_json:
        base.show_json(answer)
    else:
        base.show(parts)


def _change(adjuster: "Adjuster", asked: dict[str, Any], amounts: list[str], by: str, dry_run: bool) -> "Change":
    """Do what was asked for."""
    from mlops_assets.adjustments.adjuster import Wanted

    reason, note = asked["reason"], asked["note"]
    if asked["withdraw"] is not None:
        return adjuster.withdraw(asked["withdraw"], by, reason, note, dry_run)
    if asked["unlock"] is not None:
        return adjuster.unlock(asked["unlock"], by, reason, note, dry_run)
    item, since, until = _about(asked), asked["since"], asked["until"]
    if since is None:
        raise UsageError("say from when: --from 2024-05-31")
    if asked["lock"]:
        return adjuster.lock(item, since, until, by, reason, note, dry_run)
    kind = amounts[0]
    wanted = Wanted(item, since, until, kind, asked[kind], reason, note, asked["ends"], asked["replaces"])
    return adjuster.adjust(wanted, by, dry_run)


def _about(asked: dict[str, Any]) -> str:
    """Return which item, or sum of items, was named."""
    from mlops_assets.adjustments.log import EVERYTHING, PREFIX

    group = None if asked["group"] is None else f"{PREFIX}{asked['group']}"
    named = [one for one in (asked["item"], group, EVERYTHING if asked["everything"] else None) if one is not None]
    if len(named) != 1:
        raise UsageError("say of what: one of --item ID, --group NAME, --all")
    return named[0]
