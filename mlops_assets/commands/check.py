"""Is all there that a run needs: check."""

import sys

import click

from mlops_assets.commands import base


@click.command()
def check() -> None:
    """Check environment, settings, specs and connections."""
    from mlops_assets.analysis.check import checks

    good = True
    for name, message, passed in checks():
        good &= passed
        click.echo(f"{click.style('✓', fg='green') if passed else click.style('✗', fg='red')} {name}: {message}")
    sys.exit(base.OK if good else base.FAILED)
