"""Models: versions, who decided on them, what they lean on, and jobs of outside services."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table

router = APIRouter(prefix="/v1/forecasts", tags=["models"], dependencies=[limits.Checked])


@router.get("/{name}/decisions", summary="Who became champion, and who decided so.")
async def decisions(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return the log of decisions."""
    return await table(request, name, page, lambda reader: reader.decisions())


@router.get("/{name}/models", summary="The versions of the model.")
async def models(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return a row for each version."""
    return await table(request, name, page, lambda reader: reader.models(), elsewhere=True)


@router.get("/{name}/importances", summary="What the champion leans on.")
async def importances(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return a row for each feature."""
    return await table(request, name, page, lambda reader: reader.importances(), elsewhere=True)


@router.get("/{name}/jobs", summary="Jobs of outside services.")
async def jobs(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return the ledger of jobs."""
    return await table(request, name, page, lambda reader: reader.job_rows(), elsewhere=True)
