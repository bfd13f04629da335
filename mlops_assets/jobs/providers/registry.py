"""Which service a spec names, and where data are handed over to it."""

import os
from collections.abc import Mapping
from pathlib import Path

from mlops_assets.jobs.providers.amazon_forecast import AmazonForecastService
from mlops_assets.jobs.providers.databricks import DatabricksService
from mlops_assets.jobs.providers.own_service import OwnService
from mlops_assets.jobs.providers.protocol import Provider
from mlops_assets.jobs.providers.rest import RestService
from mlops_assets.jobs.providers.sagemaker import SageMakerService
from mlops_assets.spec import ForecastSpec
from mlops_assets.spec.external import BLOCKS, External, filled


def provider_of(external: External, environ: Mapping[str, str] | None = None) -> Provider:
    """Return the service that a spec names.

    Args:
        external: of the spec.
        environ: of the variables in it, which are looked up when the service is asked. Default: the process's.
    """
    environ = os.environ if environ is None else environ
    if external.service not in BLOCKS:
        return OwnService(external, environ)
    if external.rest is not None:
        return RestService(external.rest, environ)
    if external.amazon_forecast is not None:
        return AmazonForecastService(external.amazon_forecast, external.every, environ)
    if external.databricks is not None:
        return DatabricksService(external.databricks, environ)
    assert external.sagemaker is not None
    return SageMakerService(external.sagemaker, environ)


def exchange_of(spec: ForecastSpec, environ: Mapping[str, str] | None = None) -> str:
    """Return where data of a forecast are handed over: `Request.exchange`; empty: nowhere.

    A relative folder starts from the folder of the spec.
    """
    environ = os.environ if environ is None else environ
    if spec.external is None or spec.external.exchange is None:
        return ""
    place = filled(spec.external.exchange, environ).rstrip("/")
    base = place if "://" in place else str((spec.folder / Path(place).expanduser()).absolute())
    return f"{base}/{spec.name}"
