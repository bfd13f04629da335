"""A whole round, or the first step of it: run, ingest."""

from contextlib import nullcontext
from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec


@click.command()
@base.name_argument
@click.option("--partition", metavar="KEY", help="A partition, or FIRST...LAST. Default: the latest complete one.")
@click.option("--retrain", is_flag=True, help="Train a new model, even if there is a champion.")
@base.as_json_option
def run(name: str, partition: str | None, retrain: bool, as_json: bool) -> None:
    """Run the whole round of the forecast NAME for one partition, or for each of a range.

    Ingests the partition and all history that is not stored yet, trains if there is no champion or the spec has
    changed (on data up to the first of the partitions), forecasts, and scores earlier forecasts. Without --partition,
    it makes the forecasts too that the schedule asked for in vain.

    Exit code 0: forecast, whatever the gate has said of a new model; 3: made of what is there, and its rows, or a
    service's forecast, are not yet; 4: only a champion may forecast, and there is none.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    with base.progress(f"{name}: getting ready") as listen:
        from mlops_assets.commands.rendering.round import round_summary
        from mlops_assets.resources.instance import open_instance
        from mlops_assets.rounds.round import resolve_partitions, run_round
        from mlops_assets.rounds.turns import turn_of

        keys = resolve_partitions(spec, partition, settings)
        instance = open_instance(settings)
        with turn_of(name, settings, listen):
            outcome = run_round(spec, keys, settings, instance, retrain, listen, catch_up=partition is None)
        summary = [] if as_json else list(round_summary(spec, keys, settings, instance))
    if as_json:
        base.show_json(outcome.to_json())
    else:
        base.show(summary)
    outcome.require_all()


@click.command()
@base.name_argument
@click.option("--partition", metavar="KEY", help="A partition, or FIRST...LAST. Default: the latest complete one.")
@click.option("--allow-shrink", is_flag=True, help="Replace stored rows by fewer: they were deleted on purpose.")
@base.as_json_option
def ingest(name: str, partition: str | None, allow_shrink: bool, as_json: bool) -> None:
    """Read a partition of the forecast NAME, or each of a range, from its source again, or for the first time.

    What was forecast stays as it was made; forecasts of the partition are scored again.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name)
    with base.progress(f"{name}: getting ready") as listen:
        from mlops_assets.commands.rendering.round import ingested
        from mlops_assets.environments import open_stores
        from mlops_assets.report.ingestion import latest_ingestion
        from mlops_assets.resources.instance import open_instance
        from mlops_assets.rounds.round import resolve_partitions, run_ingestion
        from mlops_assets.rounds.turns import turn_of

        keys = resolve_partitions(spec, partition, settings)
        instance = open_instance(settings)
        with turn_of(name, settings, listen):
            run_ingestion(spec, keys, settings, instance, allow_shrink, listen)
    with open_stores(settings) as stores:
        found = latest_ingestion(name, stores.tables, lambda: nullcontext(instance))
    if as_json:
        base.show_json({"forecast": name, "partitions": keys, "ingestion": found and asdict(found)})
    else:
        base.show(ingested(found))
