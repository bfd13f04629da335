"""What years of partitions cost: status, report, check and each tick of the sensors over tens of thousands of them.

    python benchmarks/partitions.py                            # 44,000 hourly partitions in files
    python benchmarks/partitions.py --partitions 1000 --kind daily
    python benchmarks/partitions.py --tables postgres          # or mariadb, sqlite, duckdb: started for it
    python benchmarks/partitions.py --tables postgresql://user:password@host/name --check

A forecast of three series is run for real over the last partitions; older ones are made to look alike, in its tables
and in Dagster's event log, without being computed. Every question is asked twice; the second answer is measured, so
that imports do not count. Seconds are CPU seconds of this process, with the seconds of the wall beside them.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

from years import PLACES, place  # noqa: E402

NAME, NOW = "years", "2024-12-31T12:30:00+00:00"
LATER = "2024-12-31T13:30:00+00:00"
STEPS = {"hourly": ("h", 24, pd.Timedelta(hours=1)), "daily": ("D", 14, pd.Timedelta(days=1))}
HISTORY = {"hourly": 840, "daily": 300}
"""Partitions that are ingested for real: a forecast of hours looks 673 back, and so does the oldest of a chunk."""
ORIGINS, RECENT = 5, 420
"""Partitions that are forecast from for real, and those whose scores are written one by one."""
CHUNK = 100
"""Partitions of one run of a backfill."""
STATUS, TICK = 5.0, 1.0
"""CPU seconds that a status and a sensor's tick may take."""
SPEC = """\
name: {name}
source: {{kind: file, path: {name}.csv}}
columns: {{item_id: item, timestamp: at, target: units}}
frequency: {frequency}
time_zone: UTC
partitions: {{kind: {kind}, start: {start:%Y-%m-%d}}}
horizon: {horizon}
quantiles: [0.1, 0.5, 0.9]
model: {{kind: seasonal_naive}}
backtest: {{windows: 2, step: {horizon}}}
retraining: {{metric: wql, threshold: 9, breaches: 3, window: 5}}
schedule: "{schedule}"
arrivals: {{every: 1m}}
"""


def series(kind: str) -> pd.DataFrame:
    """Three series with a season, as long as the real part of the forecast and a step more than the present."""
    step = STEPS[kind][2]
    times = pd.date_range(end=pd.Timestamp("2025-01-02"), periods=HISTORY[kind] + 60, freq=step)
    random = np.random.default_rng(0)
    rows = [
        pd.DataFrame(
            {"item": item, "at": times, "units": 20 + 5 * np.sin(np.arange(len(times)) / 4) + random.random(len(times))}
        )
        for item in "abc"
    ]
    return pd.concat(rows).round(3)


