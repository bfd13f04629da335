"""What is running and how long it goes on: a bar below the steps on a terminal, a line for each step elsewhere."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mlops_assets.commands.rendering.countdown import Countdown
from mlops_assets.settings import logs_json

if TYPE_CHECKING:
    from mlops_assets.rounds.runner import Step

_LOG = logging.getLogger("mlops_assets.steps")
DOING = {
    "ingest": "reading and checking rows",
    "future_covariates": "reading what is known ahead",
    "training_set": "making features",
    "random_forest": "fitting the forest",
    "model": "fitting the model",
    "backtest": "forecasting the past anew",
    "model_version": "registering it in MLflow",
    "champion": "deciding whether it is promoted",
    "forecasts": "forecasting",
    "external_jobs": "asking the service",
    "reconciled_forecasts": "letting sums agree",
    "forecast_accuracy": "scoring earlier forecasts",
    "data_drift": "looking for what has shifted",
    "anomalies": "looking for odd values",
    "forecast_change": "saying why forecasts differ",
    "report": "writing the report",
}
"""What each step does, in a few words."""
NARROW = 50
"""Columns of a terminal below which there is no bar."""
_MOST_LEFT = "a few seconds left"
_BESIDE = len(f"⠋  {_MOST_LEFT} [12/13] ") + max(len(f"{one}: {doing}") for one, doing in DOING.items())
"""Columns beside the bar, so that no step's words are cut on a terminal of 80."""


@contextmanager
def shown(terminal: Any, beginning: str) -> Iterator[Callable[["Step"], None]]:
    """Show the steps of a run: each before it runs, and what it took when it has ended.

    Args:
        terminal: a console of rich, which need not be a terminal.
        beginning: what is said until the first step begins; empty: nothing.
    """
    if logs_json():
        if beginning:
            _LOG.info(beginning)
        yield log_step
        return
    if terminal.is_terminal:
        from rich.live import Live

        bar = Bar(beginning or "starting", terminal)
        with Live(get_renderable=bar.render, console=terminal, refresh_per_second=8, transient=True):
            yield bar
        return
    if beginning:
        click.echo(f"{beginning} …")
    lines = Lines()
    try:
        yield lines
    finally:
        lines.close()


def log_step(step: "Step") -> None:
    """Log news of a step; of one that is only planned nothing is said."""
    if step.state == "planned":
        return
    from mlops_assets.resources.logs import FACTS

    level = {"failed": logging.ERROR, "warning": logging.WARNING}.get(step.state, logging.INFO)
    facts = {"job": step.job, "asset": step.asset, "state": step.state, "seconds": step.seconds}
    told = {name: value for name, value in facts.items() if value is not None}
    _LOG.log(level, "%s", step.message or f"{step.asset}: {step.state}", extra={FACTS: told})


class Lines:
    """A line for each step: its beginning is printed before it runs, the rest when it has ended."""

    def __init__(self) -> None:
        self._countdown, self._open = Countdown(), False

    def __call__(self, step: "Step") -> None:
        """Print news of a step."""
        now = time.monotonic()
        if step.state == "started" and not self._countdown.begun and self._countdown.planned:
            click.echo(f"{self._countdown.planned} steps, {about(self._countdown.left(now))}")
        self._countdown.hear(step, now)
        if step.state == "started":
            self.close()
            click.echo(f"{_title(step.asset, self._countdown)} …", nl=False)
            self._open = True
        elif step.state == "done" and self._open:
            click.echo(f" {step.seconds or 0.0:.1f} s")
            self._open = False
        elif step.state != "planned":
            self.close()
            click.echo(_line(step))

    def close(self) -> None:
        """End a line that was begun."""
        if self._open:
            click.echo()
        self._open = False


class Bar:
    """A line for each step that has ended, and below them one that moves: what is running, how far, how long still."""

    def __init__(self, beginning: str, terminal: Any) -> None:
        from rich.spinner import Spinner

        self._beginning, self._terminal, self._countdown = beginning, terminal, Countdown()
        self._spinner, self._share = Spinner("dots"), 0.0

    def __call__(self, step: "Step") -> None:
        """Take note of news of a step, and print it if it has ended."""
        self._countdown.hear(step, time.monotonic())
        if step.state not in ("planned", "started"):
            self._terminal.print(_line(step), highlight=False, markup=False)

    def render(self) -> Any:
        """Return the line that moves, for rich."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        now, countdown, wide = time.monotonic(), self._countdown, self._terminal.width
        said = _title(countdown.running, countdown) if countdown.running else f"{self._waits()} …"
        title = Text(said, no_wrap=True, overflow="ellipsis")
        line = Table.grid(padding=(0, 1, 0, 0))
        if countdown.planned and wide >= NARROW:
            self._share = max(self._share, countdown.share(now))
            left = countdown.left(now)
            words = f"{about(left)} left" if left else ""
            bar = ProgressBar(1.0, self._share, width=min(24, max(4, wide - _BESIDE)))
            line.add_row(self._spinner, bar, words.ljust(len(_MOST_LEFT)), title)
        else:
            line.add_row(self._spinner, title)
        for column in line.columns[:-1]:  # what is running gives way where there is little room
            column.no_wrap = True
        return line

    def _waits(self) -> str:
        """Say what happens between two steps, before the first and after the last."""
        if not self._countdown.begun:
            return self._beginning
        return "next step" if self._countdown.steps else "summing up"


def about(seconds: float) -> str:
    """Return a time that nobody knows, as exactly as it is known."""
    if seconds < 7.5:
        return "a few seconds"
    if seconds < 90:
        return f"about {round(seconds / 5) * 5} s"
    return f"about {round(seconds / 60)} min"


def _title(asset: str, countdown: Countdown) -> str:
    doing = f": {DOING[asset]}" if asset in DOING else ""
    number = f"[{countdown.begun:>2}/{countdown.planned}] " if countdown.planned else ""
    return f"{number}{asset}{doing}"


def _line(step: "Step") -> str:
    sign = {"done": "✓", "failed": "✗"}.get(step.state, "!")
    seconds = f" {step.seconds:6.1f} s" if step.seconds is not None else ""
    return f"{sign} {step.asset:<20}{seconds}{'  ' + step.message if step.message else ''}"
