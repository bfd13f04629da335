"""Dagster's web server behind the guard `SameSite`: started by `dev` in the place of `python -m dagster_webserver`."""

from contextlib import closing
from typing import Any

from mlops_assets.serving.dagster_dev import UnguardedError, replaceable
from mlops_assets.serving.guard import hosts_of
from mlops_assets.serving.same_site import SameSite
from mlops_assets.settings import Settings

_MAKE = "create_app_from_workspace_process_context"
"""Makes the application that is served."""


def main() -> None:
    """Serve, with the arguments of `dagster-webserver`.

    Raises:
        UnguardedError: this release of Dagster makes its application in another way.
    """
    from dagster_webserver import cli

    prove_connections()
    page_from_the_end()
    hosts = hosts_of(Settings.read())
    make = replaceable(cli, _MAKE)

    def guarded(*arguments: Any, **options: Any) -> SameSite:
        return SameSite(make(*arguments, **options), hosts)

    setattr(cli, _MAKE, guarded)
    cli.main()


def prove_connections() -> None:
    """Have every connection asked when it is taken from a pool of this process.

    The web server alone keeps Dagster's connections in pools, and does not ask: after a restart of the database a page
    failed for each of them, and a run that was to be launched then began five minutes later.
    """
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    if not event.contains(Pool, "checkout", _prove):
        event.listen(Pool, "checkout", _prove)


def page_from_the_end() -> None:
    """Have the latest partitions of a forecast whose partitions have ended listed from the end on, in this process.

    An asset's numbers are drawn over its latest 120 partitions. Dagster 1.13 counts them back from now even where the
    last one is long over, and so drew nothing of a year that is past.
    """
    from dagster import TimeWindowPartitionsDefinition

    page = TimeWindowPartitionsDefinition.get_paginated_partition_keys

    def from_the_end(partitions: Any, context: Any, limit: int, ascending: bool, cursor: str | None = None) -> Any:
        over = partitions.end is not None and partitions.end < context.effective_dt
        return page(partitions, context.updated(partitions.end, None) if over else context, limit, ascending, cursor)

    TimeWindowPartitionsDefinition.get_paginated_partition_keys = from_the_end  # pyright: ignore[reportAttributeAccessIssue]


def _prove(connection: Any, record: object, proxy: object) -> None:
    """Let the pool take another connection where this one does not answer."""
    from sqlalchemy.exc import DisconnectionError

    try:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # of whatever driver
        raise DisconnectionError from error


if __name__ == "__main__":
    try:
        main()
    except UnguardedError as error:
        raise SystemExit(f"mlops-assets: {error.message}") from None
