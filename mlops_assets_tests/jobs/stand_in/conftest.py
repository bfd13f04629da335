"""The same stand-in as for the providers."""

from mlops_assets_tests.jobs.providers.conftest import stand_in

__all__ = ["stand_in"]
