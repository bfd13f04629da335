"""Is all there that a run needs: check."""

import sys

import click

from mlops_assets.commands import base


@click.command()
def check() -> None:
    """Check environment, settings, specs and connections."""
    from mlops_assets.analysis.check import checks

    good = True
    for result in checks():
        good &= result.passed
        sign = click.style("✓", fg="green") if result.passed else click.style("✗", fg="red")
        click.echo(f"{sign} {result.name}: {result.message}")
    sys.exit(base.OK if good else base.FAILED)
