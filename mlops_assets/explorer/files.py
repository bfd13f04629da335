"""Where the page's files are, and its html as a server sends it."""

import hashlib
from functools import cache
from pathlib import Path

from mlops_assets.explorer.modules import joined

PAGE = Path(__file__).parent / "page"
VENDOR = Path(__file__).parent / "vendor"
"""What `make vendor` has fetched; the page also works where it is empty."""
CHARTS = ("uPlot.iife.min.js", "uPlot.min.css")
"""The charting library: its code, its style."""
SCRIPT = "explorer.js"
"""Name under which the modules are served."""
HEAD = "<!-- head -->"
"""Stands in index.html for what differs between the served page and the one in a file."""


def has_charts(vendor: Path = VENDOR) -> bool:
    """Whether the charting library is there; without it the page draws SVG of its own."""
    return all((vendor / name).is_file() for name in CHARTS)


def module_texts(folder: Path = PAGE) -> dict[str, str]:
    """Return the text of the modules in a folder by their file names."""
    return {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.js")}


def script() -> str:
    """Return all modules as one: a browser has it sooner than thirty files, and a page that is one file needs it so."""
    return joined(module_texts())


def style() -> str:
    """Return the style of the page."""
    return (PAGE / "style.css").read_text(encoding="utf-8")


@cache
def static_files(vendor: Path = VENDOR) -> dict[str, bytes]:
    """Return the files that a server gives out under /static, by their name there; they are read once."""
    files = {SCRIPT: script().encode(), **{name: (PAGE / name).read_bytes() for name in ("style.css", "icon.svg")}}
    return files | ({name: (vendor / name).read_bytes() for name in CHARTS} if has_charts(vendor) else {})


@cache
def index(vendor: Path = VENDOR) -> str:
    """Return the html of the served page: it holds under the content security policy `default-src 'self'`.

    Its files are asked for with their checksum as `v`: what comes with it may be kept for ever.
    """
    code, style = CHARTS
    files = static_files(vendor)
    kept = {name: f"static/{name}?v={hashlib.sha256(text).hexdigest()[:12]}" for name, text in files.items()}
    head = [f'<link rel="icon" href="{kept["icon.svg"]}">']
    if code in files:
        head += [f'<link rel="stylesheet" href="{kept[style]}">', f'<script src="{kept[code]}" defer></script>']
    head += [f'<link rel="stylesheet" href="{kept["style.css"]}">', f'<script src="{kept[SCRIPT]}" defer></script>']
    return html().replace(HEAD, "\n".join(head))


def html() -> str:
    """Return index.html as it is written."""
    return (PAGE / "index.html").read_text(encoding="utf-8")
