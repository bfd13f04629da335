"""A backtest on a terminal: `mlops-assets evaluate`."""

from collections.abc import Iterator, Sequence
from typing import Any

from mlops_assets.commands.rendering.cells import number
from mlops_assets.forecasting.decisions.gate import CHALLENGER as FOREST
from mlops_assets.forecasting.decisions.gate import NAIVE
from mlops_assets.forecasting.evaluation.metrics import METRICS
from mlops_assets.forecasting.formatting import few

_COSTS = {"fit_seconds": "fit s", "predict_seconds": "predict s", "memory_mb": "MB"}


def tables(result: dict[str, Any]) -> Iterator[Any]:
    """Render a result of `evaluate` for a terminal."""
    from rich.markup import escape
    from rich.table import Table

    source, models = result["source"], list(result["models"])
    yield (
        f"[bold]{result['forecast']}[/bold]: {result['items']} items, {result['observations']:,} observations, "
        f"{source['rows_quarantined']} of {source['rows_read']:,} rows in quarantine; "
        f"{len(result['windows'])} windows, {result['training_rows']:,} training rows"
    )
    if result["left_out"]:
        yield (
            f"{len(result['left_out'])} items would get no forecast, nothing has been observed of them lately: "
            f"{escape(few(result['left_out']))}"
        )
    overall = Table("model", *METRICS, *_COSTS.values())
    for model, scores in result["models"].items():
        costs = (number(scores[name], 1 if name == "memory_mb" else 2) for name in _COSTS)
        overall.add_row(model, *(number(scores[name]) for name in METRICS), *costs)
    yield overall
    yield "\nby window"
    windows = Table("window", "origin", "model", "mase", "wql", "coverage")
    for row in sorted(result["by_window"], key=lambda row: (row["window"], models.index(row["model"]))):
        scores = (number(row[name]) for name in ("mase", "wql", "coverage"))
        windows.add_row(str(row["window"]), result["windows"][row["window"]], row["model"], *scores)
    yield windows
    yield "\nby lead: MASE and wQL"
    leads = sorted({row["lead"] for row in result["by_lead"]})
    shown = leads if len(leads) <= 12 else [leads[round(i * (len(leads) - 1) / 9)] for i in range(10)]
    yield _side_by_side(
        "lead", [{**row, "key": str(row["lead"])} for row in result["by_lead"] if row["lead"] in shown], models
    )
    if result["by_segment"]:
        yield "\nby segment: MASE and wQL"
        yield _side_by_side(
            "segment", [{**row, "key": f"{row['segment']} {row['value']}"} for row in result["by_segment"]], models
        )
    if "by_level" in result:
        yield "\nby level of the hierarchy, after adding up: MASE and wQL"
        yield _side_by_side("level", [{**row, "key": row["level"]} for row in result["by_level"]], [FOREST, NAIVE])
    if result["peak_memory_mb"] is not None:
        yield f"peak memory {result['peak_memory_mb']:,.0f} MB"


def _side_by_side(head: str, rows: Sequence[dict[str, Any]], models: Sequence[str]) -> Any:
    """A row for each key, and two columns for each model."""
    from rich.markup import escape
    from rich.table import Table

    names = [model.rpartition(".")[2] for model in models]
    table = Table(head, "rows", *(f"{name}\n{metric}" for name in names for metric in ("mase", "wql")))
    cells = {(row["key"], row["model"]): row for row in rows}
    for key in dict.fromkeys(row["key"] for row in rows):
        own = [cells.get((key, model), {}) for model in models]
        scores = (number(row.get(metric)) for row in own for metric in ("mase", "wql"))
        table.add_row(escape(key), f"{own[0].get('rows', 0):,}", *scores)
    return table
