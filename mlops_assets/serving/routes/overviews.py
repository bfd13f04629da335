"""How forecasts are: all of them in a list, one in what its page begins with, and what its report tells."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, answer, document

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.report.overview import Overview
    from mlops_assets.report.state import Sources
    from mlops_assets.serving.stores import Served

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"], dependencies=[limits.Checked])


@router.get("", summary="All forecasts.")
async def forecasts(request: Request, page: Paged) -> Response:
    """Return a row for each forecast that is declared: who forecasts, how good, what is wrong."""
    served = request.app.state.served

    def make() -> Response:
        rows = _rows(served)
        shown = rows.iloc[page.offset : page.offset + page.limit]
        return answer(request, "", page, len(rows), lambda beside: page.shape.write(shown, beside))

    return await served.work(make)


@router.get("/{name}/state", summary="What there is to know of a forecast.")
async def state(request: Request, name: limits.Name) -> Response:
    """Return its horizon, its champion, how good it is in words, what is wrong."""
    served = request.app.state.served

    def make() -> dict[str, Any]:
        from mlops_assets.report import documents

        found = served.overviews.document(served.spec(name), "state", documents.state)
        return {**found, "adjustable": served.tokens.writable}

    return await document(request, make)


@router.get("/{name}/overview", summary="What the report tells of a forecast.")
async def overview(request: Request, name: limits.Name) -> Response:
    """Return its figures, and sentences and tables by section."""
    served = request.app.state.served

    def make() -> dict[str, Any]:
        from mlops_assets.report import documents

        return served.overviews.document(served.spec(name), "overview", documents.overview)

    return await document(request, make)


@router.get("/{name}/quality", summary="What the report tells of the data.")
async def quality(request: Request, name: limits.Name) -> Response:
    """Return sentences and tables by section."""
    served = request.app.state.served

    def make() -> dict[str, Any]:
        from mlops_assets.report import documents

        return served.overviews.document(served.spec(name), "quality", documents.quality)

    return await document(request, make)


def _rows(served: "Served") -> "pd.DataFrame":
    import pandas as pd

    from mlops_assets.resources.secrets import scrub

    declared = served.declared()
    rows: list[dict[str, Any]] = [served.overviews.document(spec, "row", _row) for spec in declared.specs]
    rows += [{"name": one.name, "state": "broken", "problems": [scrub(one.message)]} for one in declared.broken]
    return pd.DataFrame(rows).astype(object).sort_values("name", ignore_index=True)


def _row(sources: "Sources", found: "Overview") -> dict[str, Any]:
    from mlops_assets.catalog.names import FORECASTS
    from mlops_assets.report import documents

    last = sources.stored.partitions(FORECASTS)[-1:]
    items = sources.stored.read(FORECASTS, last, ["item_id"])["item_id"].nunique() if last else 0
    return documents.listed(sources.spec, found, items)
