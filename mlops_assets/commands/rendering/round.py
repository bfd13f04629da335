"""What a round has made, for a terminal: what was ingested, and the facts of its last screen."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import dagster as dg
import pandas as pd
from rich.markup import escape

from mlops_assets.catalog.names import BACKTEST, FORECAST_ACCURACY, FORECASTS, REPORT, RETRAINING_DECISIONS
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.commands.rendering.closing import Closing, Comparison, closing, next_commands, shows_dagster
from mlops_assets.environments import Stores, open_stores
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE
from mlops_assets.forecasting.evaluation.ledger import BASELINE, honest, shown_numbers, summary
from mlops_assets.forecasting.evaluation.metrics import Scoring
from mlops_assets.forecasting.formatting import number, stamp
from mlops_assets.forecasting.model.features.calendar import holiday_names
from mlops_assets.lifecycle.answers import latest
from mlops_assets.lifecycle.decisions import why_nobody
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.reading.outputs.outlook import Outlook, outlook
from mlops_assets.reading.reader import Reader
from mlops_assets.report.ingestion import latest_ingestion
from mlops_assets.report.overview import IngestionState
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
    with open_stores(settings) as stores:
        yield from ingested(latest_ingestion(spec.name, stores.tables, lambda: nullcontext(instance)))
        told = _told(spec, keys, settings, stores)
    yield from closing(told)


def ingested(found: IngestionState | None) -> Iterator[str]:
    """Yield what the latest ingestion has counted, and what it has taken for what."""
    if found is not None:
        yield f"\n[bold]ingestion[/bold]: {escape(str(found))}"
        yield from (f"  {escape(note)}" for note in found.notes)


def _told(spec: ForecastSpec, keys: list[str], settings: Settings, stores: Stores) -> Closing:
    backtest, better_in = _backtest(spec, stores)
    scored, days, holidays, scores = _scored(spec, keys, stores)
    made, item = _made(spec, keys[-1], stores)
    return Closing(
        backtest=backtest,
        better_in=better_in,
        scored=scored,
        scored_days=days,
        holidays=holidays,
        decided=list(_decided(spec, stores)),
        scores=scores,
        made=made,
        item=item,
        places=_places(spec, settings, stores),
        commands=next_commands(spec.name, settings, item.item if item else None),
    )


def _backtest(spec: ForecastSpec, stores: Stores) -> tuple[Comparison | None, tuple[int, int]]:
    """Compare challenger and seasonal naive by the gate's metric; say in how many of how many windows it was better."""
    stored = StoredTable(stores.tables, [spec.name, BACKTEST])
    if not stores.tables.exists(stored.key):
        return None, (0, 0)
    whole, each = Scoring(spec.task, ["model"]), Scoring(spec.task, ["window", "model"])
    for rows in rows_by_item(stored, spec.task):
        whole.add(rows)
        each.add(rows)
    metric, table = spec.gate.metric, whole.table()
    if not {CHALLENGER, NAIVE} <= set(table["model"]):
        return None, (0, 0)
    values = table.set_index("model")[metric]
    windows = each.table().pivot(index="window", columns="model", values=metric)
    better = int((windows[CHALLENGER] < windows[NAIVE]).sum())
    return Comparison(metric, float(values[CHALLENGER]), float(values[NAIVE])), (better, len(windows))


def _scored(
    spec: ForecastSpec, keys: list[str], stores: Stores
) -> tuple[Comparison | None, tuple[str, str], list[str], str]:
    """Compare the forecasts that could be scored with seasonal naive; say of which days, and their holidays."""
    rows = ForecastTables(stores.tables, spec.name).delivered(FORECAST_ACCURACY, keys)
    rows = honest(rows) if len(rows) else rows
    facts = summary(rows, spec.task)
    if not facts["rows"]:
        return None, ("", ""), [], ""
    said = ", ".join(
        f"{label(name)} {number(facts[name])}" for name in shown_numbers(spec.task) if pd.notna(facts[name])
    )
    scores = f"Accuracy of {facts['rows']:,} past forecasts: {said}."
    if pd.isna(facts["naive_mase"]) or pd.isna(facts[BASELINE]):
        return None, ("", ""), [], scores
    first, last = rows["timestamp"].min(), rows["timestamp"].max()
    named = list(holiday_names(spec.holidays, first, last)["label"]) if spec.holidays else []
    return Comparison(BASELINE, facts[BASELINE], facts["naive_mase"]), (stamp(first), stamp(last)), named, scores


def _decided(spec: ForecastSpec, stores: Stores) -> Iterator[str]:
    """Say what was decided last of a version and of retraining, and who is champion."""
    life = Lifecycle.of(stores, spec.name)
    log = life.log.all()
    if len(log):
        last = log.iloc[-1]
        yield f"Version {last['version']}: {last['outcome']} by {last['decided_by']}; {last['reason']}."
    for row in latest(ForecastTables(stores.tables, spec.name).read(RETRAINING_DECISIONS)).to_dict("records"):
        yield f"Retraining at {row['partition']}: {row['action']}; {row['reason']}."
    try:
        version = life.champion()
    except TrackingError as error:
        yield f"Who is champion is not known: {error}"
        return
    yield f"Champion: {version.label}." if version else f"There is no champion: {why_nobody(log, spec.name)[1]}"


def _made(spec: ForecastSpec, key: str, stores: Stores) -> tuple[str, Outlook | None]:
    """Say how many forecasts there are from a partition, and whose; return the largest item's."""
    rows = ForecastTables(stores.tables, spec.name).delivered(FORECASTS, [key], ["item_id", "mean", "origin", "source"])
    if rows.empty:
        return f"none from {key}, for nothing has been observed of any item lately", None
    origin, sources = rows["origin"].iloc[0], rows["source"].value_counts()
    others = [f"{sources[name]} of them {words}" for name, words in OTHERS.items() if name in sources]
    said = f"{rows['item_id'].nunique()} items × {spec.horizon} leads = {len(rows)} rows from {stamp(origin)}"
    largest = str(rows.groupby("item_id")["mean"].sum().idxmax())
    found = outlook(Reader(spec, stores.tables, stores.clock), largest, origin=origin)
    return ", ".join([said, *others]), found


def _places(spec: ForecastSpec, settings: Settings, stores: Stores) -> dict[str, str]:
    """Return what there is to open; on servers Dagster's page only if somebody has said where it is."""
    made = ForecastTables(stores.tables, spec.name).read(REPORT, columns=["made_at", "link"])
    report = str(made.sort_values("made_at")["link"].iloc[-1]) if len(made) else ""
    every = {
        "report": report,
        "Dagster": stores.notifications.asset_link(spec.name, FORECASTS) if shows_dagster(settings) else "",
        "MLflow": stores.tracking.links.model(spec.name),
    }
    return {name: address for name, address in every.items() if address}
