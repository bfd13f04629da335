"""What a forecast of many items costs, asset by asset, and what a second worker is worth.

    python benchmarks/scale.py                    # 1,000, 10,000 and 100,000 items of 100 days, on two Dask workers
    python benchmarks/scale.py --sizes 1000 10000 --pairs 0 --engine local
    python benchmarks/scale.py --write --check    # table and picture into docs/, exit code 1 above a target

Each size is a whole round in a process of its own: history is ingested in runs of a bounded number of rows, a forest is
trained, tested and promoted, an origin is forecast, the next week is ingested and the forecast scored. Tables are
files. A size that would not end within `--minutes`, by what the one before took, is left out and said.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

DAYS, WEEK = 100, 7
START = pd.Timestamp("2024-01-01")
ORIGIN = START + pd.Timedelta(days=DAYS - WEEK - 1)
LAST = ORIGIN + pd.Timedelta(days=WEEK)
WORKER_MEMORY = "1500MiB"
SLOPE, DRIVER_MB, WORKER_MB, TWO_FOR_ONE = 1.1, 1074, 1611, 0.7
"""Targets: CPU by items on logarithmic axes, resident memory (10^6 bytes), wall time of two workers by that of one."""
PARALLEL = ("backtest", "forecasts")
"""The assets that are timed with one worker and with two."""
ROUNDS = (
    ("history", ("observations", "quarantine"), (START, ORIGIN)),
    ("training", ("training_set", "random_forest", "backtest", "model_version", "champion"), None),
    ("forecast", ("forecasts",), (ORIGIN, ORIGIN)),
    ("new days", ("observations", "quarantine"), (ORIGIN + pd.Timedelta(days=1), LAST)),
    ("looking back", ("forecast_accuracy", "data_drift", "anomalies"), (LAST, LAST)),
)
"""What is materialized, in this order, and the days of it."""
SPEC = """\
name: scale
source: {kind: file, path: sales.parquet}
columns: {item_id: item, timestamp: day, target: sales}
frequency: D
partitions: {kind: daily, start: "2024-01-01"}
horizon: 7
backtest: {windows: 2}
model: {parameters: {n_jobs: 1}}
retraining: {metric: wql, threshold: 0.2}
"""


def write_source(file: Path, items: int) -> None:
    """Write daily sales with a weekly season and levels of all sizes, 10,000 items at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    days = pd.date_range(START, periods=DAYS, unit="us")
    with tempfile.TemporaryDirectory() as _, file.open("wb") as sink:
        writer = None
        for first in range(0, items, 10_000):
            count = min(10_000, items - first)
            random = np.random.default_rng(first)
            level = np.exp(random.normal(3, 1, count))[:, None]
            phase = random.integers(0, 7, count)[:, None]
            season = 1 + 0.3 * np.sin(2 * np.pi * (np.arange(DAYS) + phase) / 7)
            sales = (level * season * (1 + 0.1 * random.standard_normal((count, DAYS)))).round(2)
            names = [f"item {number:07d}" for number in range(first, first + count)]
            table = pa.table({"item": np.repeat(names, DAYS), "day": np.tile(days, count), "sales": sales.ravel()})
            writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
            writer.write_table(table)
        assert writer is not None
        writer.close()


