"""The command `stand-in`: a server that plays external forecasting services, to try and to test with."""

import click


@click.command("stand-in")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Seconds that a job takes. Default: none.")
@click.option("--fault", "faults", multiple=True, help="A fault that all jobs have, such as throttle or short_rows.")
def stand_in(port: int, latency: float, faults: tuple[str, ...]) -> None:
    """Play the services that external jobs go to, on this machine only: docs/external_jobs.md.

    Any REST service, Amazon Forecast, SageMaker and Databricks; forecasts are seasonal naive. GET /calls counts what
    was asked, POST /faults makes it go wrong. Ends with Ctrl-C.
    """
    from mlops_assets.jobs.stand_in import StandIn
    from mlops_assets.jobs.stand_in.faults import Fault, Faults

    server = StandIn(port, latency, Faults([Fault.of({"fault": name}) for name in faults]))
    click.echo(f"stand-in for external services: {server.url}")
    try:
        server.serve()
    except KeyboardInterrupt:
        click.echo("ended")
