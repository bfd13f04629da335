"""The server: serve."""

import click

from mlops_assets.errors import UsageError
from mlops_assets.settings import Settings, logs_json


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="To listen at; 0: any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is every one.")
@click.option("--without-token", is_flag=True, help="Let everybody read who reaches an address that is not loopback.")
def serve(port: int, host: str, without_token: bool) -> None:
    """Serve what is stored of forecasts: over HTTP below /v1, and as a page to look at.

    It only reads, and sees what is newly stored within seconds. MLOPS_API_TOKEN is what readers need; without
    MLOPS_API_WRITE_TOKEN nothing can be written.
    """
    settings = Settings.read()
    from mlops_assets.serving.guard import LOOPBACK

    if host not in LOOPBACK and settings.api_token is None and not without_token:
        raise UsageError(
            f"--host {host}: others could read without being asked who they are; set MLOPS_API_TOKEN, or say "
            "--without-token if something before the server asks them"
        )
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    from mlops_assets.serving.app import build_app

    app = build_app(settings, host=host)
    own = None if logs_json() else LOGGING_CONFIG  # None: what uvicorn logs goes where all else does
    uvicorn.run(app, host=host, port=port, server_header=False, log_level="info", log_config=own)