class Child:
    """A forecast over one panel, in this process."""

    def __init__(self, folder: Path, engine: str) -> None:
        import dagster as dg

        from mlops_assets.assets import build_assets
        from mlops_assets.definitions import build_environment, faced
        from mlops_assets.settings import Settings
        from mlops_assets.spec import load_spec

        self.instance = dg.DagsterInstance.ephemeral()
        self.spec = load_spec(folder / "forecasts" / "scale.yaml")
        self.assets = build_assets(self.spec)
        self.settings = Settings.read(
            {
                "MLOPS_DATA": str(folder / "data"),
                "MLOPS_FORECASTS": str(folder / "forecasts"),
                "MLOPS_NOW": f"{LAST + pd.Timedelta(days=1):%Y-%m-%d}",
            }
        )
        (folder / "data" / "mlflow").mkdir(parents=True, exist_ok=True)
        self.resources = build_environment(self.settings.model_copy(update={"engine": engine})).resources
        self.faced = faced(self.resources)

    def spans(self, first: pd.Timestamp, last: pd.Timestamp) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
        """Cut days into runs as the command does."""
        from mlops_assets.rounds.history import spans

        keys = [f"{day:%Y-%m-%d}" for day in pd.date_range(first, last)]
        return [
            (pd.Timestamp(one), pd.Timestamp(other)) for one, other in spans(self.resources["tables"], self.spec, keys)
        ]

    def run(self, assets: tuple[str, ...], days: tuple[pd.Timestamp, pd.Timestamp] | None) -> list[dict[str, Any]]:
        """Materialize assets, and return what each has taken."""
        import dagster as dg

        keys = [f"{day:%Y-%m-%d}" for day in days or ()]
        many = len(set(keys)) == 2
        names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        result = dg.materialize(
            self.assets,
            selection=[dg.AssetKey(["scale", name]) for name in assets],
            partition_key=keys[0] if keys and not many else None,
            tags=dict(zip(names, keys, strict=True)) if many else {},
            instance=self.instance,
            resources=self.faced,
        )
        seconds: dict[str, float] = {}
        for entry in self.instance.all_logs(result.run_id):
            event = entry.dagster_event
            if event is not None and event.event_type_value in ("STEP_START", "STEP_SUCCESS"):
                sign = 1 if event.event_type_value == "STEP_SUCCESS" else -1
                seconds[event.step_key or ""] = seconds.get(event.step_key or "", 0.0) + sign * entry.timestamp
        taken: dict[str, dict[str, Any]] = {}
        for event in result.get_asset_materialization_events():
            name, facts = event.asset_key.path[-1] if event.asset_key else "", event.materialization.metadata
            one = taken.setdefault(name, {"asset": name, "cpu": 0.0, "workers": 0.0, "peak_mb": 0.0})
            one["wall"] = round(seconds[event.step_key or ""], 2)
            for ours, theirs in (("cpu", "cpu_seconds"), ("workers", "worker_seconds")):
                one[ours] += facts[theirs].value
            one["peak_mb"] = max(one["peak_mb"], facts["peak_memory_mb"].value)
        return list(taken.values())


def round_of(folder: Path, engine: str) -> list[dict[str, Any]]:
    """Run a whole round, and return what each asset has taken."""
    child, found = Child(folder, engine), []
    for name, assets, days in ROUNDS:
        runs = [child.run(assets, span) for span in (child.spans(*days) if days else [None])]
        found += [{"round": name, **together(list(parts))} for parts in zip(*runs, strict=True)]
    return found


