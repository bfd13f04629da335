"""A backtest on a terminal: `mlops-assets evaluate`."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from mlops_assets.analysis.evaluate import Evaluation
from mlops_assets.forecasting.charts.style import label
from mlops_assets.forecasting.evaluation.backtest import CHALLENGER, NAIVE
from mlops_assets.forecasting.evaluation.metrics import loaded, shown_metrics
from mlops_assets.forecasting.formatting import few, number, plain, plain_rows

_COSTS = {"fit_seconds": "fit s", "predict_seconds": "predict s", "memory_mb": "MB"}


def tables(result: Evaluation) -> Iterator[Any]:
    """Render a backtest."""
    from rich.markup import escape
    from rich.table import Table

    models = result.models["model"].tolist()
    yield (
        f"[bold]{result.forecast}[/bold]: {result.items} items, {result.observations:,} observations, "
        f"{result.source['rows_quarantined']} of {result.source['rows_read']:,} rows in quarantine; "
        f"{len(result.windows)} windows, {result.training_rows:,} training rows"
    )
    if result.left_out:
        yield (
            f"{len(result.left_out)} items would get no forecast, nothing has been observed of them lately: "
            f"{escape(few(result.left_out))}"
        )
    for remark in result.remarks:
        yield f"[yellow]![/yellow] {escape(remark)}"
    metric = label(result.metric)
    ranking = Table("", "model", metric, "of best", "of naive", "CPU s", "MB")
    for row in plain_rows(result.ranking):
        share = f"{number(row['to_best'], 2)}{'' if row['behind'] or row['rank'] == 1 else ' ~'}"
        cells = (number(row[result.metric]), share, number(row["to_naive"], 2))
        cost = (number(row["cpu_seconds"], 2), number(row["memory_mb"], 1))
        ranking.add_row(str(row["rank"]), escape(row["model"]), *cells, *cost)
    yield ranking
    yield "~: not worse than the best beyond doubt\n"
    known = [name for name in map(str, result.models) if loaded(name) and result.models[name].notna().any()]
    overall = Table("model", *known, *_COSTS.values())
    for row in plain_rows(result.models):
        costs = (number(row[name], 1 if name == "memory_mb" else 2) for name in _COSTS)
        overall.add_row(escape(row["model"]), *(number(row[name]) for name in known), *costs)
    yield overall
    yield "\nby window"
    shown = [name for name in shown_metrics("windows") if name in known]
    windows = Table("window", "origin", "model", *shown)
    for row in sorted(plain_rows(result.by_window), key=lambda row: (row["window"], models.index(row["model"]))):
        scores = (number(row[name]) for name in shown)
        windows.add_row(str(row["window"]), str(result.windows[row["window"]]), row["model"], *scores)
    yield windows
    beside = [name for name in shown_metrics("side by side") if name in known]
    pair = " and ".join(label(name) for name in beside)
    yield f"\nby lead: {pair}"
    leads = sorted(result.by_lead["lead"].unique())
    shown = leads if len(leads) <= 12 else [leads[round(i * (len(leads) - 1) / 9)] for i in range(10)]
    by_lead = result.by_lead[result.by_lead["lead"].isin(shown)]
    yield _side_by_side("lead", by_lead.assign(key=by_lead["lead"].astype(str)), models, beside)
    if len(result.by_segment):
        yield f"\nby segment: {pair}"
        keys = [f"{segment} {plain(value)}" for segment, value in result.by_segment[["segment", "value"]].to_numpy()]
        yield _side_by_side("segment", result.by_segment.assign(key=keys), models, beside)
        for row in plain_rows(result.best_by_segment):
            lead = "" if row["to_second"] is None else f", {row['to_second']:.2f} of {row['second']}"
            yield escape(f"best of {row['segment']} {plain(row['value'])}: {row['best']}{lead}")
    if result.by_level is not None:
        yield f"\nby level of the hierarchy, after adding up: {pair}"
        levels = result.by_level.assign(key=result.by_level["level"])
        yield _side_by_side("level", levels, [CHALLENGER, NAIVE], beside)
    if result.peak_memory_mb is not None:
        yield f"peak memory {result.peak_memory_mb:,.0f} MB"


def _side_by_side(head: str, scores: pd.DataFrame, models: Sequence[str], metrics: Sequence[str]) -> Any:
    """A row for each key, and so many columns for each model."""
    from rich.markup import escape
    from rich.table import Table

    names = [model.rpartition(".")[2] for model in models]
    table = Table(head, "rows", *(f"{name}\n{metric}" for name in names for metric in metrics))
    cells = {(row["key"], row["model"]): row for row in plain_rows(scores)}
    for key in scores["key"].unique():
        own = [cells.get((key, model), {}) for model in models]
        values = (number(row.get(metric)) for row in own for metric in metrics)
        table.add_row(escape(key), f"{own[0].get('rows', 0):,}", *values)
    return table
