"""What a round costs beside a plain script of the same work: a day, each further day, a training, an ingestion.

    python benchmarks/round.py                        # everything, about four minutes of a free core
    python benchmarks/round.py --only daily --check   # and exit code 1 where a target is missed

Measured are fresh processes, user and system time of the child, ours and the script's (`plain_round.py`) in turn, over
the example; ingestion is that of ten made-up series over 819 days.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = str(Path(__file__).with_name("plain_round.py"))
EXAMPLE, TRAINED, LAST = "nyc_departures", "2013-12-03", "2013-12-16"
DAYS, ITEMS, AGAIN, CHUNK = 819, 10, 300, 100
"""Days and series of the made-up table, and how many of its days are ingested again, so many a run."""
DAILY, FURTHER, INGESTED, RATIO_AGAIN = 1.5, 0.4, 10.0, 1.5
"""Targets: times the script, CPU seconds of a further day, of `DAYS` partitions, times the first ingestion."""
SPEC = f"""\
name: made_up
source: {{kind: file, path: made_up.csv}}
columns: {{item_id: item, timestamp: day, target: units}}
frequency: D
partitions: {{kind: daily, start: 2022-01-01, end: {pd.Timestamp("2022-01-01") + pd.Timedelta(days=DAYS):%Y-%m-%d}}}
horizon: 14
backtest: {{windows: 3, step: 14}}
retraining: {{metric: wql, threshold: 0.25, breaches: 3, window: 5}}
"""


@dataclass
class Bench:
    """Runs processes in a folder of their own, and keeps what they took.

    Attributes:
        folder: where ours and the script's data are.
        spent: case -> CPU seconds of each process.
        lines: rows of the table that is printed: case, ours, the script's, the figure that counts, its target.
    """

    folder: Path
    spent: dict[str, list[float]] = field(default_factory=dict)
    lines: list[tuple[str, float, float | None, float, float | None]] = field(default_factory=list)

    def run(self, case: str, *arguments: str, data: str = "ours", **variables: str) -> float:
        """Run a process of Python to its end, and return the CPU seconds that it took.

        Raises:
            SystemExit: it failed; its own output is on the terminal.
        """
        ours = str(self.folder / data)
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLOPS_", "DAGSTER_", "PYTHONDONT"))}
        kept |= {"MLOPS_DATA": ours, "DAGSTER_HOME": f"{ours}/dagster", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        Path(f"{ours}/dagster").mkdir(parents=True, exist_ok=True)
        kept |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", **variables}
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=kept, stdout=said, stderr=said)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                sys.exit(f"{said.read()}\n{' '.join(arguments)} ended with exit code {process.returncode}")
        seconds = usage.ru_utime + usage.ru_stime
        self.spent.setdefault(case, []).append(seconds)
        print(f"{case}: {seconds:.2f} s of CPU, {usage.ru_maxrss / 1024:.0f} MB", file=sys.stderr, flush=True)
        return seconds

    def ours(self, case: str, command: str, partitions: str, forecast: str = EXAMPLE, **others: str) -> float:
        """Run a command of ours for a partition or a range of them."""
        return self.run(case, "-m", "mlops_assets", command, forecast, "--partition", partitions, **others)

    def script(self, case: str, command: str, day: str) -> float:
        """Run the plain script for a day."""
        return self.run(case, SCRIPT, command, day, str(self.folder / "plain"))

    def median(self, case: str) -> float:
        """The middle of what the processes of a case took."""
        return statistics.median(self.spent[case])


def training(bench: Bench, repetitions: int) -> None:
    """The first round: all history ingested, a model trained, backtested, registered, and the first forecast."""
    for _ in range(repetitions):
        for name in ("ours", "plain"):
            shutil.rmtree(bench.folder / name, ignore_errors=True)
        bench.ours("training", "run", TRAINED)
        bench.script("training, script", "train", TRAINED)
    ours, script = bench.median("training"), bench.median("training, script")
    bench.lines.append(("a training round over 337 days", ours, script, ours / script, None))


def daily(bench: Bench, repetitions: int) -> None:
    """A day in a fresh process, and several in one."""
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range(TRAINED, LAST)[1:]]
    for number, day in enumerate(days[: repetitions + 1]):
        warm = "" if number else "uncounted "
        bench.ours(f"{warm}day", "run", day)
        bench.script(f"{warm}day, script", "daily", day)
    ours, script = bench.median("day"), bench.median("day, script")
    bench.lines.append(("a daily round", ours, script, ours / script, DAILY))
    rest = days[repetitions + 1 :]
    many = bench.ours("days in one process", "run", f"{rest[0]}...{rest[-1]}")
    further = (many - ours) / (len(rest) - 1)
    bench.lines.append(("each further day in one process", further, None, further, FURTHER))


def ingestion(bench: Bench, _: int) -> None:
    """All partitions of a table for the first time, and some of them again."""
    specs = bench.folder / "forecasts"
    specs.mkdir()
    days, random = pd.date_range("2022-01-01", periods=DAYS), np.random.default_rng(0)
    units = 50 + 10 * np.sin(np.arange(DAYS) / 7 * 2 * np.pi)[:, None] + random.normal(0, 3, (DAYS, ITEMS))
    pd.DataFrame(
        {
            "item": np.tile([f"item {number}" for number in range(ITEMS)], DAYS),
            "day": np.repeat(days, ITEMS),
            "units": units.round(2).ravel(),
        }
    ).to_csv(specs / "made_up.csv", index=False)
    (specs / "made_up.yaml").write_text(SPEC, encoding="utf-8")
    where = {"MLOPS_FORECASTS": str(specs), "forecast": "made_up"}
    keys = [f"{day:%Y-%m-%d}" for day in days]
    whole = bench.ours("ingestion", "ingest", f"{keys[0]}...{keys[-1]}", data="made_up", **where)
    bench.lines.append((f"{DAYS} daily partitions ingested", whole, None, whole, INGESTED))
    first = bench.ours("first", "ingest", f"{keys[0]}...{keys[AGAIN - 1]}", data="again", **where)
    again = [
        bench.ours("again", "ingest", f"{keys[start]}...{keys[start + CHUNK - 1]}", data="again", **where)
        for start in range(0, AGAIN, CHUNK)
    ]
    text = f"{AGAIN} partitions ingested again, {CHUNK} a run; beside it the first time, in one"
    bench.lines.append((text, sum(again), first, sum(again) / first, RATIO_AGAIN * AGAIN / CHUNK))


CASES = {"training": training, "daily": daily, "ingestion": ingestion}


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="CPU seconds of a round, beside a plain script of the same work.")
    parser.add_argument("--repetitions", type=int, default=3, help="measured days (default 3, at most 10)")
    parser.add_argument("--trainings", type=int, default=1, help="measured trainings (default 1)")
    parser.add_argument("--only", choices=list(CASES), help="a part (daily trains first, to have a model)")
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for name, case in CASES.items():
            if given.only in (None, name) or (given.only, name) == ("daily", "training"):
                case(bench, given.trainings if name == "training" else given.repetitions)
    print("| CPU seconds | ours | script | | target |\n|---|---:|---:|---:|---:|")
    for case, ours, script, figure, target in bench.lines:
        there, most = "" if script is None else f"{script:.2f}", "" if target is None else f"≤ {target}"
        print(f"| {case} | {ours:.2f} | {there} | {figure:.2f} | {most} |")
    missed = [case for case, _, _, figure, target in bench.lines if target is not None and figure > target]
    print(f"\nmissed: {', '.join(missed)}" if missed else "")
    return int(given.check and bool(missed))


if __name__ == "__main__":
    sys.exit(main())
