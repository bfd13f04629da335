"""What lags and rolling windows cost: ours against coreforecast's compiled kernels, on one core.

    python benchmarks/features.py            # 10 million rows, 20 features
    python benchmarks/features.py --check    # and fails above a target

Ours is `forecasting.rolling.Rolling`, in NumPy, over blocks of whole series that fit into the processor's cache. Both
fill the same float32 matrix of ten lags, six means and four deviations, each in a process of its own; the least CPU
time of some repetitions counts, and the peak memory over that of a process with the series and nothing else.
"""

# The peers come with the extra `benchmarks` only.
# pyright: reportMissingImports=false

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mlops_assets.forecasting.model.rolling import Rolling  # noqa: E402

STEPS = 1000
LAGS = (*range(1, 9), 14, 28)
MEANS = (2, 4, 7, 14, 28, 56)
DEVIATIONS = (4, 7, 14, 28)
FEATURES = len(LAGS) + len(MEANS) + len(DEVIATIONS)
PAD = max(*MEANS, *LAGS) + 1
BLOCK = 32
"""Series at once."""
SLOWER, LARGER = 2.5, 2.2


def series(rows: int) -> np.ndarray:
    """Random walks of `STEPS` steps behind one another, float32."""
    random = np.random.default_rng(0)
    steps = random.normal(size=(rows // STEPS, STEPS)).astype(np.float32)
    return np.cumsum(steps, axis=1, dtype=np.float32).ravel() / np.float32(10)


def nothing(values: np.ndarray) -> np.ndarray:
    """Make no feature: what a process with the series takes."""
    return values[:0]


def copy(values: np.ndarray) -> np.ndarray:
    """Fill the matrix with the series themselves: what cannot be gone below."""
    matrix = np.empty((FEATURES, len(values)), dtype=np.float32)
    matrix[:] = values
    return matrix


def ours(values: np.ndarray) -> np.ndarray:
    """Features of the value before each row, windows ending there, from our kernels."""
    matrix = np.empty((FEATURES, len(values)), dtype=np.float32)
    padded = np.full((BLOCK, PAD + STEPS), np.nan)
    whole = np.arange(BLOCK * (PAD + STEPS)).reshape(BLOCK, -1)[:, PAD:].ravel()
    first, last = int(whole[0]), int(whole[-1]) + 1
    for start in range(0, len(values), BLOCK * STEPS):
        part = values[start : start + BLOCK * STEPS].reshape(-1, STEPS)
        padded[: len(part), PAD:] = part
        rolling = Rolling(padded.ravel(), np.arange(BLOCK + 1) * (PAD + STEPS))
        out = matrix[:, start : start + part.size].reshape(FEATURES, len(part), STEPS)
        number = 0
        # Windows end one step before the row.
        before = slice(first - 1, last - 1)
        for lag in LAGS:
            out[number] = padded[: len(part), PAD - lag : PAD + STEPS - lag]
            number += 1
        for found in (rolling.mean(before, window) for window in MEANS):
            out[number] = _series(found)[: len(part)]
            number += 1
        for found in (rolling.deviation(before, window) for window in DEVIATIONS):
            out[number] = _series(found)[: len(part)]
            number += 1
    return matrix


def _series(found: np.ndarray) -> np.ndarray:
    """The cells of a block from its first row to its last one, without the padding between series."""
    stride = found.itemsize
    return np.lib.stride_tricks.as_strided(found, (BLOCK, STEPS), ((PAD + STEPS) * stride, stride), writeable=False)


def theirs(values: np.ndarray) -> np.ndarray:
    """Make the same features with coreforecast."""
    from coreforecast import lag_transforms
    from coreforecast.grouped_array import GroupedArray

    matrix = np.empty((FEATURES, len(values)), dtype=np.float32)
    grouped = GroupedArray(values, np.arange(0, len(values) + 1, STEPS, dtype=np.int32), num_threads=1)
    kernels = [
        *(lag_transforms.Lag(lag) for lag in LAGS),
        *(lag_transforms.RollingMean(1, window, min_samples=1) for window in MEANS),
        *(lag_transforms.RollingStd(1, window, min_samples=2) for window in DEVIATIONS),
    ]
    for number, kernel in enumerate(kernels):
        matrix[number] = kernel.transform(grouped)
    return matrix


CASES = {"nothing": nothing, "copy": copy, "ours": ours, "theirs": theirs}


def measure(case: str, rows: int, repetitions: int) -> dict[str, float]:
    """Least CPU seconds of some repetitions, and the peak memory in MB, of this process."""
    import resource

    values = series(rows)
    seconds = []
    for _ in range(repetitions):
        started = time.process_time()
        matrix = CASES[case](values)
        seconds.append(time.process_time() - started)
        del matrix
    return {"seconds": min(seconds), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--check", action="store_true", help="exit code 1 above a target")
    parser.add_argument("--one", choices=list(CASES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.rows, arguments.repetitions)))
        return 0
    rows = arguments.rows // (BLOCK * STEPS) * BLOCK * STEPS
    some = series(STEPS * BLOCK)
    # The deviation of a sample is the population's times a constant that follows from the number of values.
    ours_, theirs_ = ours(some).reshape(FEATURES, -1, STEPS), theirs(some).reshape(FEATURES, -1, STEPS)
    np.testing.assert_allclose(ours_[: -len(DEVIATIONS), :, 60:], theirs_[: -len(DEVIATIONS), :, 60:], atol=1e-3)
    for number, window in enumerate(DEVIATIONS, FEATURES - len(DEVIATIONS)):
        sample = ours_[number, :, 60:] * np.sqrt(window / (window - 1))
        np.testing.assert_allclose(sample, theirs_[number, :, 60:], atol=1e-2)
    found = {}
    for case in CASES:
        command = [sys.executable, __file__, "--one", case, "--rows", str(rows)]
        command += ["--repetitions", str(arguments.repetitions)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found[case] = json.loads(answer.stdout)
    size = rows * FEATURES * 4 / (1 << 20)
    print(f"{rows:,} rows x {FEATURES} features, a matrix of {size:,.0f} MB\n")
    print("| | CPU s | peak / matrix |\n|---|---:|---:|")
    larger = {case: (entry["peak"] - found["nothing"]["peak"]) / size for case, entry in found.items()}
    for case in ("copy", "ours", "theirs"):
        name = {"copy": "bare copy", "theirs": "coreforecast"}.get(case, case)
        print(f"| {name} | {found[case]['seconds']:.2f} | {larger[case]:.2f} |")
    slower = found["ours"]["seconds"] / found["theirs"]["seconds"]
    print(f"\nours / coreforecast: {slower:.2f} (at most {SLOWER}); memory {larger['ours']:.2f} (at most {LARGER})")
    return int(arguments.check and (slower > SLOWER or larger["ours"] > LARGER))


if __name__ == "__main__":
    sys.exit(main())
