"""A stand-in for the services that make forecasts: a real HTTP server, deterministic, with faults on demand."""

from mlops_assets.jobs.stand_in.server import StandIn

__all__ = ["StandIn"]
