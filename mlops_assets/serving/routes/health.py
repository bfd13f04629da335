"""Whether the server runs (`/healthz`), whether its stores answer (`/readyz`), how forecasts are (`/metrics`)."""

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


@router.get("/metrics", summary="How forecasts are, for Prometheus.")
async def metrics(request: Request) -> Response:
    """Return the state of each forecast in Prometheus's text format; a reader's token is needed where there is one."""
    served = request.app.state.served

    def make() -> str:
        from mlops_assets.report.metrics import samples_of, text

        declared = served.declared()
        found = {spec.name: served.overviews.document(spec, "metrics", samples_of) for spec in declared.specs}
        return text(found, declared.broken)

    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}
    return Response(await served.work(make), headers=headers)
