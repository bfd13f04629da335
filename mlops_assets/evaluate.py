"""Try a spec out: read its source, backtest, and touch no store."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from mlops_assets.assets.common import Graph
from mlops_assets.assets.ingestion import read_observations
from mlops_assets.assets.partitions import whole_window
from mlops_assets.assets.training import history_of
from mlops_assets.resources.clock import Clock
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec


def evaluate(spec: ForecastSpec, settings: Settings) -> dict[str, Any]:
    """Backtest a spec on its source.

    Returns:
        Plain JSON types: `forecast`, `source` (the contract's counts, quarantine by reason), `items`, `observations`,
        `training_rows`, `windows` (their origins), `models` (for `forest` and `seasonal_naive` every metric, fit and
        predict processor seconds), `by_window`, `by_lead`, `peak_memory_mb` (of this process).

    Raises:
        SourceError: the source cannot be read.
        ContractError: a column is absent.
        ValueError: the history is too short for the backtest.
    """
    from mlops_assets.forecasting.backtest import backtest
    from mlops_assets.forecasting.features import training_rows

    graph = Graph(spec)
    now = Clock(fixed=settings.now or "").now()
    keys = graph.partitions.get_partition_keys(current_time=now)
    if not keys:
        raise ValueError(f"the first partition, from {spec.partitions.start}, has not ended yet")
    checked = read_observations(graph, whole_window(graph.partitions, [keys[0], keys[-1]]), now)
    history = history_of(graph, checked.accepted)
    if history.empty:
        raise ValueError(f"the source has no usable row between {keys[0]} and {keys[-1]}: {checked.counts}")
    result = backtest(history, spec.task, windows=spec.backtest.windows, step=spec.backtest.step)
    seconds = result.seconds.set_index("model")
    models = {
        str(row["model"]): {
            **{str(k): _number(v) for k, v in row.items() if k != "model"},
            "fit_seconds": _number(seconds.at[row["model"], "fit"]),
            "predict_seconds": _number(seconds.at[row["model"], "predict"]),
        }
        for _, row in result.overall.iterrows()
    }
    return {
        "forecast": spec.name,
        "source": {**checked.counts, "quarantine": checked.reasons},
        "items": int(history["item_id"].nunique()),
        "observations": len(history),
        "training_rows": len(training_rows(history, spec.task)),
        "windows": [str(origin) for origin in sorted(result.predictions["origin"].unique())],
        "models": models,
        "by_window": _rows(result.by_window),
        "by_lead": _rows(result.by_lead),
        "peak_memory_mb": peak_memory_mb(),
    }


def peak_memory_mb() -> float | None:
    """Return the peak resident memory of this process in MB, or None where the system does not tell (Windows)."""
    try:
        import resource
        import sys
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def tables(result: dict[str, Any]) -> Iterator[Any]:
    """Render a result of `evaluate` for a terminal."""
    from rich.table import Table

    source = result["source"]
    yield (
        f"[bold]{result['forecast']}[/bold]: {result['items']} items, {result['observations']:,} observations, "
        f"{source['rows_quarantined']} of {source['rows_read']:,} rows in quarantine; "
        f"{len(result['windows'])} windows, {result['training_rows']:,} training rows"
    )
    metrics = ["mase", "rmsse", "smape", "wape", "wql", "coverage", "bias", "fit_seconds", "predict_seconds"]
    overall = Table("model", *(name.replace("_seconds", " s") for name in metrics))
    for model, scores in result["models"].items():
        overall.add_row(model, *(_shown(scores.get(name)) for name in metrics))
    yield overall
    windows = Table("window", "model", "origin", "mase", "wql", "coverage")
    for row in sorted(result["by_window"], key=lambda row: (row["window"], row["model"])):
        origin = result["windows"][int(row["window"])]
        windows.add_row(
            str(int(row["window"])),
            row["model"],
            origin,
            *(_shown(row[m]) for m in ("mase", "wql", "coverage")),
        )
    yield windows
    if result["peak_memory_mb"] is not None:
        yield f"peak memory {result['peak_memory_mb']:,.0f} MB"


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _number(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _number(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float):
        return None if pd.isna(plain) else round(plain, 6)
    return plain


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"
