"""Dagster's web UI and daemon on this machine: dev."""

import click

from mlops_assets.settings import Settings


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option("--port", type=click.IntRange(1, 65535), default=3000, show_default=True, help="Of the web UI.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that it listens at.")
@click.pass_context
def dev(ctx: click.Context, port: int, host: str) -> None:
    """Start Dagster's web UI, daemon and code server, as `dagster dev` does, and with its options.

    The web UI is behind a guard: it answers to this machine's names and those of MLOPS_API_HOSTS alone, and takes
    nothing that a page of another site makes a browser send. Ctrl-C ends all of them. Without DAGSTER_HOME it shows
    what other commands have run: the instance in the data folder.
    """
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.serving.dagster_dev import Dev

    open_instance(Settings.read()).dispose()
    Dev(host, port, ctx.args).run()
