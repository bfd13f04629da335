"""The command line: all commands under one name. How they end: `errors.ExitCode`."""

import click

from mlops_assets.commands import (
    analysis,
    base,
    certify,
    check,
    events,
    external,
    jobs,
    leaving,
    lifecycle,
    listing,
    policy,
    quarantine,
    reingest,
    revisions,
    run,
    stand_in,
    status,
)
from mlops_assets.commands.readers import adjust, export, serve, show


@click.group(cls=base.Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlops-assets")
@click.option("--debug", is_flag=True, help="Show the trace of a bug instead of logging it; also MLOPS_DEBUG.")
def main(debug: bool) -> None:
    """Batch forecasts that look after themselves."""


for command in (
    listing.list_forecasts,
    listing.init,
    run.run,
    run.ingest,
    reingest.reingest,
    certify.migrate_tables,
    lifecycle.approve,
    lifecycle.reject,
    lifecycle.rollback,
    lifecycle.history,
    external.external,
    leaving.retire,
    leaving.rename,
    analysis.evaluate,
    analysis.explain,
    analysis.forecast,
    analysis.tune,
    show.show,
    export.export,
    adjust.adjust,
    serve.serve,
    status.status,
    status.report,
    policy.replay_policy,
    check.check,
    quarantine.quarantine,
    revisions.revisions,
    jobs.jobs,
    events.events,
    certify.certify,
    stand_in.stand_in,
):
    main.add_command(command)
