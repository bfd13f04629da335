"""`build_app`: the server as an ASGI application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from mlops_assets.serving import problems
from mlops_assets.serving.guard import LOOPBACK, Guard, hosts_of, listed
from mlops_assets.serving.routes import (
    adjustments,
    events,
    forecasts,
    health,
    items,
    models,
    overviews,
    pages,
    past,
    scores,
    sessions,
    what_if,
)
from mlops_assets.serving.stores import Served, warm
from mlops_assets.settings import Settings

if TYPE_CHECKING:
    from mlops_assets.environments import Stores

_DESCRIPTION = (
    "What is stored of forecasts, for those who only read. Times are in each forecast's zone, moments in UTC."
)
_SMALLEST_GZIP, _GZIP_LEVEL = 1_024, 4


def build_app(settings: Settings, stores: "Stores | None" = None, host: str = LOOPBACK[1]) -> FastAPI:
    """Return the application.

    Args:
        settings: of the environment.
        stores: to ask instead of the environment's own.
        host: the address that it will listen at.

    Raises:
        SettingsError: the tokens cannot be.
    """
    served = Served(settings, stores)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warm(served)
        yield

    app = FastAPI(
        title="mlops-assets",
        version=version("mlops-assets"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.served = served
    problems.register(app)
    for part in (
        health,
        overviews,
        forecasts,
        items,
        past,
        scores,
        models,
        what_if,
        adjustments,
        events,
        sessions,
        pages,
    ):
        app.include_router(part.router)
    origins = listed(settings.api_origins)
    if origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET"], allow_headers=["Authorization"]
        )
    app.add_middleware(GZipMiddleware, minimum_size=_SMALLEST_GZIP, compresslevel=_GZIP_LEVEL)
    app.add_middleware(Guard, tokens=served.tokens, hosts=_hosts(settings, host))
    return app


def _hosts(settings: Settings, host: str) -> Sequence[str]:
    """Return the names that are answered to; none: all, for at an address that others reach a token is needed."""
    names = hosts_of(settings)
    return names if host in LOOPBACK or len(names) > len(LOOPBACK) else []
