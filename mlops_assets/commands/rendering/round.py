"""What a round has made, for a terminal: forecasts, scores, where to look next."""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
from pandas import notna
from rich.markup import escape

from mlops_assets.catalog.names import BACKTEST, FORECAST_ACCURACY, FORECASTS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.environments import Stores, open_stores
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE
from mlops_assets.forecasting.evaluation.ledger import honest, shown_numbers, summary
from mlops_assets.forecasting.evaluation.metrics import Scoring, shown_metrics
from mlops_assets.forecasting.formatting import counted, number, stamp
from mlops_assets.lifecycle.decisions import why_nobody
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.report.ingestion import latest_ingestion
from mlops_assets.resources.instance import dagster_home
from mlops_assets.resources.stored import StoredTable
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.backtest import rows_by_item
from mlops_assets.tracking.errors import TrackingError

OTHERS = {"fallback": "fallback", NAIVE: "seasonal naive's"}
"""What is counted of the sources of a ledger's rows, and what it is called."""


def round_summary(
    spec: ForecastSpec, keys: list[str], settings: Settings, instance: dg.DagsterInstance
) -> Iterator[Any]:
    """Yield the parts of the summary of the round of some partitions, for rich to print."""
    yield from ingested(spec, instance)
    with open_stores(settings) as stores:
        yield from _forecasts(spec, keys[-1], stores)
        yield from _backtest(spec, stores)
        yield from _accuracy(spec, keys, stores)
        champion = _champion(spec, stores)
    yield (
        f"\n[bold]champion[/bold]: {escape(champion)}\n"
        f"[bold]look next[/bold]: make dev opens Dagster (port 3000) and MLflow (port 5000) over this; without make:\n"
        f"  DAGSTER_HOME={dagster_home(settings)} dagster dev --workspace workspace.yaml\n"
        f"  mlflow ui --backend-store-uri {stores.tracking.safe_uri}"
    )


def _champion(spec: ForecastSpec, stores: Stores) -> str:
    """Say who is champion, or why nobody is."""
    life = Lifecycle.of(stores, spec.name)
    log = life.log.all()
    try:
        version = life.champion()
    except TrackingError as error:
        return f"not known: {error}"
    return f"{version.label} of {spec.name}" if version else f"none: {why_nobody(log, spec.name)[1]}"


def ingested(spec: ForecastSpec, instance: dg.DagsterInstance) -> Iterator[str]:
    """Yield what the latest ingestion has counted, and what it has taken for what."""
    found = latest_ingestion(spec, instance)
    if found is not None:
        yield f"\n[bold]ingestion[/bold]: {escape(str(found))}"
        yield from (f"  {escape(note)}" for note in found.notes)


def _forecasts(spec: ForecastSpec, key: str, stores: Stores) -> Iterator[Any]:
    from rich.table import Table

    rows = ForecastTables(stores.tables, spec.name).delivered(FORECASTS, [key])
    if rows.empty:
        yield f"\n[bold]forecasts[/bold]: none from {key}, for nothing has been observed of any item lately"
        return
    columns = list(dict.fromkeys([*spec.task.quantile_columns, "mean", spec.task.point_column]))
    largest = rows.groupby("item_id")["mean"].sum().nlargest(3).index
    leads = sorted({1, 2, (1 + spec.horizon) // 2, spec.horizon})
    origin = rows["origin"].iloc[0]
    items, sources = rows["item_id"].nunique(), rows["source"].value_counts()
    others = [f"{sources[name]} of them {words}" for name, words in OTHERS.items() if name in sources]
    yield (
        f"\n[bold]forecasts[/bold] from {stamp(origin)}: {items} items × {spec.horizon} leads = {len(rows)} rows"
        f"{', ' if others else ''}{', '.join(others)}; the largest items:"
    )
    table = Table("item", "timestamp", "lead", *columns)
    shown = rows[rows["item_id"].isin(largest) & rows["lead"].isin(leads)].sort_values(["item_id", "lead"])
    for row in shown.to_dict("records"):
        values = (f"{row[name]:.1f}" for name in columns)
        table.add_row(row["item_id"], stamp(row["timestamp"]), str(row["lead"]), *values)
    yield table


def _backtest(spec: ForecastSpec, stores: Stores) -> Iterator[Any]:
    from rich.table import Table

    stored = StoredTable(stores.tables, [spec.name, BACKTEST])
    if not stores.tables.exists(stored.key):
        return
    scorings = {name: Scoring(spec.task, by) for name, by in {"all": ["model"], "each": ["window", "model"]}.items()}
    origins: dict[Any, Any] = {}
    for rows in rows_by_item(stored, spec.task):
        for scoring in scorings.values():
            scoring.add(rows)
        origins |= rows.groupby("window")["origin"].first().to_dict()
    if not origins:
        return
    yield "\n[bold]backtest[/bold]: the challenger against seasonal naive on the same rows; lower is better"
    overall, by_window = (scoring.table() for scoring in scorings.values())
    shown = [name for name in shown_metrics("summary") if overall[name].notna().any()]
    table = Table("window", "origin", "model", *shown)
    for row in by_window.to_dict("records"):
        table.add_row(str(row["window"]), stamp(origins[row["window"]]), *_scores(row, shown))
    table.add_section()
    for row in overall.to_dict("records"):
        table.add_row("all", "", *_scores(row, shown))
    yield table


def _scores(row: dict[Any, Any], metrics: Sequence[str]) -> list[str]:
    name = f"[bold]{row['model']}[/bold]" if row["model"] == CHALLENGER else row["model"]
    return [name, *(number(row[metric]) for metric in metrics)]


def _accuracy(spec: ForecastSpec, keys: list[str], stores: Stores) -> Iterator[Any]:
    rows = ForecastTables(stores.tables, spec.name).delivered(FORECAST_ACCURACY, keys)
    rows = honest(rows) if len(rows) else rows
    if rows.empty:
        yield "\n[bold]accuracy[/bold]: no earlier forecast could be scored yet"
        return
    facts = summary(rows, spec.task)
    days = rows["timestamp"].nunique()
    yield (
        f"\n[bold]accuracy[/bold] of past forecasts over {counted(days, 'timestamp')}, {facts['rows']:,} rows: "
        + ", ".join(f"{label(name)} {number(facts[name])}" for name in shown_numbers() if notna(facts[name]))
    )
