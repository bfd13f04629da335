"""Forecasts: the rows of one, by item, time, origin, and as they were known."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from mlops_assets.reading.questions import QuestionError
from mlops_assets.serving import limits
from mlops_assets.serving.answers import Page, Paged, answer, table
from mlops_assets.serving.formats import by_columns, by_rows
from mlops_assets.serving.latest import Version

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.reading.reader import Reader
    from mlops_assets.spec import ForecastSpec

router = APIRouter(prefix="/v1/forecasts", tags=["forecasts"], dependencies=[limits.Checked])
Leads = Annotated[list[int], Query(alias="lead", description="Steps after the origin; may be repeated. Default: all.")]
Role = Annotated[
    Literal["delivered", "shadow"], Query(description="What was delivered, or with it the rows of other services.")
]
Adjusted = Annotated[Version, Query(description="With what people have adjusted, or as the forecaster said.")]
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
    version: Adjusted = "published",
    quantiles: Quantiles = None,
) -> Response:
    """Return a row for each item and timestamp: of the latest origin that reaches it, unless `origin` is given."""
    items = limits.items_of(item)
    if not (start or end or origin or as_of or lead) and role == "delivered":
        quick = _from_memory(request, name, page, items, version, quantiles)
        if quick is not None:
            return quick

    def question(reader: "Reader") -> "pd.DataFrame":
        found = reader.forecasts(items, start, end, origin, as_of, leads=lead or None, role=role, version=version)
        return found.drop(columns=_unasked(quantiles, reader.spec))

    return await table(request, name, page, question)


def _from_memory(
    request: Request, name: str, page: Page, items: list[str] | None, version: Version, quantiles: str | None
) -> Response | None:
    """Answer at once from the rows that are kept in memory; None where they are not, or cannot tell."""
    write = {"json": by_rows, "columns": by_columns}.get(page.shape.name)
    served = request.app.state.served
    rows = served.latest.of(name, version) if write is not None else None
    if write is None or rows is None or any(item not in rows.spans for item in items or ()):
        return None
    if items is None:
        spans = [(min(page.offset, len(rows)), min(page.offset + page.limit, len(rows)))]
        total = len(rows)
    else:
        spans = sorted({rows.spans[item] for item in items})
        total = sum(end - first for first, end in spans)
        spans = list(_cut(spans, page.offset, page.limit))
    columns = rows.pieces(spans, _unasked(quantiles, served.spec(name)))
    return answer(request, name, page, total, lambda beside: write(columns, beside))


def _cut(spans: Iterable[tuple[int, int]], offset: int, limit: int) -> Iterator[tuple[int, int]]:
    """Yield what is left of spans of rows from an offset on, up to a limit."""
    for first, end in spans:
        start = min(first + offset, end)
        offset -= start - first
        stop = min(start + limit, end)
        limit -= stop - start
        if stop > start:
            yield start, stop


def _unasked(asked: str | None, spec: "ForecastSpec") -> list[str]:
    """Return the columns of the quantiles that are not asked for.

    Raises:
        QuestionError: the forecast does not have one of those that are.
    """
    if asked is None:
        return []
    from mlops_assets.forecasting.model.task import quantile_column

    known = {f"{value:g}": quantile_column(value) for value in spec.task.quantiles}
    wanted = [] if asked == "none" else [part.strip() for part in asked.split(",")]
    for one in wanted:
        if one not in known:
            raise QuestionError.of("quantiles", one, known)
    return [column for value, column in known.items() if value not in wanted]
