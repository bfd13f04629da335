"""Forecasts: the rows of one, by item, time, origin, and as they were known."""

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mlops_assets.errors import nearest
from mlops_assets.reading.questions import QuestionError
from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.reading.reader import Reader

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"], dependencies=[limits.Checked])
Leads = Annotated[list[int], Query(alias="lead", description="Steps after the origin; may be repeated. Default: all.")]
Role = Annotated[
    Literal["delivered", "shadow"], Query(description="What was delivered, or with it the rows of other services.")
]
Version = Annotated[
    Literal["published", "system"], Query(description="With what people have adjusted, or as the forecaster said.")
]
Quantiles = Annotated[
    str | None, Query(max_length=400, description="Which quantiles, such as 0.1,0.9; `none` of them. Default: all.")
]


@router.get("/{name}", summary="The rows of a forecast.")
async def rows(
    request: Request,
    name: limits.Name,
    page: Paged,
    item: limits.Item = [],  # noqa: B006 (FastAPI copies it)
    start: limits.Start = None,
    end: limits.End = None,
    origin: limits.Origin = None,
    as_of: limits.AsOf = None,
    lead: Leads = [],  # noqa: B006
    role: Role = "delivered",
    version: Version = "published",
    quantiles: Quantiles = None,
) -> Response:
    """Return a row for each item and timestamp: of the latest origin that reaches it, unless `origin` is given."""
    items = limits.items_of(item)

    def question(reader: "Reader") -> "pd.DataFrame":
        found = reader.forecasts(items, start, end, origin, as_of, leads=lead or None, role=role, version=version)
        return found if quantiles is None else _narrowed(found, quantiles, reader.spec.task.quantiles)

    return await table(request, name, page, question)


def _narrowed(rows: "pd.DataFrame", asked: str, known: "tuple[float, ...] | list[float]") -> "pd.DataFrame":
    """Keep only some quantiles.

    Raises:
        QuestionError: the forecast does not have one of them.
    """
    from mlops_assets.forecasting.model.task import quantile_column

    columns = {f"{value:g}": quantile_column(value) for value in known}
    wanted = [] if asked == "none" else [part.strip() for part in asked.split(",")]
    for one in wanted:
        if one not in columns:
            near = nearest(one, columns, cutoff=0.0)
            raise QuestionError(
                f"quantiles: {one[:40]!r} is none of {', '.join(columns)}", parameter="quantiles", nearest=near
            )
    gone = {column for value, column in columns.items() if value not in wanted}
    return rows.drop(columns=[name for name in rows if name in gone])
