"""Where the page's files are, and its html as a server sends it."""

from pathlib import Path

PAGE = Path(__file__).parent / "page"
VENDOR = Path(__file__).parent / "vendor"
"""What `make vendor` has fetched; the page also works where it is empty."""
CHARTS = ("uPlot.iife.min.js", "uPlot.min.css")
"""The charting library: its code, its style."""
HEAD = "<!-- head -->"
"""Stands in index.html for what differs between the served page and the one in a file."""


def has_charts(vendor: Path = VENDOR) -> bool:
    """Whether the charting library is there; without it the page draws SVG of its own."""
    return all((vendor / name).is_file() for name in CHARTS)


def static_files(vendor: Path = VENDOR) -> dict[str, Path]:
    """Return the files that a server gives out under /static, by their name there."""
    files = {file.name: file for file in sorted(PAGE.iterdir()) if file.is_file() and file.name != "index.html"}
    return files | {name: vendor / name for name in CHARTS if has_charts(vendor)}


def index(vendor: Path = VENDOR) -> str:
    """Return the html of the served page: it holds under the content security policy `default-src 'self'`."""
    code, style = CHARTS
    head = ['<link rel="icon" href="static/icon.svg">']
    if has_charts(vendor):
        head += [f'<link rel="stylesheet" href="static/{style}">', f'<script src="static/{code}" defer></script>']
    head += ['<link rel="stylesheet" href="static/style.css">']
    # Browsers would else find the modules one after another, each behind the one that imports it.
    head += [f'<link rel="modulepreload" href="static/{file.name}">' for file in sorted(PAGE.glob("*.js"))]
    head += ['<script type="module" src="static/app.js"></script>']
    return html().replace(HEAD, "\n".join(head))


def html() -> str:
    """Return index.html as it is written."""
    return (PAGE / "index.html").read_text(encoding="utf-8")
