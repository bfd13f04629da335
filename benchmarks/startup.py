"""What it costs to start: loading the code location against importing its two unavoidable libraries.

    python benchmarks/startup.py            # prints the figures
    python benchmarks/startup.py --check    # and fails above the target

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


def cpu_seconds(code: str, folder: str) -> float:
    """Run the code in a fresh interpreter and return the user and system time it took.

    Raises:
        SystemExit: the code failed; its own error is on the terminal.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "DAGSTER_"))}
    environment |= {"MLOPS_ENV": "local", "MLOPS_DATA": folder, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], cwd=folder, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"`{code}` ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(repetitions: int) -> dict[str, list[float]]:
    """Return each case's CPU seconds, one per repetition; an unmeasured first round warms the caches."""
    spent: dict[str, list[float]] = {name: [] for name in CASES}
    with tempfile.TemporaryDirectory() as folder:
        for repetition in range(repetitions + 1):
            for name, code in CASES.items():
                seconds = cpu_seconds(code, folder)
                if repetition:
                    spent[name].append(seconds)
    return spent


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description="CPU seconds to load the code location, against its libraries.")
    parser.add_argument("--repetitions", type=int, default=5, help="measured processes per case (default 5)")
    parser.add_argument("--check", action="store_true", help=f"exit code 1 if the ratio is above {TARGET}")
    arguments = parser.parse_args()

    spent = measure(arguments.repetitions)
    base = statistics.median(spent[BASE])
    print(f"{'CPU seconds of a fresh process':<32}{'median':>8}{'lowest':>8}{'highest':>9}{'ratio':>7}")
    for name, seconds in spent.items():
        middle = statistics.median(seconds)
        print(f"{name:<32}{middle:8.2f}{min(seconds):8.2f}{max(seconds):9.2f}{middle / base:7.2f}")
    ratio = statistics.median(spent[LOADED]) / base
    print(f"\n{LOADED}: {ratio:.2f} times `{BASE}`; target: at most {TARGET}")
    return int(arguments.check and ratio > TARGET)


if __name__ == "__main__":
    sys.exit(main())
