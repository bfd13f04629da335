"""What training and backtest of many items take: peak memory beyond the imports, and CPU seconds, by step.

    python benchmarks/training.py                          # 10,000 items x 84 days, in files, in one process
    python benchmarks/training.py --items 1000 --check
    python benchmarks/training.py --engine "local?workers=2"   # what the process holds that gives out the work

The observations are stored in files, a partition a day, as in production; each step runs in a process of its own, as
Dagster's do.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

DAYS = 84
MEMORY = 500.0
"""Most MB beyond the imports that a step may hold."""
SPEC = """
name: many
description: Made-up daily sales of many items.
source: {kind: file, path: rows.csv}
columns: {item_id: item, timestamp: day, target: sales}
frequency: D
horizon: 14
season_lengths: [7]
partitions: {kind: daily, start: "2024-01-01"}
model: {parameters: {n_jobs: 1}}
retraining: {metric: wql, threshold: 0.2}
"""


def store(folder: Path, items: int) -> None:
    """Write observations of so many items, a partition a day."""
    from growth import panel

    from mlops_assets.io_managers import ObjectTables

    (folder / "many.yaml").write_text(SPEC)
    rows = panel(items, DAYS)
    parts = {str(day)[:10]: own for day, own in rows.groupby("timestamp")}
    ObjectTables(str(folder / "tables")).write_all(["many", "observations"], parts)


def step(name: str, folder: Path, engine: str) -> dict[str, float]:
    """Run one step in this process, and return what it took."""
    import sklearn.ensemble  # noqa: F401  imports are not what is measured
    import skops.io  # noqa: F401

    from mlops_assets.catalog.graph import Graph
    from mlops_assets.catalog.names import OBSERVATIONS
    from mlops_assets.io_managers import ObjectTables
    from mlops_assets.resources.stored import StoredTable
    from mlops_assets.scale.engine import Engine
    from mlops_assets.spec import load_spec
    from mlops_assets.stages import backtest, train
    from mlops_assets.stages.shards import learning
    from mlops_assets.stages.shards.history import Histories

    spec = load_spec(folder / "many.yaml")
    tables, graph = ObjectTables(str(folder / "tables")), Graph(spec)
    key = [spec.name, OBSERVATIONS]
    before, began = _peak(), time.process_time()
    histories = Histories(graph, Engine(address=engine), StoredTable(tables, key, tables.partitions(key)))
    if name == "training_set":
        rows = learning.training_set(graph, histories, None, spec.task).rows
        tables.write([spec.name, name], rows)
    elif name == "model":
        rows = tables.read([spec.name, "training_set"])
        (folder / "model").write_bytes(pickle.dumps(train.fit(rows, train.Fitting(spec.task))))
    else:
        until = tables.read([spec.name, "training_set"], columns=["timestamp"])["timestamp"].max()
        nobody: Any = SimpleNamespace(champion=lambda: None)
        found = backtest.backtest(spec, nobody, histories, until, train.Fitting(spec.task))
        tables.write_batches([spec.name, name], found.batches)
    return {"beyond_imports": _peak() - before, "imports": before, "cpu": time.process_time() - began}


def _peak() -> float:
    """Peak resident memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--engine", default="local?workers=1", help="as MLOPS_ENGINE takes it")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 above {MEMORY:g} MB")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(step(arguments.step[0], Path(arguments.step[1]), arguments.engine)))
        return 0
    most = 0.0
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-c", _STORE.format(folder, arguments.items)], check=True, cwd=ROOT)
        print(f"| {arguments.items:,} items x {DAYS} days | MB beyond the imports | MB of the imports | CPU s |")
        print("|---|---:|---:|---:|")
        for name in ("training_set", "model", "backtest"):
            command = [sys.executable, __file__, "--step", name, folder, "--engine", arguments.engine]
            took = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            most = max(most, took["beyond_imports"])
            print(f"| {name} | {took['beyond_imports']:.0f} | {took['imports']:.0f} | {took['cpu']:.1f} |", flush=True)
    return int(arguments.check and most > MEMORY)


_STORE = """
import sys; sys.path[:0] = [".", "benchmarks"]
from pathlib import Path; from training import store
store(Path({!r}), {})
"""

if __name__ == "__main__":
    sys.exit(main())
