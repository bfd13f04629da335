"""How good the forecasts were."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table

router = APIRouter(prefix="/v1/forecasts", tags=["accuracy"], dependencies=[limits.Checked])
By = Annotated[
    Literal["all", "item", "lead", "origin", "period", "segment", "version"], Query(description="A row for each.")
]


@router.get("/{name}/accuracy", summary="How good the forecasts were.")
async def accuracy(
    request: Request,
    name: limits.Name,
    page: Paged,
    by: By = "all",
    item: limits.Item = [],  # noqa: B006
    start: limits.Start = None,
    end: limits.End = None,
    as_of: limits.AsOf = None,
) -> Response:
    """Return every metric, and seasonal naive's on the same forecasts."""
    items = limits.items_of(item)
    return await table(request, name, page, lambda reader: reader.accuracy(by, items, start, end, as_of))


@router.get("/{name}/calibration", summary="How often actuals were below each quantile.")
async def calibration(
    request: Request,
    name: limits.Name,
    page: Paged,
    item: limits.Item = [],  # noqa: B006
    start: limits.Start = None,
    end: limits.End = None,
    as_of: limits.AsOf = None,
) -> Response:
    """Return a row for each quantile."""
    items = limits.items_of(item)
    return await table(request, name, page, lambda reader: reader.calibration(items, start, end, as_of))
