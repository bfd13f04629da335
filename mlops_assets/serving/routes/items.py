"""Items: found by a part of their ids, and ranked."""

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table

if TYPE_CHECKING:
    import pandas as pd

router = APIRouter(prefix="/v1/forecasts", tags=["items"], dependencies=[limits.Checked])
Search = Annotated[str, Query(max_length=200, description="A part of the id.")]
Sort = Annotated[Literal["name", "volume", "error", "change"], Query(description="What is largest comes first.")]


@router.get("/{name}/items", summary="The items of a forecast.")
async def items(
    request: Request, name: limits.Name, page: Paged, search: Search = "", sort: Sort = "volume"
) -> Response:
    """Return a row for each item, and for each group of a hierarchy."""

    def asked(found: "pd.DataFrame") -> "pd.DataFrame":
        from mlops_assets.reading.items import listed

        return listed(found, search, sort)

    return await table(request, name, page, lambda reader: reader.items(sort="name"), then=asked)
