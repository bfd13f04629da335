"""A project of one's own: its files, made of the templates beside this module, and its first forecast."""

import re
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from mlops_assets.drafts.draft import Draft, draft, write
from mlops_assets.errors import UsageError
from mlops_assets.projects.sample import write_sample
from mlops_assets.resources.instance import CONFIGURATION
from mlops_assets.settings import variables
from mlops_assets.spec.folder import name_of

_TEMPLATE = Path(__file__).parent / "template"
_SUFFIX = ".in"
_HIDDEN = ("github", "gitignore", "gitlab-ci.yml", "dockerignore")
"""What begins with a dot in a project; here it would be meant for this repository."""
_TAKEN = {"forecasts", "tests", "data", "dagster", "mlflow", "mlops_assets", *sys.stdlib_module_names}
_SAMPLE = "shop_sales"


class Made(NamedTuple):
    """What was made.

    Attributes:
        package: name of the package that Dagster loads.
        forecast: the first forecast, as it was drafted.
        files: all that was written, relative to the project, sorted.
    """

    package: str
    forecast: Draft
    files: list[str]


def make_project(folder: Path, now: datetime, table: str | None = None, name: str | None = None) -> Made:
    """Write a project into a folder that is new or empty (a `.git` aside).

    Args:
        folder: where; its name is the project's.
        now: the present moment, aware.
        table: from which the first forecast is drafted. Default: one of made-up sales, written beside the spec.
        name: of the package. Default: made of the folder's.

    Raises:
        UsageError: there is something in the folder, a package may not have that name, or nothing can be drafted.
        SourceError: the table cannot be read.
        OSError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(one.name != ".git" for one in folder.iterdir())):
        raise UsageError(f"{folder}: there is something already; name a new folder")
    project = folder.resolve().name
    package = name or name_of(project.replace("-", "_"), "")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", package) or package in _TAKEN:
        raise UsageError(f"no package can be called {package!r} here; --name says how it is called instead")
    called = _SAMPLE if table is None else name_of(table)
    file = folder / "forecasts" / f"{called}.yaml"
    if table is None:
        file.parent.mkdir(parents=True)
        write_sample(file.with_suffix(".csv"))
    first = draft(table or str(file.with_suffix(".csv")), file, called, now)
    write(first, file)
    known = {
        "project": _distribution(project) or package,
        "package": package,
        "forecast": called,
        "version": version("mlops-assets"),
    }
    for path, text in _files(known):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    files = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file())
    return Made(package, first, [one for one in files if not one.startswith(".git/")])


def _distribution(folder: str) -> str:
    """Return a folder's name as one that packages and images may have."""
    return re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")


def _files(known: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """Yield the files of a project but for its forecasts, each with its text."""
    for file in sorted(_TEMPLATE.rglob(f"*{_SUFFIX}")):
        first, *rest = file.relative_to(_TEMPLATE).as_posix().removesuffix(_SUFFIX).split("/")
        first = f".{first}" if first in _HIDDEN else known["package"] if first == "package" else first
        text = re.sub(r"@(\w+)@", lambda found: known[found[1]], file.read_text(encoding="utf-8"))
        yield Path(first, *rest), text
    yield Path("dagster.yaml"), CONFIGURATION
    said = "".join(f"\n# {what}\n# {name}=\n" for name, what in variables().items())
    yield Path(".env.example"), f"# Copy this file to .env, for the commands of dagster and dg.\n{said}"
