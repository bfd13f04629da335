"""What it costs to start: loading the code location against importing its two unavoidable libraries.

    python benchmarks/startup.py                 # prints the figures
    python benchmarks/startup.py --check         # and fails above a target
    python benchmarks/startup.py --data data     # and those of commands that read, on what `make demo` has written

Dagster loads the code location anew in every process it starts, so its cost is paid by each run (and, with
the multiprocess executor, by each step). Measured are fresh Python processes, user and system time of the
child, in turn, so that a busy machine disturbs all cases alike.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = 1.6
BASE = "import dagster, pandas"
LOADED = "the code location, loaded"
CASES = {
    BASE: BASE,
    "the code location, imported": "import mlops_assets.definitions",
    LOADED: "from mlops_assets.definitions import definitions; definitions().get_repository_def()",
}
COMMANDS = {
    "--help": None,
    "list": 0.8,
    "status": 1.5,
    "status nyc_departures": 1.5,
    "show nyc_departures --item EWR/UA": 1.2,
    "history nyc_departures": None,
    "check": 3.0,
}
"""Commands that only look, and the most CPU seconds that each may take."""


def cpu_seconds(words: list[str], data: str, folder: str) -> float:
    """Run a fresh interpreter and return the user and system time it took.

    Raises:
        SystemExit: it failed; its own error is on the terminal.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "DAGSTER_"))}
    environment |= {"MLOPS_ENV": "local", "MLOPS_DATA": data, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment["MLOPS_FORECASTS"] = str(ROOT / "mlops_assets" / "forecasts")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    told = [sys.executable, "-W", "ignore", *words]
    process = subprocess.Popen(told, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"`{' '.join(words)}` ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(repetitions: int, data: Path | None) -> dict[str, list[float]]:
    """Return each case's CPU seconds, one per repetition; an unmeasured first round warms the caches."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {name: (["-c", code], folder) for name, code in CASES.items()}
        if data is not None:
            cases |= {name: (["-m", "mlops_assets", *name.split()], str(data.resolve())) for name in COMMANDS}
        spent: dict[str, list[float]] = {name: [] for name in cases}
        for repetition in range(repetitions + 1):
            for name, (words, place) in cases.items():
                seconds = cpu_seconds(words, place, folder)
                if repetition:
                    spent[name].append(seconds)
    return spent


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="CPU seconds to load the code location, against its libraries.")
    parser.add_argument("--repetitions", type=int, default=5, help="measured processes per case (default 5)")
    parser.add_argument("--data", type=Path, help="data folder that reading commands are measured on")
    parser.add_argument("--check", action="store_true", help="exit code 1 above a target")
    arguments = parser.parse_args()

    spent = measure(arguments.repetitions, arguments.data)
    base = statistics.median(spent[BASE])
    above = []
    print(f"{'CPU seconds of a fresh process':<36}{'median':>8}{'lowest':>8}{'highest':>9}{'ratio':>7}{'target':>8}")
    for name, seconds in spent.items():
        middle, most = statistics.median(seconds), TARGET * base if name == LOADED else COMMANDS.get(name)
        figures = f"{middle:8.2f}{min(seconds):8.2f}{max(seconds):9.2f}{middle / base:7.2f}"
        print(f"{name:<36}{figures}{'' if most is None else f'{most:8.2f}'}")
        above += [name] if most is not None and middle > most else []
    print(f"\nthe code location may take {TARGET} times `{BASE}`" + (f"; above: {', '.join(above)}" if above else ""))
    return int(arguments.check and bool(above))


if __name__ == "__main__":
    sys.exit(main())
