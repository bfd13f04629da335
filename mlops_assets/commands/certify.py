"""Does every place keep the same: certify."""

import sys
from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.errors import ExitCode
from mlops_assets.settings import Settings
from mlops_assets.spec import find_spec, first_spec


@click.command()
@click.option("--on", metavar="PLACES", help="files, sql, object_storage, memory, or URLs; comma-separated.")
@click.option("--forecast", "name", metavar="NAME", help="Which forecast to run. Default: the first declared.")
@base.as_json_option
def certify(on: str | None, name: str | None, as_json: bool) -> None:
    """Prove that every place keeps the same tables and models.

    Runs a small round of a forecast on each place, under names of its own that are removed afterwards, and compares
    all that is read back with the first place's. Default: files, sql and memory, and object storage if it is set.
    """
    settings = Settings.read()
    spec = find_spec(settings.forecasts, name) if name else first_spec(settings.forecasts)
    from mlops_assets.commands.rendering.certification import table
    from mlops_assets.rounds import certification

    words = [word.strip() for word in on.split(",") if word.strip()] if on else None
    with base.progress() as listen:
        findings = certification.certify(spec, settings, words, listen)
    if as_json:
        base.show_json([asdict(finding) for finding in findings])
    else:
        base.show([table(spec, findings)])
    sys.exit(ExitCode.FAILED if any(finding.difference for finding in findings) else ExitCode.DONE)
