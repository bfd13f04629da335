"""Answers: in the format asked for, page by page, and with a tag by which a client sees that nothing has changed."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from mlops_assets.serving import formats, limits

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.reading.reader import Reader

_SHOWING = ("limit", "offset", "format")
"""Parameters that change how an answer is shown, not what it is."""
_VARY = "Accept, Accept-Encoding, Authorization, Cookie"


@dataclass(frozen=True)
class Page:
    """Which rows of an answer are wanted, and in which format."""

    shape: formats.Shape
    limit: int
    offset: int

    @classmethod
    async def asked(
        cls,
        request: Request,
        limit: limits.Limit = limits.DEFAULT_ROWS,
        offset: limits.Offset = 0,
        format: limits.Format = None,
    ) -> "Page":
        """Read it from a request.

        Raises:
            QuestionError: more rows than the format may have.
            NotAcceptableError: no such format.
        """
        shape = formats.chosen(format, request.headers.get("accept", ""))
        return cls(shape, limits.rows_at_most(limit, shape.name), offset)


Paged = Annotated[Page, Depends(Page.asked)]


async def table(
    request: Request,
    name: str,
    page: Page,
    question: "Callable[[Reader], pd.DataFrame]",
    elsewhere: bool = False,
    then: "Callable[[pd.DataFrame], pd.DataFrame] | None" = None,
) -> Response:
    """Ask a forecast for a table, away from the event loop, and answer with the page of it that is wanted.

    Args:
        request: that asks.
        name: of the forecast.
        page: of the answer.
        question: to the forecast.
        elsewhere: whether the answer comes from other places too than the tables: then it is never kept.
        then: makes the answer, of what is asked whatever the parameters are; None: the question makes it.

    Raises:
        MlopsAssetsError: whatever the question raises.
    """
    served = request.app.state.served

    def make() -> Response:
        reader = served.reader(name)
        if elsewhere:
            frame = question(reader)
        else:
            given = request.query_params.multi_items() if then is None else []
            asked = [pair for pair in given if pair[0] not in _SHOWING]
            key, stamp = (request.url.path, *sorted(asked)), f"{id(reader.spec)} {served.looks.look(name).of()}"
            frame = served.frames.get(key, stamp, lambda: question(reader))
        frame = frame if then is None else then(frame)
        shown = frame.iloc[page.offset : page.offset + page.limit]
        return answer(request, name, page, len(frame), lambda beside: page.shape.write(shown, beside))

    return await served.work(make)


def answer(
    request: Request, name: str, page: Page, total: int, write: "Callable[[Mapping[str, Any]], bytes]"
) -> Response:
    """Answer with a page of a table.

    Args:
        request: that asks.
        name: of the forecast; empty: of none alone.
        page: of the answer.
        total: rows of all pages.
        write: makes the body, from what stands beside the rows.
    """
    more = page.offset + page.limit
    following = more if more < total and page.limit else None
    headers = {"X-Total-Count": str(total)}
    if following is not None:
        headers["Link"] = f'<{request.url.include_query_params(offset=following)}>; rel="next"'
    if page.shape.file:
        headers["Content-Disposition"] = f'attachment; filename="{_file_name(request, name)}.{page.shape.file}"'
    body = write({**({"forecast": name} if name else {}), "total": total, "next": following})
    return tagged(request, body, page.shape.media.partition(";")[0], headers)


async def document(request: Request, question: "Callable[[], Mapping[str, Any]]") -> Response:
    """Answer with plain JSON that is no table."""
    body = await request.app.state.served.work(lambda: formats.dumps(question()))
    return tagged(request, body, formats.JSON)


def tagged(request: Request, body: bytes, media: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with its tag, or 304 where the client has it already."""
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": _VARY}
    if _has(request, tag):
        return Response(status_code=304, headers=known)
    return Response(body, media_type=media, headers={**known, **(headers or {})})


def _has(request: Request, tag: str) -> bool:
    given = request.headers.get("if-none-match", "")
    return given == "*" or tag.removeprefix("W/") in [one.strip().removeprefix("W/") for one in given.split(",")]


def _file_name(request: Request, name: str) -> str:
    last = request.url.path.rsplit("/", 1)[-1]
    return last if name in (last, "") else f"{name}_{last}"
