"""The page as one file: style, code and answers inside, and nothing is asked of anybody."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from mlops_assets.explorer.files import CHARTS, HEAD, VENDOR, has_charts, html, script, style
from mlops_assets.explorer.packing import packed


def one_file(documents: Mapping[str, object], title: str, vendor: Path = VENDOR) -> str:
    """Return the explorer as one html file, which shows the documents that it is given.

    Args:
        documents: the answers of the read API, as `format=columns` gives them, by `key_of(path, parameters)`.
            A view whose document is missing says so.
        title: of the page.
        vendor: folder of the charting library; without it charts are SVG.
    """
    return sealed(documents, title, script(), [style()], vendor)


def sealed(documents: Mapping[str, object], title: str, code: str, styles: Sequence[str], vendor: Path = VENDOR) -> str:
    """Return a page of any code as one html file, with the documents that its code asks for.

    Args:
        documents: by their key.
        title: of the page.
        code: one script, which fills the element `app`.
        styles: sheets, later ones on top.
        vendor: folder of the charting library.
    """
    scripts = [code]
    if has_charts(vendor):
        library, sheet = ((vendor / name).read_text(encoding="utf-8") for name in CHARTS)
        licence = (vendor / "LICENSE").read_text(encoding="utf-8")
        styles, scripts = [sheet, *styles], [f"/*\n{licence}*/\n{library}", *scripts]
    policy = f"default-src 'none'; img-src data:; style-src {_hashes(styles)}; script-src {_hashes(scripts)}"
    held = json.dumps(packed(documents), ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<link rel="icon" href="data:,">',
        *(f"<style>{one}</style>" for one in styles),
    ]
    body = [
        f'<script type="application/json" id="documents">{_harmless(held)}</script>',
        *(f"<script>{one}</script>" for one in scripts),
        "</body>",
    ]
    page = html().replace(HEAD, "\n".join(head)).replace("<title>Forecasts</title>", f"<title>{escape(title)}</title>")
    return page.replace("</body>", "\n".join(body))


def _hashes(texts: Iterable[str]) -> str:
    """The source expressions that allow elements with these texts (Content Security Policy Level 3, section 2.3.1)."""
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


def _harmless(text: str) -> str:
    """JSON that means the same and cannot end the element it stands in, or begin a comment in it."""
    return text.replace("<", "\\u003c")
