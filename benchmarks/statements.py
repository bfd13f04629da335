"""What a round and each tick of the sensors ask of PostgreSQL, and what a code server holds after a day of ticks.

    python benchmarks/statements.py                       # both, about fifteen minutes
    python benchmarks/statements.py --only round --check  # and exit code 1 where a target is missed
    python benchmarks/statements.py --only memory --forecasts 20 --hours 6

Statements are those of the server's own log, of a round of the example: reads and writes, what begins and ends
transactions, connections that are tried. No growing table may be read whole where an index could serve. Memory is that
of a process that evaluates the sensors for all forecasts, as the code server does, on a clock that goes on by `--every`
minutes a tick; each forecast has a turn every four hours, though nothing happens to it.
"""

import argparse
import gc
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

EXAMPLE, DAYS = "nyc_departures", ["2013-12-13", "2013-12-14", "2013-12-15", "2013-12-16"]
ROUND, CONNECTIONS, GROWTH = 811, 5, 1.05
"""Targets: statements of a daily round (as many as release 0.1.0 sent), connections, memory against a quarter of it."""
PAUSE = timedelta(hours=4)


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["round", "memory"])
    parser.add_argument("--forecasts", type=int, default=100)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--every", type=int, default=15, help="minutes of the moved clock between two ticks")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    given = parser.parse_args()
    from mlops_assets_tests.io_managers import servers
    from mlops_assets_tests.io_managers.statements import Watched

    missed: list[str] = []
    parts: dict[str, Callable[[Path, Any], list[str]]] = {
        "round": a_round,
        "memory": lambda folder, watched: memory(folder, watched, given),
    }
    for part, measure in parts.items():
        if given.only in (None, part):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
                folder = Path(made)
                folder.chmod(0o755)  # PostgreSQL's user is another than root
                os.environ["DAGSTER_HOME"] = str(folder / "dagster")
                with servers.postgres(folder / "pg") as server:
                    missed += measure(folder, Watched(server, folder / "pg", "tables"))
    print(f"missed: {', '.join(missed)}" if missed else "")
    return int(given.check and bool(missed))


def a_round(folder: Path, watched: Any) -> list[str]:
    """Count the statements of a daily round of the example, and of the ticks after it; return the targets missed."""
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.rounds.round import resolve_partitions, run_round
    from mlops_assets.settings import Settings
    from mlops_assets.spec import find_spec

    os.environ.update(MLOPS_DATA=str(folder / "data"), MLOPS_TABLES="sql", MLOPS_DATABASE_URL=watched.url)
    os.environ["MLOPS_AUTOMATION"] = "true"
    rounds: list[Any] = []
    for day in DAYS:
        settings = Settings.read()
        spec = find_spec(settings.forecasts, EXAMPLE)
        with open_instance(settings) as instance, watched.asked() as asked:
            keys = resolve_partitions(spec, day, settings)
            run_round(spec, keys, settings, instance, False, lambda *_: None, catch_up=True)
        told(f"round of {day}", asked)
        rounds.append(asked)
    _, *daily = rounds  # the first one trains
    sent = statistics.median(len(asked.statements) for asked in daily)
    missed = [f"{sent} statements a round"] if sent > ROUND else []
    missed += [f"{one.connections} connections a round" for one in daily if one.connections > CONNECTIONS]
    missed += [f"{table} is read whole" for one in daily for table in one.whole]
    os.environ["MLOPS_NOW"] = f"{DAYS[-1]}T23:30:00+00:00"
    settings = Settings.read()
    with open_instance(settings) as instance:
        sensors = Sensors(settings, instance)
        for when in ("first tick", "next tick"):
            for name in sensors.names:
                with watched.asked() as asked:
                    sensors.tick(name)
                told(f"{when} of {name}", asked)
                missed += [f"{table} is read whole by {name}" for table in asked.whole]
    return missed


def told(what: str, asked: Any) -> None:
    """Print a row."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in asked.kinds.most_common())
    whole = f"; read whole: {asked.whole}" if asked.whole else ""
    print(
        f"{what:34} {len(asked.statements):5} statements, {asked.connections} connections ({kinds}){whole}", flush=True
    )


class Sensors:
    """The sensors of a code location, evaluated as the code server does, each with its cursor."""

    def __init__(self, settings: Any, instance: Any, clock: Any = None) -> None:
        from mlops_assets.definitions import build

        made = build(settings)
        self._repository, self._instance = made.get_repository_def(), instance
        self._resources, self._clock = dict(made.resources or {}), clock
        self._cursors: dict[str, str | None] = {}
        self.names = [sensor.name for sensor in self._repository.sensor_defs]

    def tick(self, name: str) -> Any:
        """Evaluate one."""
        import dagster as dg

        resources = {**self._resources, **({"clock": self._clock} if self._clock is not None else {})}
        with dg.build_sensor_context(
            self._instance, self._cursors.get(name), repository_def=self._repository, sensor_name=name,
            resources=resources,
        ) as context:  # fmt: skip
            found = self._repository.get_sensor_def(name).evaluate_tick(context)
        self._cursors[name] = found.cursor
        return found


class MovedClock:
    """The product's clock, which is moved on by hand."""

    pinned = False

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """Return the moment that it shows."""
        return self.at

    def seconds(self) -> float:
        """Return it in seconds since 1970."""
        return self.at.timestamp()


def memory(folder: Path, watched: Any, given: argparse.Namespace) -> list[str]:
    """Evaluate the sensors for a simulated day; print what the process holds by the hour; return the targets missed."""
    import automation

    from mlops_assets.automation import turns
    from mlops_assets.resources.instance import open_instance
    from mlops_assets.settings import Settings

    names = [f"f{number:03d}" for number in range(given.forecasts)]
    os.environ.update(automation.declare(folder, names), MLOPS_AUTOMATION="true")
    os.environ.update(MLOPS_TABLES="sql", MLOPS_DATABASE_URL=watched.url)
    settings = Settings.read()
    clock = MovedClock(datetime.fromisoformat(automation.NOW).astimezone(timezone.utc))
    turns.time = SimpleNamespace(time=clock.seconds, monotonic=time.monotonic)
    turns.PAUSE = PAUSE.total_seconds()
    with open_instance(settings) as instance:
        automation.run(settings, instance)
        automation.multiplied(folder, settings, instance, names[1:])
        sensors, rows = Sensors(settings, instance, clock), list[tuple[float, int, int]]()
        begun = clock.at
        while clock.at <= begun + timedelta(hours=given.hours):
            with quiet():
                for name in sensors.names:
                    sensors.tick(name)
            if (clock.at - begun) % timedelta(hours=1) == timedelta(0):
                gc.collect()
                held = psutil.Process().memory_info().rss / 2**20
                rows.append((held, len(gc.get_objects()), watched.connections()))
                hour = (clock.at - begun) // timedelta(hours=1)
                print(
                    f"after {hour:2} h: {held:6.0f} MB, {rows[-1][1]:9,} objects, {rows[-1][2]} connections", flush=True
                )
            clock.at += timedelta(minutes=given.every)
    warm = rows[len(rows) // 4]
    missed = [f"memory grew from {warm[0]:.0f} to {rows[-1][0]:.0f} MB"] if rows[-1][0] > GROWTH * warm[0] else []
    missed += [f"objects grew from {warm[1]:,} to {rows[-1][1]:,}"] if rows[-1][1] > GROWTH * warm[1] else []
    most = max(row[2] for row in rows)
    return missed + ([f"{most} connections"] if most > CONNECTIONS else [])


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing be logged while the block lasts."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


if __name__ == "__main__":
    sys.exit(main())