def together(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up what an asset has taken in several runs."""
    sums = {name: sum(one[name] for one in parts) for name in ("cpu", "workers", "wall")}
    return {**parts[0], **sums, "peak_mb": max(one["peak_mb"] for one in parts)}


def pairs_of(folder: Path, pairs: int) -> dict[str, Any]:
    """Time the parallel assets with one worker and with two, in turn, on clusters that are there already."""
    from mlops_assets.scale.engine import Engine

    opened = {workers: Engine(address=f"dask://local?workers={workers}&memory={WORKER_MEMORY}") for workers in (1, 2)}
    walls: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    try:
        for engine in opened.values():
            list(engine.map(warm, range(4)))
        for pair in range(pairs):
            for workers in (1, 2) if pair % 2 == 0 else (2, 1):
                backend: Any = opened[workers]._opened
                child = Child(folder, f"dask://{backend._client.scheduler.address.removeprefix('tcp://')}")
                taken = child.run(PARALLEL[:1], None) + child.run(PARALLEL[1:], (ORIGIN, ORIGIN))
                walls[workers].append({one["asset"]: one["wall"] for one in taken})
                say(f"pair {pair + 1}, {workers} workers: {walls[workers][-1]}")
    finally:
        for engine in opened.values():
            engine.close()
    totals = {workers: [sum(one.values()) for one in taken] for workers, taken in walls.items()}
    by_asset = {name: _ratio([one[name] for one in walls[1]], [one[name] for one in walls[2]]) for name in PARALLEL}
    return {"one": totals[1], "two": totals[2], "ratio": _ratio(totals[1], totals[2]), "by_asset": by_asset}


def _ratio(one: list[float], two: list[float]) -> float:
    """Return the median of the ratios of pairs."""
    return round(statistics.median(after / before for before, after in zip(one, two, strict=True)), 3)


def warm(number: int) -> int:
    """Import what the work on shards needs."""
    import sklearn.ensemble  # noqa: F401

    import mlops_assets.definitions  # noqa: F401

    return number


def measured(folder: Path, arguments: list[str], minutes: float) -> dict[str, Any] | None:
    """Run a part of this script in a process of its own and watch the memory of it and of its workers.

    Returns:
        What it printed, with the peaks of its resident memory (`driver_mb`, and `worker_mb` of the largest other);
        None if it did not end in time.
    """
    import psutil

    began = time.monotonic()
    peaks = {"driver_mb": 0.0, "worker_mb": 0.0}
    with (folder / "out").open("w+") as out, (folder / "err").open("w") as err:
        command = [sys.executable, __file__, "--folder", str(folder), *arguments]
        process = psutil.Popen(command, stdout=out, stderr=err, cwd=ROOT)
        while process.poll() is None:
            try:
                others = process.children(recursive=True)
                if time.monotonic() - began > 60 * minutes:
                    for one in (process, *others):
                        one.kill()
                    return None
                peaks["driver_mb"] = max(peaks["driver_mb"], process.memory_info().rss / 1e6)
                for one in others:
                    peaks["worker_mb"] = max(peaks["worker_mb"], one.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                pass
            time.sleep(0.25)
        out.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(arguments)}:\n{(folder / 'err').read_text()[-4000:]}")
        return {"wall": round(time.monotonic() - began, 1), **{k: round(v) for k, v in peaks.items()}, **json.load(out)}


def prepare(folder: Path, items: int) -> None:
    """Write spec and source."""
    (folder / "forecasts").mkdir(parents=True, exist_ok=True)
    (folder / "forecasts" / "scale.yaml").write_text(SPEC, encoding="utf-8")
    write_source(folder / "forecasts" / "sales.parquet", items)


def measure_all(sizes: list[int], pairs: int, pair_size: int, engine: str, minutes: float) -> dict[str, Any]:
    """Measure each size that fits into the time, the small ones first."""
    end = time.monotonic() + 60 * minutes
    found: dict[str, Any] = {"engine": engine, "sizes": {}, "left_out": []}
    with tempfile.TemporaryDirectory(prefix="scale") as scratch:
        for items in sorted(sizes):
            left, last = (end - time.monotonic()) / 60, list(found["sizes"].items())[-1:]
            expected = sum(one["wall"] * items / size / 60 for size, one in last)
            folder = Path(scratch) / str(items)
            if expected < left:
                prepare(folder, items)
                one = measured(folder, ["--round", engine], left)
                if one is not None:
                    found["sizes"][items] = one
                    say(f"{items:,} items: {one['wall']} s, driver {one['driver_mb']} MB, worker {one['worker_mb']} MB")
                    continue
            found["left_out"].append(items)
            say(f"{items:,} items are left out: {expected:.0f} minutes expected, {left:.0f} left")
        if pairs and pair_size in found["sizes"] and time.monotonic() < end:
            folder = Path(scratch) / str(pair_size)
            found["pairs"] = measured(folder, ["--pairs", str(pairs)], (end - time.monotonic()) / 60)
    return found


def say(text: str) -> None:
    """Tell how far it is; standard output is for results."""
    print(text, file=sys.stderr, flush=True)


def costs(one: dict[str, Any]) -> float:
    """Return all CPU seconds of a size: of the driver and of the workers."""
    return sum(part["cpu"] + part["workers"] for part in one["assets"])


def slopes(found: dict[str, Any]) -> dict[str, float]:
    """Return the growth of CPU from a size to the next, on logarithmic axes."""
    return {
        f"{few:,} to {many:,}": round(
            float(np.log(costs(found["sizes"][many]) / costs(found["sizes"][few])) / np.log(many / few)), 3
        )
        for few, many in pairwise(found["sizes"])
    }


def drawn_on(found: dict[str, Any]) -> float:
    """Return the growth by which the line is drawn on: the last that was seen, and in proportion at least."""
    return max(1.0, list(slopes(found).values())[-1])


def table(found: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    sizes = found["sizes"]
    head = " | ".join(f"{items:,} items" for items in sizes)
    lines = [f"| CPU s (of workers) · wall s · peak MB | {head} |", "|---|" + "---:|" * len(sizes)]
    parts = {items: {(part["round"], part["asset"]): part for part in one["assets"]} for items, one in sizes.items()}
    for row in next(iter(parts.values())):
        cells = []
        for items in sizes:
            part = parts[items][row]
            cpu = part["cpu"] + part["workers"]
            cells.append(f"{cpu:,.1f} ({part['workers']:,.1f}) · {part['wall']:,.1f} · {part['peak_mb']:,.0f}")
        lines.append(f"| {row[0]}: `{row[1]}` | {' | '.join(cells)} |")
    lines.append(
        "| **all** | " + " | ".join(f"{costs(one):,.0f} · {one['wall']:,.0f}" for one in sizes.values()) + " |"
    )
    for name, words in (("driver_mb", "driver"), ("worker_mb", "largest worker")):
        lines.append(f"| {words}, peak MB | " + " | ".join(f"{one[name]:,}" for one in sizes.values()) + " |")
    text = "\n".join(lines) + "\n\n"
    for step, slope in slopes(found).items():
        text += f"CPU grows with the power {slope:.2f} of the items from {step}. "
    if len(sizes) > 1:
        most, slope = list(sizes)[-1], drawn_on(found)
        hours = costs(sizes[most]) * (1_000_000 / most) ** slope / 3600
        text += (
            f"Drawn on to 1,000,000 items: {hours:,.1f} CPU hours for the whole round, training and all history "
            f"included, which is {hours * 0.05:,.2f} in money at 0.05 a CPU hour."
        )
    if found.get("pairs"):
        one, two = (statistics.median(found["pairs"][name]) for name in ("one", "two"))
        text += (
            "\n\nTwo workers against one, `backtest` and `forecasts`, "
            f"median of {len(found['pairs']['one'])} pairs in turn: "
            f"{two:.1f} s against {one:.1f} s, {found['pairs']['ratio']:.2f} of the wall time "
            f"({', '.join(f'`{name}` {ratio:.2f}' for name, ratio in found['pairs']['by_asset'].items())})."
        )
    for items in found["left_out"]:
        text += f"\n\n{items:,} items were not measured: they would not have ended in the time given."
    return text + "\n"


def missed(found: dict[str, Any]) -> list[str]:
    """Return the targets that were missed."""
    grown = [(step, slope) for step, slope in slopes(found).items() if not step.startswith("1,000 ")]
    said = [f"slope {slope} from {step}" for step, slope in grown if slope > SLOPE]
    for items, one in found["sizes"].items():
        for name, most in (("driver_mb", DRIVER_MB), ("worker_mb", WORKER_MB)):
            if one[name] > most:
                said.append(f"{name} {one[name]} at {items:,} items")
    if found.get("pairs") and found["pairs"]["ratio"] > TWO_FOR_ONE:
        said.append(f"two workers need {found['pairs']['ratio']} of the time of one")
    return said


def draw(found: dict[str, Any], file: Path) -> None:
    """Draw CPU by items for each asset, and the memory of driver and workers."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    sizes = list(found["sizes"])
    figure = Figure(figsize=(9.6, 4), layout="constrained")
    cpu, memory = figure.subplots(1, 2)
    names = dict.fromkeys(part["asset"] for one in found["sizes"].values() for part in one["assets"])
    for name in names:
        spent = [
            sum(part["cpu"] + part["workers"] for part in one["assets"] if part["asset"] == name)
            for one in found["sizes"].values()
        ]
        cpu.plot(sizes, spent, marker="o", label=name, linewidth=1)
    total = [costs(one) for one in found["sizes"].values()]
    cpu.plot(sizes, total, marker="o", color="black", label="all", linewidth=2)
    if len(sizes) > 1:
        slope = drawn_on(found)
        cpu.plot([sizes[-1], 1e6], [total[-1], total[-1] * (1e6 / sizes[-1]) ** slope], color="black", linestyle=":")
    cpu.set(xscale="log", yscale="log", xlabel="items", ylabel="CPU seconds", title="CPU of a whole round")
    cpu.legend(fontsize=7)
    for name, words, most in (("driver_mb", "driver", DRIVER_MB), ("worker_mb", "largest worker", WORKER_MB)):
        (line,) = memory.plot(sizes, [one[name] for one in found["sizes"].values()], marker="o", label=words)
        memory.axhline(most, color=line.get_color(), linestyle=":", linewidth=1)
    memory.set(
        xscale="log", ylim=(0, None), xlabel="items", ylabel="MB", title="Peak resident memory (dotted: the limit)"
    )
    memory.legend(fontsize=8)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "scale"}):
        figure.savefig(file, metadata={"Date": None})


