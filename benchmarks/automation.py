"""What it costs to look after many forecasts: loading the code location, and a tick of each sensor that serves them.

    python benchmarks/automation.py                    # 500 forecasts
    python benchmarks/automation.py --forecasts 50
    python benchmarks/automation.py --load-only        # of any checkout of ours that PYTHONPATH names
    python benchmarks/automation.py --check            # fails where a tick takes longer than Dagster waits

One daily forecast of three series is run for real; the others are made to look alike, in tables, models, MLflow and
Dagster's event log. Seconds are CPU seconds of a process, and those of the wall. `first`: all forecasts have their
turns, in as many ticks as it takes. `quiet`: nothing has happened since. `one`: a forecast has been stored anew.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PATTERN, NOW = "f000", "2024-12-31T12:30:00+00:00"
LONGEST = 60.0
"""Seconds after which Dagster gives up on a tick."""
SPEC = """\
name: {name}
source: {{kind: file, path: sales.csv}}
columns: {{item_id: item, timestamp: at, target: units}}
frequency: D
partitions: {{start: 2024-12-01}}
horizon: 7
model: {{kind: seasonal_naive}}
backtest: {{windows: 2, step: 7}}
retraining: {{metric: wql, threshold: 9, breaches: 3, window: 5}}
schedule: "0 6 * * *"
"""
LOAD = """
import json, resource, sys, time
began = time.process_time()
from mlops_assets.definitions import definitions
from dagster._core.remote_representation.external_data import RepositorySnap
made = definitions().get_repository_def()
loaded = time.process_time() - began
told = RepositorySnap.from_def(made)
toggles = len(made.sensor_defs) + len(made.schedule_defs)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([loaded, time.process_time() - began, peak, toggles]))
"""


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--forecasts", type=int, default=500)
    parser.add_argument("--load-only", action="store_true", help="of the code location that PYTHONPATH names")
    parser.add_argument("--ticks-only", action="store_true")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder = Path(made)
        names = [f"f{number:03d}" for number in range(options.forecasts)]
        variables = declare(folder, names)
        if not options.ticks_only:
            load(variables)
        if options.load_only:
            return 0
        os.environ.update(variables, MLOPS_AUTOMATION="true")
        longest = ticks(folder, names)
    return int(options.check and longest > LONGEST)


def load(variables: dict[str, str]) -> None:
    """Measure what it takes to load the code location, and to tell the daemon of it."""
    print(f"{'load':24} {'CPU s':>8} {'and told':>9} {'MB':>6} {'toggles':>8}")
    for said in (None, "true"):
        environ = {**os.environ, **variables, **({"MLOPS_AUTOMATION": said} if said else {})}
        done = subprocess.run([sys.executable, "-c", LOAD], env=environ, capture_output=True, text=True, check=True)
        loaded, told, peak, toggles = json.loads(done.stdout.splitlines()[-1])
        print(f"{f'automation: {said}':24} {loaded:8.1f} {told:9.1f} {peak:6.0f} {toggles:8}", flush=True)


def declare(folder: Path, names: list[str]) -> dict[str, str]:
    """Write the specs and their table; return the variables of the environment."""
    specs = folder / "forecasts"
    specs.mkdir()
    times = pd.date_range("2024-12-01", "2025-01-01")
    random = np.random.default_rng(0)
    rows = [pd.DataFrame({"item": item, "at": times, "units": 9 + random.random(len(times))}) for item in "abc"]
    pd.concat(rows).round(3).to_csv(specs / "sales.csv", index=False)
    for name in names:
        (specs / f"{name}.yaml").write_text(SPEC.format(name=name), encoding="utf-8")
    return {
        "MLOPS_FORECASTS": str(specs),
        "MLOPS_DATA": str(folder / "data"),
        "MLOPS_NOW": NOW,
    }


def ticks(folder: Path, names: list[str]) -> float:
    """Measure the ticks of each sensor; return the longest, in seconds of the wall."""
    from mlops_assets.automation.jobs import build_jobs
    from mlops_assets.automation.sensors import build_sensors
    from mlops_assets.catalog.declared import in_force
    from mlops_assets.definitions import build_environment
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.settings import Settings
    from mlops_assets.spec import load_specs

    settings, longest = Settings.read(), 0.0
    with open_instance(settings) as instance:
        run(settings, instance)
        multiplied(folder, settings, instance, names[1:])
        specs = [in_force(spec, settings) for spec in load_specs(settings.forecasts).specs]
        sensors = build_sensors(specs, [], [job for spec in specs for job in build_jobs(spec)])
        given = build_environment(settings).resources
        print(f"\n{'tick':26} {'CPU s':>8} {'wall s':>9} {'ticks':>6} {'cursor kB':>10}")
        for sensor in sensors:
            needed = {name: given[name] for name in sensor.required_resource_keys}
            longest = max(longest, measured(sensor, needed, instance))
    print(f"the longest tick took {longest:.1f} s")
    return longest


def multiplied(folder: Path, settings: Any, instance: Any, names: list[str]) -> None:
    """Make other forecasts look like the one that was run: tables, models, MLflow's database, Dagster's events."""
    from mlops_assets.environments import open_stores

    with open_stores(settings) as stores:
        for asset in stores.tables.children([PATTERN]):
            key = [PATTERN, asset]
            meanings = stores.tables.meanings(key)
            parts = {partition: stores.tables.read(key, [partition]) for partition in meanings}
            meaning = next(filter(None, meanings.values()), None)
            options = {"meaning": meaning} if meaning else {}
            for name in names:
                if parts:
                    stores.tables.write_all([name, asset], parts, **options)
                else:
                    stores.tables.write([name, asset], stores.tables.read(key))
    for name in names:
        if (folder / "data" / "models" / PATTERN).is_dir():
            shutil.copytree(folder / "data" / "models" / PATTERN, folder / "data" / "models" / name)
    multiply(folder / "data" / "mlflow" / "mlflow.db", names, unique=("experiment_id",))
    multiply(Path(instance.root_directory) / "history" / "runs" / "index.db", names, unique=("id",))


def measured(sensor: Any, resources: Any, instance: Any) -> float:
    """Measure the ticks of a sensor; return the longest, in seconds of the wall."""
    import dagster as dg

    cursor, longest = None, 0.0
    for when in ("first", "quiet", "one"):
        if when == "one":
            again(instance)
        count, cpu, wall = 0, time.process_time(), time.perf_counter()
        while True:
            began = time.perf_counter()
            with dg.build_sensor_context(instance, cursor, resources=resources) as context:
                found = sensor.evaluate_tick(context)
            cursor, count, longest = found.cursor, count + 1, max(longest, time.perf_counter() - began)
            if "their turn in the next tick" not in (found.skip_message or ""):
                break
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"{sensor.name + ', ' + when:26} {cpu:8.2f} {wall:9.2f} {count:6} {len(cursor or '') / 1000:10.1f}")
        print(f"  {found.skip_message or found.run_requests}"[:150], flush=True)
    return longest


def run(settings: Any, instance: Any) -> None:
    """Run the one forecast that is real, and make its version champion."""
    from mlops_assets.environments import open_stores
    from mlops_assets.lifecycle.lifecycle import Lifecycle
    from mlops_assets.rounds.round import run_round
    from mlops_assets.spec import find_spec

    keys = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-12-28", "2024-12-30")]
    run_round(find_spec(settings.forecasts, PATTERN), keys, settings, instance, False, lambda *_: None)
    with open_stores(settings) as stores:
        life = Lifecycle.of(stores, PATTERN)
        if life.champion() is None:
            life.approve(life.registry.versions()[0].number, "benchmark", "ticks are to be measured", force=True)


def multiply(database: Path, names: list[str], unique: tuple[str, ...]) -> None:
    """Copy each row that has the pattern's name in it for every other forecast; what is unique counts on."""
    with closing(sqlite3.connect(database)) as log, log:
        tables = [name for (name,) in log.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [row[1:3] for row in log.execute(f"PRAGMA table_info({table})")]
            texts = [name for name, kind in columns if any(one in kind.upper() for one in ("CHAR", "TEXT", "CLOB"))]
            own = [name for name in texts if "asset_key" in name or name in ("name", "event")]
            if own and table not in ("runs", "run_tags", "asset_event_tags", "metrics", "params", "tags"):
                _copy(log, table, [name for name, _ in columns], own, unique, names)


def _copy(log: Any, table: str, columns: list[str], own: list[str], unique: tuple[str, ...], names: list[str]) -> None:
    has = " OR ".join(f"{name} LIKE '%{PATTERN}%'" for name in own)
    rows = log.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {has}").fetchall()
    counted = [name for name in unique if name in columns and table != "registered_model_aliases"]
    most = log.execute(f"SELECT max({counted[0]}) FROM {table}").fetchone()[0] or 0 if counted else 0

    def made() -> Iterator[tuple[Any, ...]]:
        number = int(most)
        for name in names:
            for row in rows:
                number += 1
                values = dict(zip(columns, row, strict=True))
                values |= {one: str(values[one]).replace(PATTERN, name) for one in own if values[one] is not None}
                values |= dict.fromkeys(counted, number)
                yield tuple(values.values())

    log.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({', '.join('?' * len(columns))})", made())


def again(instance: Any) -> None:
    """Store the observations of the pattern anew, by an event that says so."""
    import dagster as dg

    key = dg.AssetKey([PATTERN, "observations"])
    instance.report_runless_asset_event(dg.AssetMaterialization(key, partition="2024-12-30"))


if __name__ == "__main__":
    sys.exit(main())
