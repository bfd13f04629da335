"""The state of forecasts on a terminal: `mlops-assets status`."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.catalog.names import FORECASTS
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.decisions.rules import RETRAINING
from mlops_assets.forecasting.formatting import number
from mlops_assets.report.beside import standing
from mlops_assets.report.overview import BROKEN, ChampionState, ExternalState, Overview
from mlops_assets.report.spending import sentence


def table(overviews: list[Overview]) -> Any:
    """Render several forecasts as one table, a row each."""
    from rich.markup import escape
    from rich.table import Table

    made = Table("forecast", "champion", "forecasts from", "metric", "limit", "skill", "to look at")
    for one in overviews:
        broken = bool(one.problems) and one.problems[0].startswith(BROKEN)
        score = one.accuracy
        made.add_row(
            one.forecast,
            _champion(one.champion) if one.champion else "–",
            one.last.get(FORECASTS) or "–",
            f"{score.metric} {number(score.value)}" if score else _tried(one),
            number(score.limit if score else None),
            number(score.skill if score else None, 2),
            f"{BROKEN}, see below" if broken else escape("\n".join(one.problems)) or "nothing",
            style="red" if broken else None,
        )
    return made


def _champion(found: ChampionState) -> str:
    """Return the version and, where it is known, its kind, without the package of one's own."""
    kind = found.model_kind.replace(":", ".").rpartition(".")[2]
    return f"version {found.version}" + (f"\n{kind}" if kind else "")


def _tried(one: Overview) -> str:
    """Return the watched metric of the backtest, where nothing was scored yet."""
    return next((f"{name} {number(value)} (backtest)" for name, value in one.backtest.items()), "–")


def parts(one: Overview) -> Iterator[Any]:
    """Yield the parts of one forecast's state, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    yield f"[bold]{one.forecast}[/bold]  {escape(one.description)}  (at {one.at} UTC)"
    for problem in one.problems:
        yield f"[yellow]![/yellow] {escape(problem)}"
    if not one.problems:
        yield "[green]✓[/green] nothing to look at"
    for warning in one.warnings:
        yield f"· {escape(warning)}"
    made = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, words in lines(one):
        made.add_row(f"[bold]{name}[/bold]", escape(words))
    yield made
    if one.external is not None and one.external.rows:
        yield beside(one.external)
    assets = Table("asset", "partitions", "last")
    for asset in one.assets:
        count = "–" if asset.partitions is None else str(asset.partitions)
        assets.add_row(asset.name, count, asset.last or "")
    if one.assets:
        yield assets


def beside(one: ExternalState) -> Any:
    """Render service and model side by side as a table, on the rows that both have forecast."""
    from rich.table import Table

    names = list(dict.fromkeys(name for scores in one.scores.values() for name in scores))
    made = Table(
        "", *(label(name) for name in names), title=f"side by side, {one.rows:,} forecasts that both have made"
    )
    for model, scores in one.scores.items():
        made.add_row(model, *(number(scores.get(name)) for name in names))
    return made


def backtest(one: Overview) -> str:
    """Say how good the champion was on its backtest, beside seasonal naive."""
    own = [name for name in one.backtest if not name.startswith("naive_")]
    beside = {name: one.backtest.get(f"naive_{name}") for name in own}
    return ", ".join(
        f"{label(name)} {number(one.backtest[name])}"
        + (f" (seasonal naive {number(beside[name])})" if beside[name] is not None else "")
        for name in own
    )


def lines(one: Overview) -> Iterator[tuple[str, str]]:
    """Yield what is said of one forecast, as (name, sentence)."""
    if one.champion is not None:
        best = one.champion
        age = f", {best.age_days} days before the latest data" if best.age_days is not None else ""
        kind = f" ({best.model_kind})" if best.model_kind else ""
        since = f" since {best.since} UTC (by {best.decided_by})" if best.since else ""
        yield "champion", f"version {best.version}{kind}{since}, trained until {best.trained_until}{age}"
        if best.choice:
            yield "choice", best.choice
    if one.waiting:
        yield (
            "approval",
            f"version {', '.join(map(str, one.waiting))} waits: mlops-assets approve {one.forecast} VERSION …",
        )
    if one.accuracy is not None:
        score = one.accuracy
        limit = f", limit {number(score.limit)}" if score.limit is not None else ""
        known = {name: value for name, value in score.scores.items() if value is not None}
        scores = ", ".join(f"{label(name)} {number(value)}" for name, value in known.items())
        mean = f"mean of the latest {number(score.mean)}"
        yield "accuracy", f"{score.metric} {number(score.value)} on {score.partition}{limit}; {mean}; {scores}"
    elif one.backtest:
        yield "backtest", f"{backtest(one)}; no forecast could be scored yet"
    if one.external is not None:
        yield "service", standing(one.external)
    if one.aside:
        numbers = ", ".join(map(str, one.aside))
        yield "aside", f"version {numbers}, beside the champion: mlops-assets approve {one.forecast} VERSION …"
    for answer in one.policies:
        name = answer.policy if answer.policy == RETRAINING else f"policy {answer.policy}"
        yield name, f"{answer.action}: {answer.reason} (at {answer.partition})"
    if one.drift is not None:
        none = "nothing has drifted" if one.drift.judged else "nothing could be judged"
        yield "drift", "; ".join(one.drift.drifted) or f"{none} by {one.drift.partition}"
    if one.anomalies is not None:
        yield "anomalies", one.anomalies.words or f"none of {one.anomalies.partition}"
    if one.quarantine is not None:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.quarantine.reasons.items())
        yield "quarantine", f"{one.quarantine.rows} rows of {one.quarantine.partition}: {reasons}"
    if one.ingestion is not None:
        yield "latest ingestion", str(one.ingestion)
    if one.revised:
        yield "revised", one.revised
    for month in one.spent[:2]:
        yield "spent", sentence(month)
    yield "next round", one.next_round or "no schedule"
    for run in one.failed_runs:
        yield "failed run", f"{run.ended} UTC: {run.what} ({run.link})"
