"""Whether the server runs (`/healthz`), and whether the stores that it asks answer (`/readyz`)."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from mlops_assets.serving import problems

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Whether the server runs.")
async def healthz() -> Response:
    """Answer, whatever the stores do."""
    return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


@router.get("/readyz", summary="Whether the stores answer.")
async def readyz(request: Request) -> Response:
    """Answer 503 with what does not answer, and why."""
    served = request.app.state.served
    away = await served.work(served.away)
    if not away:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
    from mlops_assets.resources.secrets import scrub

    told = {what: scrub(reason) for what, reason in away.items()}
    words = "; ".join(f"{what}: {reason}" for what, reason in told.items())
    return problems.answer(503, words, {"Retry-After": str(problems.RETRY_SECONDS)}, away=told)
