"""What was observed, when forecasts were made, and what happened."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table

Last = Annotated[int, Query(ge=1, le=100_000, description="How many: each of them is looked at.")]
router = APIRouter(prefix="/v1/forecasts", tags=["history"], dependencies=[limits.Checked])


@router.get("/{name}/observations", summary="What was observed.")
async def observations(
    request: Request,
    name: limits.Name,
    page: Paged,
    item: limits.Item = [],  # noqa: B006
    start: limits.Start = None,
    end: limits.End = None,
    as_of: limits.AsOf = None,
) -> Response:
    """Return a row for each item and timestamp, as it is known now or was known at a moment."""
    items = limits.items_of(item)
    return await table(request, name, page, lambda reader: reader.observations(items, start, end, as_of))


@router.get("/{name}/origins", summary="When forecasts were made.")
async def origins(
    request: Request, name: limits.Name, page: Paged, as_of: limits.AsOf = None, last: Last = 400
) -> Response:
    """Return a row for each of the latest origins, the earliest first."""
    return await table(request, name, page, lambda reader: reader.origins(as_of, last))


@router.get("/{name}/changes", summary="Why forecasts changed.")
async def changes(
    request: Request,
    name: limits.Name,
    page: Paged,
    origin: limits.Origin = None,
    item: limits.Item = [],  # noqa: B006
) -> Response:
    """Return what changed between an origin and the one before, the largest first, with causes."""
    items = limits.items_of(item)
    return await table(request, name, page, lambda reader: reader.changes(origin, items, None))


@router.get("/{name}/timeline", summary="What happened.")
async def timeline(
    request: Request, name: limits.Name, page: Paged, start: limits.Start = None, end: limits.End = None
) -> Response:
    """Return promotions, retrainings, drift, outages and the like, in the order of time."""
    return await table(request, name, page, lambda reader: reader.timeline(start, end))
