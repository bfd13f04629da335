"""What a request may ask for: the types of parameters, and their bounds."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request

from mlops_assets.errors import nearest
from mlops_assets.reading.questions import QuestionError

MOST_ROWS = {"json": 100_000, "columns": 100_000, "xlsx": 1_000_000, "csv": 2_000_000}
"""Rows of one answer by format; of others as of csv."""
DEFAULT_ROWS = 10_000
MOST_ITEMS, LONGEST_ITEM = 1_000, 4_096

Name = Annotated[str, Path(max_length=100, description="Name of a forecast.")]
Item = Annotated[list[str], Query(alias="item", description="Id of an item; may be repeated. Default: all.")]
Start = Annotated[str | None, Query(max_length=40, description="First timestamp, in the forecast's zone.")]
End = Annotated[str | None, Query(max_length=40, description="Last timestamp, in the forecast's zone.")]
AsOf = Annotated[
    str | None,
    Query(max_length=40, description="As it was known at this moment; in UTC where it names no offset."),
]
Origin = Annotated[
    str | None,
    Query(max_length=40, description="The origin of a forecast, `latest` or `all`. Default: the latest of each time."),
]
Limit = Annotated[int, Query(ge=0, description="Rows at most.")]
Offset = Annotated[int, Query(ge=0, le=10**12, description="Rows that are passed over.")]
Format = Annotated[
    Literal["json", "columns", "csv", "parquet", "arrow", "xlsx"] | None,
    Query(description="Default: by the header Accept, else json."),
]


async def known_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not have, or has once and is given twice: no word is passed over.

    Raises:
        QuestionError: with the nearest right name, or what was given for the one.
    """
    if not request.query_params:
        return
    known = _parameters(request)
    for name in request.query_params:
        if name in known and not known[name] and len(given := request.query_params.getlist(name)) > 1:
            said = ", ".join(repr(one[:40]) for one in given[:3])
            raise QuestionError(f"{name}: given {len(given)} times ({said}), and may be given once", parameter=name)
        if name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {near[0]}?" if near else ""
            there = f"There are: {', '.join(known)}" if known else "There is none here"
            raise QuestionError(f"no parameter {name[:80]!r}{hint or '.'} {there}", parameter=name[:80], nearest=near)


def _parameters(request: Request) -> dict[str, bool]:
    """Return the parameters in the query of a request's route, as the OpenAPI document has them: name -> may repeat."""
    names: dict[str, dict[str, bool]] = request.app.state.served.parameters
    path = f"{request.method} {request.scope['route'].path}"
    if path not in names:
        told = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
        found = {one["name"]: one["schema"] for one in told.get("parameters", ()) if one["in"] == "query"}
        names[path] = {name: found[name].get("type") == "array" for name in sorted(found)}
    return names[path]


Checked = Depends(known_parameters)


def items_of(item: list[str]) -> list[str] | None:
    """Return the items that are asked for; None: all.

    Raises:
        QuestionError: too many, or one is too long to be an id.
    """
    if len(item) > MOST_ITEMS:
        raise QuestionError(f"item: {len(item):,} of them; at most {MOST_ITEMS:,} in one request", parameter="item")
    longest = max(map(len, item), default=0)
    if longest > LONGEST_ITEM:
        raise QuestionError(f"item: {longest:,} characters; at most {LONGEST_ITEM:,}", parameter="item")
    return item or None


def rows_at_most(limit: int, shape: str) -> int:
    """Return the limit of an answer's rows.

    Raises:
        QuestionError: more than the format may have.
    """
    most = MOST_ROWS.get(shape, MOST_ROWS["csv"])
    if limit > most:
        raise QuestionError(
            f"limit: {limit:,} rows; at most {most:,} as {shape}: ask for the next with offset",
            parameter="limit",
            nearest=[str(most)],
        )
    return limit
