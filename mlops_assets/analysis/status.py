"""The state of forecasts on a terminal: what `mlops-assets status` shows."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from mlops_assets.assets.report import page
from mlops_assets.environments import Stores, open_stores
from mlops_assets.report.state import Overview, Sources, overview
from mlops_assets.resources.instance import dagster_home, open_instance
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


def sources_of(spec: ForecastSpec, stores: Stores, instance: dg.DagsterInstance | None) -> Sources:
    """Return where the facts of a forecast come from."""
    return Sources(spec, stores.tables, stores.tracking, stores.clock, stores.notifications, instance)


def present_instance(settings: Settings) -> dg.DagsterInstance | None:
    """Return the Dagster instance, or None where there has been none yet: looking makes none."""
    return open_instance(settings) if (dagster_home(settings) / "dagster.yaml").exists() else None


def status(specs: list[ForecastSpec], settings: Settings) -> list[Overview]:
    """Collect the state of some forecasts.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    instance = present_instance(settings)
    with open_stores(settings) as stores:
        return [overview(sources_of(spec, stores, instance)) for spec in specs]


def page_of(spec: ForecastSpec, settings: Settings) -> str:
    """Return the report of a forecast, as HTML.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    instance = present_instance(settings)
    with open_stores(settings) as stores:
        sources = sources_of(spec, stores, instance)
        return page(sources, overview(sources))


def to_json(found: Overview) -> dict[str, Any]:
    """Return an overview as JSON values."""
    return asdict(found)


def table(found: list[Overview]) -> Any:
    """Render several forecasts as one table, a row each."""
    from rich.markup import escape
    from rich.table import Table

    made = Table("forecast", "champion", "forecasts until", "metric", "limit", "skill", "to look at")
    for one in found:
        last = {asset["name"]: asset["last"] for asset in one.assets}
        accuracy = one.accuracy or {}
        made.add_row(
            one.forecast,
            f"version {one.champion['version']}" if one.champion else "–",
            last.get("forecasts") or "–",
            f"{accuracy['metric']} {_number(accuracy['value'])}" if accuracy else "–",
            _number(accuracy.get("limit")),
            _number(accuracy.get("skill"), 2),
            escape("\n".join(one.problems)) or "nothing",
        )
    return made


def parts(one: Overview) -> Iterator[Any]:
    """Yield the parts of one forecast's state, for rich to print."""
    from rich.markup import escape
    from rich.table import Table

    yield f"[bold]{one.forecast}[/bold]  {escape(one.description)}  (at {one.at} UTC)"
    for problem in one.problems:
        yield f"[yellow]![/yellow] {escape(problem)}"
    if not one.problems:
        yield "[green]✓[/green] nothing to look at"
    made = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, words in _lines(one):
        made.add_row(f"[bold]{name}[/bold]", escape(words))
    yield made
    assets = Table("asset", "partitions", "last")
    for asset in one.assets:
        assets.add_row(
            asset["name"], "–" if asset["partitions"] is None else str(asset["partitions"]), asset["last"] or ""
        )
    if one.assets:
        yield assets


def _lines(one: Overview) -> Iterator[tuple[str, str]]:
    if one.champion is not None:
        best = one.champion
        age = f", {best['age_days']} days before the latest data" if best["age_days"] is not None else ""
        since = f" since {best['since']} UTC (by {best['decided_by']})" if best["since"] else ""
        yield "champion", f"version {best['version']}{since}, trained until {best['trained_until']}{age}"
    if one.waiting:
        yield (
            "approval",
            f"version {', '.join(map(str, one.waiting))} waits: mlops-assets approve {one.forecast} VERSION …",
        )
    if one.accuracy is not None:
        score = one.accuracy
        limit = f", limit {_number(score['limit'])}" if score["limit"] is not None else ""
        yield (
            "accuracy",
            f"{score['metric']} {_number(score['value'])} on {score['partition']}{limit}; mean of the latest "
            f"{_number(score['mean'])}; MASE {_number(score['mase'])}, seasonal naive {_number(score['naive_mase'])}, "
            f"skill {_number(score['skill'], 2)}; coverage {_number(score['coverage'], 2)}",
        )
    if one.policy is not None:
        yield "retraining", f"{one.policy['action']}: {one.policy['reason']} (at {one.policy['partition']})"
    if one.drift is not None:
        none = "nothing has drifted" if one.drift["judged"] else "nothing could be judged"
        yield "drift", "; ".join(one.drift["drifted"]) or f"{none} by {one.drift['partition']}"
    if one.quarantine is not None:
        reasons = ", ".join(f"{count} {reason}" for reason, count in one.quarantine["reasons"].items())
        yield "quarantine", f"{one.quarantine['rows']} rows of {one.quarantine['partition']}: {reasons}"
    yield "next round", one.next_round or "no schedule"
    for run in one.failed_runs:
        yield "failed run", f"{run['job']}, {run['ended']} UTC: {run['link']}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