class World:
    """The forecast, its settings and its instance."""

    def __init__(self, folder: Path, kind: str, count: int, tables: str) -> None:
        from mlops_assets.catalog.partitions import complete_keys
        from mlops_assets.resources.instance import open_instance
        from mlops_assets.settings import Settings, moment
        from mlops_assets.spec import find_spec

        frequency, horizon, step = STEPS[kind]
        self.history = HISTORY[kind]
        specs = folder / "forecasts"
        specs.mkdir(parents=True, exist_ok=True)
        series(kind).to_csv(specs / f"{NAME}.csv", index=False)
        text = SPEC.format(
            name=NAME,
            frequency=frequency,
            kind=kind,
            horizon=horizon,
            start=pd.Timestamp("2024-12-31") - count * step,
            schedule="5 * * * *" if kind == "hourly" else "0 6 * * *",
        )
        (specs / f"{NAME}.yaml").write_text(text, encoding="utf-8")
        self.variables = {"MLOPS_FORECASTS": str(specs), "MLOPS_DATA": str(folder / "data"), "MLOPS_NOW": NOW}
        if tables != "files":
            self.variables |= {"MLOPS_TABLES": "sql", "MLOPS_DATABASE_URL": tables}
        os.environ.update(self.variables)
        self.settings = Settings.read()
        self.spec = find_spec(specs, NAME)
        self.instance = open_instance(self.settings)
        self.keys = complete_keys(self.spec, moment(NOW))

    def run(self) -> dict[str, tuple[float, float]]:
        """Ingest and forecast the last partitions for real, and return what that took."""
        from mlops_assets.rounds.round import run_ingestion, run_round

        chunk = self.keys[-self.history :]
        ingested = spent(lambda: run_ingestion(self.spec, chunk, self.settings, self.instance, False, nobody))
        origins = self.keys[-ORIGINS:]
        made = spent(lambda: run_round(self.spec, origins, self.settings, self.instance, False, nobody))
        self.approve()
        return {f"ingesting {len(chunk)} partitions in one run": ingested, f"a round of {ORIGINS} partitions": made}

    def approve(self) -> None:
        """Make the version champion: the gate finds seasonal naive no better than seasonal naive."""
        from mlops_assets.environments import open_stores
        from mlops_assets.lifecycle.lifecycle import Lifecycle

        with open_stores(self.settings) as stores:
            life = Lifecycle.of(stores, NAME)
            if life.champion() is None:
                life.approve(life.registry.versions()[0].number, "benchmark", "rounds are to be measured", force=True)

    def next_round(self) -> tuple[float, float]:
        """Run the round of the next partition."""
        from mlops_assets.rounds.round import resolve_partitions, run_round
        from mlops_assets.settings import Settings

        settings = Settings.read({**self.variables, "MLOPS_NOW": LATER})
        keys = resolve_partitions(self.spec, None, settings)
        return spent(lambda: run_round(self.spec, keys, settings, self.instance, False, nobody, catch_up=True))

    def backfill(self) -> dict[str, tuple[float, float]]:
        """Ingest the last partitions once more, and forecast from the last chunk of them: so many in one run."""
        from mlops_assets.rounds.round import run_ingestion, run_round

        def ingest() -> None:
            for first in range(-self.history, 0, CHUNK):
                chunk = self.keys[first : min(first + CHUNK, 0) or None]
                run_ingestion(self.spec, chunk, self.settings, self.instance, False, nobody)

        def forecast() -> None:
            run_round(self.spec, self.keys[-CHUNK:], self.settings, self.instance, False, nobody)

        return {
            f"backfill: ingesting {self.history} partitions, {CHUNK} a run": spent(ingest),
            f"backfill: a round of {CHUNK} partitions": spent(forecast),
        }

    def fill(self) -> None:
        """Make all earlier partitions look like the first real one."""
        from mlops_assets.catalog.names import ACCURACY_SCORES, ENTRIES
        from mlops_assets.environments import open_stores

        with open_stores(self.settings) as stores:
            for one in ENTRIES:
                if not one.partitioned and one.name != ACCURACY_SCORES:
                    continue
                key = [NAME, one.name]
                stored = stores.tables.partitions(key)
                if stored:
                    lacking = [name for name in self.keys if name < stored[0]]
                    self._fill(stores.tables, key, stored[0], lacking)
        self._fill_events()

    def _fill(self, tables: Any, key: list[str], pattern: str, lacking: list[str]) -> None:
        rows = tables.read(key, [pattern])
        meaning = tables.meanings(key, [pattern]).get(pattern)
        options = {"meaning": meaning} if meaning else {}
        exact = lacking[-RECENT:] if "scope" in rows else []
        if "MLOPS_TABLES" not in self.variables:
            from mlops_assets.io_managers.objects import _file

            folder = self.settings.data_folder / "tables"
            for name in [name for name in lacking if name not in set(exact)]:
                place = folder / _file(key, name)
                place.parent.mkdir()
                os.link(folder / _file(key, pattern), place)
            lacking = exact
        for first in range(0, len(lacking), 500):
            parts = {}
            for name in lacking[first : first + 500]:
                parts[name] = rows.assign(partition=name) if "partition" in rows else rows
            tables.write_all(key, parts, **options)

    def _fill_events(self) -> None:
        """Say in Dagster's event log that each was made, before all that was."""
        index = Path(self.instance.root_directory) / "history" / "runs" / "index.db"
        with closing(sqlite3.connect(index)) as log, log:
            log.execute("UPDATE event_logs SET id = id + 10000000")
            patterns = log.execute(
                "SELECT asset_key, min(partition), run_id, event, timestamp, step_key FROM event_logs "
                "WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND partition IS NOT NULL GROUP BY asset_key"
            ).fetchall()
            order = ("forecasts", "observations", "forecast_accuracy")  # scores are newer than what they are made of
            patterns.sort(key=lambda row: [name in row[0] for name in order])
            number = count(1)
            for asset, first, run_id, event, at, step in patterns:
                log.executemany(
                    "INSERT INTO event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, "
                    "partition) VALUES (?, ?, ?, 'ASSET_MATERIALIZATION', ?, ?, ?, ?)",
                    (
                        (next(number), run_id, event.replace(first, key), at, step, asset, key)
                        for key in self.keys
                        if key < first
                    ),
                )


