"""A search for settings on a terminal: `mlops-assets tune`."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.analysis.tune import Trial, flat


def line(trial: Trial, metric: str) -> str:
    """Say one trial in a line."""
    said = {name.rpartition(".")[2]: value for name, value in flat(trial.model).items() if name != "model.seed"}
    words = ", ".join(f"{name} {value}" for name, value in said.items())
    score = trial.words or f"{metric} {trial.score:.4f}"
    return f"{trial.number:>3}  {score}  {trial.seconds:6.1f} s  {words}"


def tables(result: dict[str, Any]) -> Iterator[Any]:
    """Render a result for a terminal."""
    metric, before, after = result["metric"], result["before"], result["after"]
    name, tried = result["forecast"], len(result["trials"])
    found = f"\n[bold]{name}[/bold]: of {tried} settings, those of trial {result['best']} did best"
    if result["best"] == 0:
        yield f"{found}: the spec as it stands ({metric} {before:.4f})"
        return
    where = (
        "on the spec's backtest windows, which the search has not seen"
        if result["held_out"]
        else "on the windows of the search itself, for lack of history: expect less of it"
    )
    yield f"{found}; {where}, {metric} is {after:.4f} with them and {before:.4f} as the spec stands"
    if not result["better"]:
        yield "the spec stays as it is"
        return
    from rich.syntax import Syntax

    yield Syntax(result["change"], "diff", background_color="default")
    yield "written" if result["written"] else "not written; --write does"