def write(found: dict[str, Any]) -> None:
    """Put table and picture into docs/."""
    draw(found, ROOT / "docs" / "images" / "scale.svg")
    page = ROOT / "docs" / "scale.md"
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    after = rest.partition("<!-- /measured -->")[2]
    page.write_text(f"{before}<!-- measured -->\n{table(found)}<!-- /measured -->{after}", encoding="utf-8")


def main() -> None:
    """Measure, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--engine", default=f"dask://local?workers=2&memory={WORKER_MEMORY}")
    parser.add_argument("--pairs", type=int, default=5, help="of one worker and two; 0: none")
    parser.add_argument("--pair-size", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=90.0, help="that all may take")
    parser.add_argument("--json", type=Path, help="figures are written there, too")
    parser.add_argument("--read", type=Path, help="figures of an earlier --json, shown instead of measured")
    parser.add_argument("--write", action="store_true", help="table and picture into docs/")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a target is missed")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--round", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder is not None:
        alone = {"assets": round_of(options.folder, options.round)} if options.round else None
        print(json.dumps(alone or pairs_of(options.folder, options.pairs)))
        return
    if options.read:
        found = json.loads(options.read.read_text())
        found["sizes"] = {int(items): one for items, one in found["sizes"].items()}
    else:
        found = measure_all(options.sizes, options.pairs, options.pair_size, options.engine, options.minutes)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    print(table(found))
    if options.write:
        write(found)
    wrong = missed(found)
    print("\n".join(wrong) or "every target is met")
    sys.exit(1 if options.check and wrong else 0)


if __name__ == "__main__":
    main()
