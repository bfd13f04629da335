"""The last screen of a round: how good, what was decided and why, one item, where to look, what to type next."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from mlops_assets.commands.rendering.outlook import outlook_bars
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.formatting import few, number
from mlops_assets.reading.outputs.outlook import Outlook
from mlops_assets.resources.instance import CODE_LOCATION, code_location, dagster_home
from mlops_assets.settings import Settings

FOLDERS = ("MLOPS_DATA", "MLOPS_FORECASTS")
"""Variables that say which folders a command works on."""
DEPLOYMENTS = ("staging", "production")
"""Environments whose web UIs run without anybody here who starts them."""
ABOUT_AS_GOOD = 0.005
"""Half a per cent: what rounds to nothing is called as good."""


@dataclass(frozen=True)
class Comparison:
    """A metric of ours beside seasonal naive's, on the same rows; lower is better."""

    metric: str
    ours: float
    naive: float

    def __str__(self) -> str:
        skill = 1 - self.ours / self.naive if self.naive > 0 else 0.0
        if abs(skill) < ABOUT_AS_GOOD:
            words = "as good as seasonal naive"
        else:
            words = f"{abs(skill):.0%} {'better' if skill > 0 else 'worse'} than seasonal naive"
        return f"{words} ({label(self.metric)} {number(self.ours)} against {number(self.naive)})"


@dataclass(frozen=True)
class Closing:
    """What the last screen tells.

    Attributes:
        backtest: of the challenger, over all windows; None without one.
        better_in: in how many of how many windows it was better.
        scored: of the forecasts that were made since; None before one could be scored.
        scored_days: the first and the last timestamp that they are of.
        holidays: public holidays among those.
        decided: the latest decision, and who is champion, in sentences.
        scores: of those forecasts by every metric, in words; empty without any.
        made: how many forecasts, and whose, in words.
        item: the largest item; None if nothing was forecast.
        places: what there is to open -> its address.
        commands: to type next -> what each is for.
    """

    backtest: Comparison | None
    better_in: tuple[int, int]
    scored: Comparison | None
    scored_days: tuple[str, str]
    holidays: Sequence[str]
    decided: Sequence[str]
    scores: str
    made: str
    item: Outlook | None
    places: Mapping[str, str]
    commands: Mapping[str, str]


def closing(told: Closing) -> Iterator[Any]:
    """Yield the parts of the last screen, for rich to print."""
    yield "\n[bold]how good[/bold]"
    yield from (f"  {escape(words)}" for words in _how_good(told))
    yield "[bold]decided[/bold]"
    yield from (f"  {escape(words)}" for words in told.decided)
    yield "[bold]forecasts[/bold]"
    yield f"  {escape(told.made)}"
    if told.item is not None:
        share = f", with its {told.item.share:.0%} interval" if told.item.share is not None else ""
        yield f"  the largest is {escape(told.item.item)}{share}:"
        yield from outlook_bars(told.item)
    for title, lines in (("open", told.places), ("next", told.commands)):
        yield f"[bold]{title}[/bold]"
        wide = max(map(len, lines), default=0)
        yield from (f"  {escape(name):<{wide}}  {escape(words)}" for name, words in lines.items())


def _how_good(told: Closing) -> Iterator[str]:
    if told.backtest is not None:
        better, windows = told.better_in
        yield f"In the backtest the challenger is {told.backtest}, and in {better} of {windows} windows."
    if told.scored is None and not told.scores:
        yield "No forecast could be scored yet: what it is of has not come."
        return
    if told.scored is not None:
        yield from _since(told, told.scored)
    yield told.scores


def _since(told: Closing, scored: Comparison) -> Iterator[str]:
    first, last = told.scored_days
    when = first if first == last else f"{first} to {last}"
    yield f"The forecasts of {when}, scored since, are {scored}."
    if told.holidays and scored.ours > scored.naive:
        yield f"In those days: {few(told.holidays)}."


def shows_dagster(settings: Settings) -> bool:
    """Whether the address of Dagster's web UI is known: on servers only where MLOPS_DAGSTER_UI says it."""
    return settings.environment not in DEPLOYMENTS or "dagster_ui" in settings.model_fields_set


def next_commands(name: str, settings: Settings, item: str | None) -> dict[str, str]:
    """Return three commands to type next, and what for.

    Args:
        name: of the forecast.
        settings: where servers run by themselves, no command starts them.
        item: the largest one; None if nothing was forecast.
    """
    deployed = settings.environment in DEPLOYMENTS
    if deployed or "dagster_ui" in settings.model_fields_set:
        first = {command("status", name): "what is to be looked at"}
    else:
        first = _servers(settings)
    shown = {command("show", name, "--item", item): "this item, day by day"} if item is not None else {}
    opened = {command("report", name, "--open"): "the report in the browser"}
    lines = {**first, **shown, **opened}
    # A deployment is told by many more variables than the folders: whoever got here has all of them.
    return lines if deployed else {as_here(line): what for line, what in lines.items()}


def _servers(settings: Settings) -> dict[str, str]:
    """Return the command that starts the web UIs on this machine."""
    here, data, home = Path.cwd(), settings.data_folder, dagster_home(settings)
    given = os.environ.get("MLOPS_DATA") or "data"
    if (here / "Makefile").exists() and (here / "workspace.yaml").exists() and data == here / given == home.parent:
        return {"make dev": "starts Dagster and MLflow at these addresses"}
    # What pyproject.toml names, Dagster loads by itself: a project's own assets are in that, and its name is kept.
    module = f" -m {CODE_LOCATION}" if code_location(here) == CODE_LOCATION else ""
    line = f"{program('mlops-assets')} dev{module}"
    return {f"DAGSTER_HOME={shlex.quote(str(home))} {line}": "starts Dagster"}


def command(*words: str) -> str:
    """Return a command line of this program that runs as it stands: by its path where its name is not found."""
    return shlex.join([program("mlops-assets"), *words])


def as_here(line: str) -> str:
    """Return a command line with the folders in front that the environment names here: it need not be exported."""
    given = [f"{name}={shlex.quote(os.environ[name])}" for name in FOLDERS if os.environ.get(name)]
    return " ".join([*given, line])


def program(name: str) -> str:
    """Return a program of this environment as a shell finds it: its name, or its path."""
    own = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if not own.exists() or (found and Path(found).resolve() == own.resolve()):
        return name
    return str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own)
