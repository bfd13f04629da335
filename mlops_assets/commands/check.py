"""Is all there that a run needs: check."""

import sys
from dataclasses import asdict

import click

from mlops_assets.commands import base
from mlops_assets.errors import ExitCode


@click.command()
@base.as_json_option
def check(as_json: bool) -> None:
    """Check environment, settings, specs and connections."""
    from mlops_assets.analysis.check import checks

    found = []
    for result in checks():
        found.append(result)
        sign = click.style("✓", fg="green") if result.passed else click.style("✗", fg="red")
        click.echo(f"{sign} {result.name}: {result.message}")
    if as_json:
        base.show_json([asdict(result) for result in found])
    sys.exit(ExitCode.DONE if all(result.passed for result in found) else ExitCode.FAILED)
