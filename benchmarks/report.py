"""What the report of a large panel costs: 1,000 items, 14 leads, CPU seconds and bytes.

python benchmarks/report.py --check
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import seasonal_scale
from mlops_assets.forecasting.model.baselines import seasonal_naive
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.page import page
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.clock import Clock
from mlops_assets.spec import ForecastSpec, load_spec
from mlops_assets.stages.score import keep_scores
from mlops_assets.tracking.tracking import Tracking

SECONDS, MEGABYTES = 20, 3
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
    keep_scores(tables, spec, matched, None, pd.Timestamp("2024-06-30"))


def main() -> None:
    """Fill the tables, make the page, print what it cost."""
    parser = argparse.ArgumentParser(description="What the report of a large panel costs.")
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--horizon", type=int, default=14)
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    parser.add_argument("--keep", type=Path, help="write the page to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        spec = declare(Path(folder), options.horizon)
        tables = MemoryTables()
        fill(spec, tables, options.items)
        tracking = Tracking(uri=f"sqlite:///{folder}/mlflow.db", artifact_root=f"{folder}/artifacts")
        tracking.ping()
        sources = Sources(spec, tables, tracking, Clock(fixed="2024-06-29T12:00"), Notifications())
        began = time.process_time()
        html = page(sources, overview(sources), "2024-06-28")
        seconds, megabytes = time.process_time() - began, len(html.encode()) / 1e6
    if options.keep is not None:
        options.keep.write_text(html, encoding="utf-8")
    print(json.dumps({"items": options.items, "seconds": round(seconds, 1), "megabytes": round(megabytes, 2)}))
    if options.check and (seconds > SECONDS or megabytes > MEGABYTES):
        raise SystemExit(f"more than {SECONDS} CPU seconds or {MEGABYTES} MB")


if __name__ == "__main__":
    main()