def nobody(_: Any) -> None:
    """Listen to what a round tells, and say nothing."""


def spent(work: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of CPU and of the wall that some work takes."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def questions(world: World) -> dict[str, Callable[[], Any]]:
    """Return what is asked of a forecast, by name."""
    import dagster as dg

    from mlops_assets import definitions
    from mlops_assets.analysis import check, status
    from mlops_assets.catalog import declared

    made = definitions.build(world.settings)
    repository = made.get_repository_def()

    cursors: dict[str, str | None] = {}

    def tick(name: str) -> Callable[[], Any]:
        def look() -> Any:
            with dg.build_sensor_context(
                instance=world.instance,
                repository_def=repository,
                sensor_name=name,
                resources=resources,
                cursor=cursors.get(name),
            ) as context:
                found = repository.get_sensor_def(name).evaluate_tick(context)
            cursors[name] = found.cursor
            return found

        return look

    def scheduled(name: str) -> Callable[[], Any]:
        def look() -> Any:
            at = datetime.fromisoformat(NOW)
            with dg.build_schedule_context(
                instance=world.instance, repository_def=repository, scheduled_execution_time=at, resources=resources
            ) as context:
                return repository.get_schedule_def(name).evaluate_tick(context)

        return look

    resources = dict(made.resources or {})
    asked: dict[str, Callable[[], Any]] = {
        "list": lambda: declared.usable(world.settings),
        "status": lambda: status.status([world.spec], world.settings),
        "report": lambda: status.page_of(world.spec, world.settings),
        "check": lambda: list(check.checks()),
    }
    asked |= {f"tick of {one.name}": tick(one.name) for one in repository.sensor_defs}
    asked |= {f"tick of {one.name}": scheduled(one.name) for one in repository.schedule_defs}
    return asked


def main() -> int:
    """Make the partitions, ask, and print what the answers take."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--partitions", type=int, default=44_000)
    parser.add_argument("--kind", choices=list(STEPS), default="hourly")
    parser.add_argument("--tables", default="files", help=f"files, an address, or one of {PLACES}")
    parser.add_argument("--only", default="", help="ask only what has this in its name")
    parser.add_argument("--check", action="store_true", help="exit code 1 where an answer takes too long")
    parser.add_argument("--keep", type=Path, help="folder to leave behind, or of an earlier run that is asked again")
    given = parser.parse_args()
    results: dict[str, tuple[float, float]] = {}
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there = (folder / "forecasts").exists()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["DAGSTER_HOME"] = str(folder.resolve() / "dagster")
        tables = given.tables
        if tables in PLACES:
            tables, _ = stack.enter_context(place(tables, folder.resolve() / "server"))
        world = World(folder, given.kind, given.partitions, tables)

        def found(more: dict[str, tuple[float, float]]) -> None:
            results.update(more)
            for name, (cpu, wall) in more.items():
                print(f"{name}: {cpu:.2f} s of CPU, {wall:.2f} in all", flush=True)

        if not there:
            found(world.run())
            found({"making the others": spent(world.fill)})
        print(f"{len(world.keys):,} {given.kind} partitions, tables in {tables.partition(':')[0]}", flush=True)
        for name, ask in questions(world).items():
            if given.only in name:
                ask()
                found({name: spent(ask)})
        if given.only in "the next round":
            found({"the next round": world.next_round()})
        if given.only in "backfill":
            found(world.backfill())
    print("\n| | CPU s | wall s |\n|---|---:|---:|")
    for name, (cpu, wall) in results.items():
        print(f"| {name} | {cpu:.2f} | {wall:.2f} |")
    slow = [
        n
        for n, (cpu, _) in results.items()
        if cpu > (TICK if n.startswith("tick") else STATUS if n == "status" else 1e9)
    ]
    print(f"too slow: {', '.join(slow)}" if slow else "")
    return int(given.check and bool(slow))


if __name__ == "__main__":
    sys.exit(main())
