"""The retraining policies over the past: replay-policy."""

from pathlib import Path

import click

from mlops_assets.catalog.declared import in_force
from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command("replay-policy")
@base.name_argument
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Try retraining.threshold=0.2, say.",
)
@click.option("--what-if", is_flag=True, help="Really train, judge and forecast on the stored observations.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the latest N partitions.")
@click.option("--every", type=click.IntRange(1), metavar="N", help="Of the policy always. Default: each horizon.")
@click.option("--picture", type=click.Path(dir_okay=False, path_type=Path), help="Write a PNG.")
@base.as_json_option
def replay_policy(
    name: str,
    changes: tuple[str, ...],
    what_if: bool,
    last: int | None,
    every: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Show when the retraining policies of the forecast NAME would have retrained, against never and always.

    Runs over the stored accuracy; with --what-if over the stored observations, with a model for every retraining.
    The recorded decisions of the gate are judged again by its rules of today, and shown beside what they were.
    """
    settings = Settings.read()
    spec = in_force(find_spec(settings.forecasts, name), settings)
    from mlops_assets.analysis.replay import PRESENT, replay
    from mlops_assets.commands.rendering.replay import judged, launches, stretch, table
    from mlops_assets.environments import open_stores

    with open_stores(settings) as stores:
        made = replay(spec, stores, changes, what_if, last, every)
    if picture is not None:
        image = made.picture()
        with base.writing(picture):
            picture.write_bytes(image)
    if as_json:
        base.show_json(made.to_json())
    else:
        asked = [name for name in (PRESENT, " ".join(changes)) if name in made.plays]
        base.show([stretch(made), table(made), *(launches(made, name) for name in asked), *judged(made)])
