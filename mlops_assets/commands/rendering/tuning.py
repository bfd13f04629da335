"""A search for settings on a terminal: `mlops-assets tune`."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.analysis.tune import TuningResult, TuningTrial


def line(trial: TuningTrial, metric: str) -> str:
    """Say one trial in a line."""
    shown = {name.rpartition(".")[2]: value for name, value in trial.settings.items() if name != "model.seed"}
    settings = ", ".join(f"{name} {value}" for name, value in shown.items())
    score = trial.message or f"{metric} {trial.score:.4f}"
    return f"{trial.number:>3}  {score}  {trial.seconds:6.1f} s  {settings}"


def tables(result: TuningResult) -> Iterator[Any]:
    """Render what a search has found."""
    found = f"\n[bold]{result.forecast}[/bold]: of {len(result.trials)} settings, those of trial {result.best} did best"
    if result.best == 0:
        yield f"{found}: the spec as it stands ({result.metric} {result.before:.4f})"
        return
    where = (
        "on the spec's backtest windows, which the search has not seen"
        if result.held_out
        else "on the windows of the search itself, for lack of history: expect less of it"
    )
    yield (
        f"{found}; {where}, {result.metric} is {result.after:.4f} with them and {result.before:.4f} as the spec stands"
    )
    if not result.better:
        yield "the spec stays as it is"
        return
    from rich.syntax import Syntax

    yield Syntax(result.change, "diff", background_color="default")
    yield "written" if result.written else "not written; --write does"
