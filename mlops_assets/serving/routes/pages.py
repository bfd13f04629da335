"""Pages for people: the explorer at `/`, and the routes at `/docs`. Nothing of a forecast is in them."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from mlops_assets import explorer

router = APIRouter(include_in_schema=False)
_ASK = {"Cache-Control": "no-cache"}
_KEEP = {"Cache-Control": "public, max-age=31536000, immutable"}
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@router.get("/")
async def page() -> Response:
    """Show the explorer."""
    return HTMLResponse(explorer.index(), headers=_ASK)


@router.get("/static/{name}")
async def static(name: str, v: str = "") -> Response:
    """Give out a file of the explorer, by a name that is known; one that is asked for by its checksum may be kept."""
    text = explorer.static_files().get(name)
    if text is None:
        raise HTTPException(404)
    return Response(text, media_type=_TYPES[Path(name).suffix], headers=_KEEP if v else _ASK)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show every route with its parameters, without a script."""
    schema = request.app.openapi()
    parts = [f'<p>{escape(schema["info"]["description"])} <a href="openapi.json">openapi.json</a></p>']
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            parts += _route(method, path, told)
    return _page(f"{schema['info']['title']} {schema['info']['version']}", "\n".join(parts))


def _route(method: str, path: str, told: dict[str, Any]) -> Iterator[str]:
    yield f"<section><h2><code>{method.upper()} {escape(path)}</code></h2>"
    yield f"<p>{escape(told.get('summary', ''))} {escape(told.get('description', ''))}</p>"
    parameters = [one for one in told.get("parameters", ()) if one["in"] == "query"]
    if parameters:
        rows = "".join(
            f"<tr><th scope=row><code>{escape(one['name'])}</code></th><td>{escape(_kind(one['schema']))}</td>"
            f"<td>{escape(one.get('description', ''))}</td></tr>"
            for one in parameters
        )
        yield f"<table><thead><tr><th>parameter</th><th>takes</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    yield "</section>"


def _kind(schema: dict[str, Any]) -> str:
    """Say in a few words what a parameter takes."""
    if "anyOf" in schema:
        return next((_kind(one) for one in schema["anyOf"] if one.get("type") != "null"), "")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kind = {"array": "any number", "string": "text", "integer": "whole number"}.get(schema.get("type", ""), "")
    return f"{kind}, {schema['default']} by default" if schema.get("default") not in (None, "", []) else kind


def _page(title: str, body: str) -> HTMLResponse:
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="static/style.css">'
    )
    main = f"<main><h1>{escape(title)}</h1>{body}</main>"
    return HTMLResponse(f'<!doctype html><html lang="en"><head>{head}</head><body>{main}</body></html>', headers=_ASK)
