"""Adjustments: what people have changed, how to change something, and whether it has helped."""

from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from mlops_assets.serving import limits
from mlops_assets.serving.answers import Paged, table
from mlops_assets.serving.guard import writer

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from mlops_assets.adjustments.adjuster import Adjuster, Change
    from mlops_assets.reading.reader import Reader

router = APIRouter(prefix="/v1/forecasts", tags=["adjustments"], dependencies=[limits.Checked])
Who = Annotated[str, Depends(writer)]
Number = Annotated[int, Path(ge=1, description="Number of the adjustment, or of the lock.")]
Helped = Annotated[Literal["all", "person", "reason", "lead", "kind", "item"], Query(description="What is told apart.")]


class Why(BaseModel):
    """Why something is done, and whether it is only tried. Who does it is told by the token alone."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=200, description="Why, in a word: promotion. What helps is counted by it.")
    note: str = Field("", max_length=2_000, description="Why, in a sentence.")
    dry_run: bool = Field(False, description="Only show what would become of the forecast.")


class Period(Why):
    """What something is about."""

    item: str = Field(
        max_length=limits.LONGEST_ITEM, description="Item, or sum of items: sum:north; sum:* is all of them."
    )
    since: str = Field(max_length=40, description="The first timestamp, in the forecast's zone.")
    until: str | None = Field(None, max_length=40, description="The last one, included. Default: as `since`.")


class Adjustment(Period):
    """How a forecast is adjusted."""

    kind: Literal["value", "factor", "delta"] = "factor"
    amount: float = Field(description="The value, the factor, or what is added.")
    ends: Literal["until", "origin"] = Field("until", description="With its period, or with the latest origin.")
    replaces: int | None = Field(None, ge=1, description="Number of the adjustment in whose place it is.")


@router.get("/{name}/adjustments", summary="What people have changed.")
async def adjustments(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return the log, the oldest first, with the `state` of each adjustment and lock."""
    return await table(request, name, page, _told)


@router.get("/{name}/locks", summary="Which periods are locked.")
async def locks(request: Request, name: limits.Name, page: Paged) -> Response:
    """Return the locks that hold."""

    def question(reader: "Reader") -> "pd.DataFrame":
        rows = _told(reader)
        return rows[(rows["action"] == "lock") & (rows["state"] == "holds")]

    return await table(request, name, page, question)


@router.get("/{name}/value-added", summary="Whether people have helped.")
async def helped(request: Request, name: limits.Name, page: Paged, by: Helped = "all") -> Response:
    """Return the errors of what was published beside those of the system on the same rows, by person, reason, lead."""

    def question(reader: "Reader") -> "pd.DataFrame":
        from mlops_assets.adjustments.value_added import value_added

        return value_added(reader.tables, reader.spec, by)

    return await table(request, name, page, question)


@router.post("/{name}/adjustments", summary="Adjust a forecast.", status_code=201)
async def adjust(request: Request, name: limits.Name, body: Adjustment, who: Who) -> Response:
    """Adjust it in the name of the token, and return what was published before and is after."""

    def do(adjuster: "Adjuster") -> "Change":
        from mlops_assets.adjustments.adjuster import Wanted

        wanted = Wanted(
            body.item,
            body.since,
            body.until,
            body.kind,
            body.amount,
            body.reason,
            body.note,
            body.ends,
            body.replaces,
        )
        return adjuster.adjust(wanted, who, body.dry_run)

    return await _done(request, name, do)


@router.post("/{name}/adjustments/{number}/withdraw", summary="Take an adjustment back.", status_code=201)
async def withdraw(request: Request, name: limits.Name, number: Number, body: Why, who: Who) -> Response:
    """Take it back from now on; what was published with it stays known."""
    return await _done(
        request, name, lambda adjuster: adjuster.withdraw(number, who, body.reason, body.note, body.dry_run)
    )


@router.post("/{name}/locks", summary="Lock a period.", status_code=201)
async def lock(request: Request, name: limits.Name, body: Period, who: Who) -> Response:
    """Keep what is published of it, whatever later origins forecast; nobody adjusts it."""

    def do(adjuster: "Adjuster") -> "Change":
        return adjuster.lock(body.item, body.since, body.until, who, body.reason, body.note, body.dry_run)

    return await _done(request, name, do)


@router.post("/{name}/locks/{number}/unlock", summary="Lift a lock.", status_code=201)
async def unlock(request: Request, name: limits.Name, number: Number, body: Why, who: Who) -> Response:
    """Publish the latest forecast, and what adjusts it, again."""
    return await _done(
        request, name, lambda adjuster: adjuster.unlock(number, who, body.reason, body.note, body.dry_run)
    )


def _told(reader: "Reader") -> "pd.DataFrame":
    from mlops_assets.adjustments.log import Adjustments, told

    return told(Adjustments(reader.tables, reader.spec.name).all())


async def _done(request: Request, name: str, do: "Callable[[Adjuster], Change]") -> Response:
    """Do something to a forecast with the stores that may write, away from the event loop."""
    served = request.app.state.served

    def work() -> "Change":
        from mlops_assets.adjustments.adjuster import Adjuster

        stores = served.writing
        return do(Adjuster(stores.tables, served.spec(name), stores.clock))

    change = await served.work(work)
    status = 200 if change.number is None else 201
    return JSONResponse(change.to_json(), status, headers={"Cache-Control": "no-store"})
