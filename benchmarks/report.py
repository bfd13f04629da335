"""What the report takes: of a panel of 1,000 items and 14 leads in memory, or of the example; CPU seconds and bytes.

python benchmarks/report.py --check
python benchmarks/report.py --example --check
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.analysis.status import sources_of
from mlops_assets.environments import open_stores
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.model.baselines import seasonal_naive
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.page import page
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.snapshot import remembered
from mlops_assets.settings import Settings
from mlops_assets.spec import ForecastSpec, find_spec, load_spec
from mlops_assets.stages.score import keep_scores
from mlops_assets.tracking.tracking import Tracking

EXAMPLE = "nyc_departures"
SECONDS, EXAMPLE_SECONDS, KILOBYTES = 12, 1, 600
SCORED = 60


def declare(folder: Path, horizon: int) -> ForecastSpec:
    """Write the spec of a made-up daily panel."""
    file = folder / "large.yaml"
    fields = {
        "name": "large",
        "source": {"kind": "file", "path": "none.csv"},
        "columns": {"item_id": "item", "timestamp": "day", "target": "sales"},
        "frequency": "D",
        "partitions": {"start": "2024-01-01", "end": "2024-12-31"},
        "horizon": horizon,
        "holidays": "US",
    }
    file.write_text(yaml.safe_dump(fields))
    return load_spec(file)


def fill(spec: ForecastSpec, tables: MemoryTables, items: int) -> None:
    """Store observations, a forecast of every origin (seasonal naive and noise) and its accuracy."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=180)
    level = rng.lognormal(3, 1, items)[:, None]
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(len(days)) / 7)
    target = rng.poisson(level * season).astype(float)
    names = [f"item {number:05}" for number in range(items)]
    history = pd.DataFrame(
        {"item_id": np.repeat(names, len(days)), "timestamp": np.tile(days, items), "target": target.ravel()}
    ).astype({"timestamp": "datetime64[us]"})
    for day, rows in history.groupby("timestamp"):
        tables.write(["large", "observations"], rows, f"{day:%Y-%m-%d}")
    ledgers = []
    for origin in days[-SCORED - spec.horizon : -1]:
        known = history[(history["timestamp"] <= origin) & (history["timestamp"] > origin - pd.Timedelta(days=60))]
        made = seasonal_naive(known, spec.task, origin)
        made["naive"] = made[spec.task.point_column]
        noise = rng.normal(0, 0.5, len(made))
        for column in ("mean", *spec.task.quantile_columns):
            made[column] = made[column] + noise
        made = made.merge(seasonal_scale(known, spec.task), on="item_id")
        made["model_version"], made["trained_until"] = 1, pd.Timestamp("2024-01-31")
        tables.write(["large", "forecasts"], made, f"{origin:%Y-%m-%d}")
        ledgers.append(made)
    scored = ledger.match(pd.concat(ledgers), history[history["timestamp"] >= days[-SCORED]], spec.task, zero=False)
    matched = {str(day): rows for day, rows in scored.groupby(scored["timestamp"].dt.strftime("%Y-%m-%d"))}
    for key, rows in matched.items():
        tables.write(["large", "forecast_accuracy"], rows, key)
    scores = {key: ledger.scores(rows, spec.task, segments(rows)) for key, rows in matched.items()}
    keep_scores(tables, spec, scores, pd.Timestamp("2024-06-30"))


def of_panel(items: int, horizon: int) -> tuple[float, str]:
    """Return the CPU seconds that the page of a made-up panel takes, and the page."""
    with tempfile.TemporaryDirectory() as folder:
        spec = declare(Path(folder), horizon)
        tables = MemoryTables()
        fill(spec, tables, items)
        tracking = Tracking(uri=f"sqlite:///{folder}/mlflow.db", artifact_root=f"{folder}/artifacts")
        tracking.ping()
        return measured(Sources(spec, tables, tracking, Clock(fixed="2024-06-29T12:00"), Notifications()))


def of_example() -> tuple[float, str]:
    """Return the same of the example, from what `make demo` has stored."""
    settings = Settings.read()
    with open_stores(settings) as stores:
        stores.tracking.ping()
        return measured(sources_of(find_spec(settings.forecasts, EXAMPLE), stores, settings))


def measured(sources: Sources) -> tuple[float, str]:
    """Return what the page takes, without imports: the least of three."""
    pages = []
    for _ in range(3):
        given = replace(sources, tables=remembered(sources.tables))
        began = time.process_time()
        html = page(given, overview(given))
        pages.append((time.process_time() - began, html))
    return min(pages)


def main() -> None:
    """Make the page, print what it cost."""
    parser = argparse.ArgumentParser(description="What the report takes.")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--horizon", type=int, default=14)
    parser.add_argument("--example", action="store_true", help="of the example, as make demo has left it")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    parser.add_argument("--keep", type=Path, help="write the page to this file")
    options = parser.parse_args()
    seconds, html = of_example() if options.example else of_panel(options.items, options.horizon)
    kilobytes = len(html.encode()) / 1e3
    of = EXAMPLE if options.example else f"{options.items} items"
    found = {"of": of, "seconds": round(seconds, 2), "kilobytes": round(kilobytes)}
    if options.keep is not None:
        options.keep.write_text(html, encoding="utf-8")
    print(json.dumps(found))
    most = EXAMPLE_SECONDS if options.example else SECONDS
    if options.check and (seconds > most or kilobytes > KILOBYTES):
        raise SystemExit(f"more than {most} CPU seconds or {KILOBYTES} kB")


if __name__ == "__main__":
    main()
