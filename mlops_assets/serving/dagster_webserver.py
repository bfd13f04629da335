"""Dagster's web server behind the guard `SameSite`: started by `dev` in the place of `python -m dagster_webserver`."""

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

    hosts = hosts_of(Settings.read())
    make = replaceable(cli, _MAKE)

    def guarded(*arguments: Any, **options: Any) -> SameSite:
        return SameSite(make(*arguments, **options), hosts)

    setattr(cli, _MAKE, guarded)
    cli.main()


if __name__ == "__main__":
    try:
        main()
    except UnguardedError as error:
        raise SystemExit(f"mlops-assets: {error.message}") from None
