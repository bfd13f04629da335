"""The command line: all commands under one name. How they end: `errors.ExitCode`."""

import click

from mlops_assets.commands import base

_COMMANDS = base.OnDemand(
    {
        "list": "declaring.listing:list_forecasts",
        "init": "declaring.listing:init",
        "new": "declaring.new:new",
        "run": "run:run",
        "ingest": "run:ingest",
        "reingest": "reingest:reingest",
        "migrate-tables": "certify:migrate_tables",
        "approve": "lifecycle:approve",
        "reject": "lifecycle:reject",
        "rollback": "lifecycle:rollback",
        "sign": "lifecycle:sign_decision",
        "promote": "promote:promote",
        "retention": "retention:retention",
        "history": "lifecycle:history",
        "external": "external:external",
        "retire": "leaving:retire",
        "rename": "leaving:rename",
        "evaluate": "analysis:evaluate",
        "explain": "analysis:explain",
        "forecast": "analysis:forecast",
        "tune": "analysis:tune",
        "show": "readers.show:show",
        "export": "readers.export:export",
        "adjust": "readers.adjust:adjust",
        "serve": "readers.serve:serve",
        "dev": "readers.dev:dev",
        "status": "status:status",
        "report": "status:report",
        "metrics": "status:metrics",
        "replay-policy": "trials.policy:replay_policy",
        "simulate": "trials.simulate:simulate",
        "check": "check:check",
        "quarantine": "quarantine:quarantine",
        "revisions": "revisions:revisions",
        "jobs": "jobs:jobs",
        "events": "events:events",
        "certify": "certify:certify",
        "stand-in": "stand_in:stand_in",
    }
)
"""Where each command stands, by its name."""


@click.group(cls=base.Commands, commands=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mlops-assets")
@click.option("--debug", is_flag=True, help="Show the trace of a bug instead of logging it; also MLOPS_DEBUG.")
def main(debug: bool) -> None:
    """Batch forecasts that look after themselves."""
