"""How the engine's cost grows with the number of series: made-up panels of a thousand to a million.

    python benchmarks/growth.py                     # 1,000 to 1,000,000 series, prints a table, writes growth.svg
    python benchmarks/growth.py --most 100000 --check

Every series has the same short length. Fitting must stay flat, since the number of training rows is bounded; the rest
may grow in proportion (slope of at most 1.15 on logarithmic axes), and the memory of a forecast must stay within a few
times its own input and answer, since items are taken in parts. One more panel has a million rows in a thousand long
series, for the size of the model's file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

STEPS, HORIZON = 30, 7
SLOPE = 1.15
FLAT = 1.5
"""How much longer the largest panel's fit may take than the longest of the others."""
LARGEST_FILE = 60.0
LONG = (1_000, 1_000)
"""Series and steps of the panel of a million rows."""
MEMORY, LARGE = 2.5, 500.0
"""Most times its input and answer that a process may hold, where those are this many MB: below, other things are."""


def panel(items: int, steps: int) -> pd.DataFrame:
    """Daily series with a weekly season and levels of all sizes."""
    random = np.random.default_rng(0)
    day = np.arange(steps)
    level = np.exp(random.normal(3, 1, items))[:, None]
    season = 1 + 0.3 * np.sin(2 * np.pi * (day + random.integers(0, 7, items)[:, None]) / 7)
    target = level * season * (1 + 0.1 * random.standard_normal((items, steps)))
    times = pd.date_range("2024-01-01", periods=steps, unit="us")
    names = np.array([f"item {number:07d}" for number in range(items)], dtype=object)
    return pd.DataFrame(
        {"item_id": np.repeat(names, steps), "timestamp": np.tile(times, items), "target": target.ravel()}
    )


def measure(items: int, steps: int) -> dict[str, float]:
    """CPU seconds of each stage on one panel, the memory they took, and the size of the model's file.

    The forecast is that of the model read back from its file.
    """
    import sklearn.ensemble  # noqa: F401  imports are not what grows

    from mlops_assets.forecasting.model import features, fitting, kinds
    from mlops_assets.forecasting.model.model_file import dumps, loads
    from mlops_assets.forecasting.model.task import Task

    task = Task("D", HORIZON, (7,), non_negative=True)
    found: dict[str, float] = {"items": items, "steps": steps}

    def clock(name: str, work: Any) -> Any:
        started = time.process_time()
        result = work()
        found[name] = time.process_time() - started
        found[f"{name}_peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return result

    frame = clock("panel", lambda: panel(items, steps))
    rows = clock("rows", lambda: features.training_rows(frame, task))
    model = clock("fit", lambda: fitting.fit(rows, task))
    data = dumps(kinds.state_of(model))
    again = kinds.rebuild(loads(data))
    table = clock("predict", lambda: again.predict(frame))
    if len(table) != items * HORIZON or not table["q50"].notna().all():
        raise SystemExit(f"{len(table)} forecasts for {items} items")
    if items <= LONG[0] and not table.equals(model.predict(frame)):
        raise SystemExit("the model from the file forecasts otherwise than the one that was written")
    found["training_rows"], found["file"] = len(rows), len(data) / (1 << 20)
    found["given"] = (frame.memory_usage(index=False).sum() + table.memory_usage(index=False).sum()) / (1 << 20)
    return found


def slope(results: list[dict[str, float]], name: str) -> float:
    """Steepest rise of a stage between neighbouring sizes, on logarithmic axes, above a second (noise below)."""
    pairs = [(a, b) for a, b in pairwise(results) if a[name] >= 1]
    rises = [np.log(b[name] / a[name]) / np.log(b["items"] / a["items"]) for a, b in pairs]
    return float(max(rises, default=0.0))


def draw(results: list[dict[str, float]], path: Path) -> None:
    """Plot seconds and memory over the number of series."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    items = [entry["items"] for entry in results]
    for name in ("rows", "fit", "predict"):
        seconds.loglog(items, [entry[name] for entry in results], marker="o", label=name)
    memory.loglog(items, [entry["predict_peak"] for entry in results], marker="o", label="peak of the process")
    memory.loglog(items, [entry["given"] for entry in results], marker="o", label="input and answer")
    seconds.set(xlabel="series", ylabel="CPU seconds")
    memory.set(xlabel="series", ylabel="MB")
    for axes in (seconds, memory):
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    figure.savefig(path)


def main() -> int:
    """Print the table and write the picture; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="number of series of the largest panel")
    parser.add_argument("--plot", type=Path, default=ROOT / "benchmarks" / "growth.svg")
    parser.add_argument("--check", action="store_true", help="exit code 1 above a target")
    parser.add_argument("--one", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(*arguments.one)))
        return 0
    sizes = [(size, STEPS) for size in (1_000, 10_000, 100_000, 1_000_000) if size <= arguments.most]
    entries = []
    print("| series | steps | rows s | fit s | predict s | training rows | file MB | peak MB | input and answer MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for size, steps in [*sizes, LONG]:
        command = [sys.executable, __file__, "--one", str(size), str(steps)]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        entry = json.loads(answer.stdout)
        entries.append(entry)
        print(
            f"| {size:,} | {steps:,} | {entry['rows']:.1f} | {entry['fit']:.1f} | {entry['predict']:.1f} "
            f"| {entry['training_rows']:,.0f} | {entry['file']:.1f} | {entry['predict_peak']:,.0f} "
            f"| {entry['given']:,.0f} |",
            flush=True,
        )
    results = [entry for entry in entries if entry["steps"] == STEPS]
    draw(results, arguments.plot)
    rises = {name: slope(results, name) for name in ("rows", "predict")}
    full = [
        entry["fit"] for entry in results if entry["training_rows"] >= max(e["training_rows"] for e in results) * 0.9
    ]
    flat = max(full) / min(full)
    largest = max(entry["file"] for entry in entries)
    times = max((entry["predict_peak"] / entry["given"] for entry in entries if entry["given"] > LARGE), default=0.0)
    print(
        f"\nsteepest slope: {', '.join(f'{name} {rise:.2f}' for name, rise in rises.items())} (at most {SLOPE}); "
        f"fits of equally many rows differ by a factor of {flat:.2f} (at most {FLAT}); "
        f"largest file {largest:.1f} MB (at most {LARGEST_FILE:.0f}); "
        f"memory {times:.1f} times input and answer where those are above {LARGE:.0f} MB (at most {MEMORY})"
    )
    missed = max(rises.values()) > SLOPE or flat > FLAT or largest > LARGEST_FILE or times > MEMORY
    return int(arguments.check and missed)


if __name__ == "__main__":
    sys.exit(main())
