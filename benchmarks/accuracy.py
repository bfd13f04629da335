"""How good the engine's forecasts are, and what they cost, beside other forecasters on the same folds and cores.

    python benchmarks/accuracy.py --data FOLDER            # every panel and model that has no result yet
    python benchmarks/accuracy.py --data FOLDER --models ours --again
    python benchmarks/accuracy.py --check                  # print the table, exit code 1 where a target is missed

Each model learns once, from what was known at the first origin, and forecasts from that and later origins,
with what was known then. Each runs in a process of its own. All are scored on the same rows: the items alive
at the origin. Where a model has no forecast for an item, it gets the seasonal naive one, and the share is
shown. Results are kept in a JSON file, one entry per panel and model; what needs more CPU seconds than `--limit`
is ended, and kept as unfinished.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from panels import SERIES  # noqa: E402
from peers import PEERS, peer  # noqa: E402

from mlops_assets.forecasting.evaluation import metrics  # noqa: E402
from mlops_assets.forecasting.model import baselines  # noqa: E402

RESULTS = ROOT / "benchmarks" / "accuracy.json"
SHOWN = ["mase", "smape", "wape", "wql", "coverage"]
FOREST = "mlforecast + forest, best"
WITHIN = 1.01
COVERAGE = (0.76, 0.86)
CHEAPER = 1 / 3
FASTER = 10.0
Results = dict[str, dict[str, dict[str, float]]]


def run(panel: str, model: str, folder: Path) -> dict[str, float]:
    """Fit one model on one panel, forecast from its origins, and score it."""
    import holidays.countries  # noqa: F401  imports are nobody's fitting time
    import sklearn.ensemble  # noqa: F401

    series = SERIES[panel]
    frame = series.read(folder)
    origins = series.origins(frame)
    known = {origin: baselines.alive_items(frame, series.task, origin) for origin in origins}
    forecaster = peer(model, series.task)
    forecaster.fit(frame, origins[0])
    tables, spent = [], 0.0
    for origin in origins:
        started = time.process_time()
        table = forecaster.predict(frame, origin, known[origin])
        spent += time.process_time() - started
        tables.append(table.assign(origin=origin))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    scored, filled = [], 0
    for table in tables:
        origin = table["origin"].iloc[0]
        naive = baselines.seasonal_naive(frame, series.task, origin, known[origin])
        keys = ["item_id", "timestamp"]
        names = ["mean", *series.task.quantile_columns]
        both = naive[["origin", "lead", *keys, *names]].merge(
            table[[*keys, *names]], on=keys, how="left", suffixes=("_naive", "")
        )
        filled += int(both["mean"].isna().sum())
        for name in names:
            both[name] = both[name].fillna(both[f"{name}_naive"])
        seen = frame.loc[frame["timestamp"] <= origin]
        scored.append(
            both.merge(metrics.seasonal_scale(seen, series.task), on="item_id").merge(frame[[*keys, "target"]], on=keys)
        )
    predictions = pd.concat(scored, ignore_index=True)
    scores = metrics.score(predictions, series.task).iloc[0]
    return {
        **{name: round(float(scores[name]), 5) for name in [*metrics.METRICS, "rows"]},
        **{name: round(value, 3) for name, value in forecaster.seconds.items()},
        "predict": round(spent, 3),
        "filled": round(filled / sum(map(len, scored)), 4),
        "peak_mb": round(peak),
    }


def measure(arguments: argparse.Namespace) -> Results:
    """Run what has no result yet, or what is asked for again, each in a process of its own."""
    results = read(arguments.results)
    for panel in arguments.panels:
        for model in arguments.models:
            if model in results.get(panel, {}) and not arguments.again:
                continue
            started = time.monotonic()
            entry = in_own_process(panel, model, arguments.data, arguments.limit)
            if entry is None:
                continue
            results = read(arguments.results)  # others may have written meanwhile
            results.setdefault(panel, {})[model] = entry
            arguments.results.write_text(json.dumps(results, indent=1) + "\n")
            print(f"{panel}: {model}, {time.monotonic() - started:.0f} s", entry, file=sys.stderr)
    return results


def read(path: Path) -> Results:
    """Return the results so far."""
    return json.loads(path.read_text()) if path.exists() else {}


def in_own_process(panel: str, model: str, folder: Path, limit: int | None) -> dict[str, float] | None:
    """Return what `run` finds, or `unfinished` and the limit where it takes longer; None where it fails."""
    command = [sys.executable, __file__, "--data", str(folder), "--one", panel, model]
    command += [] if limit is None else ["--limit", str(limit)]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_WAIT_POLICY": "PASSIVE"}
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if limit is not None and answer.returncode == -signal.SIGXCPU:
        return {"unfinished": limit}
    if answer.returncode:
        print(f"{panel}: {model} failed, exit code {answer.returncode}", file=sys.stderr)
        return None
    return json.loads(answer.stdout.splitlines()[-1])


def finished(models: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Leave out what was ended before it had a result."""
    return {model: entry for model, entry in models.items() if "unfinished" not in entry}


def table(results: Results) -> str:
    """All results as Markdown, the best two metrics of each panel in bold."""
    lines = []
    for panel, models in results.items():
        done = finished(models)
        if not done:
            continue
        best = {name: min(entry[name] for entry in done.values()) for name in ("mase", "wql")}
        rows = next(iter(done.values()))["rows"]
        lines += [
            f"\n**{panel}** ({SERIES[panel].windows} origins, {rows:,.0f} forecasts)\n",
            "| model | MASE | sMAPE | WAPE | wQL | coverage | fit s | calibrate s | predict s | peak MB | filled |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for model in (name for name in PEERS if name in models):
            entry = models[model]
            if model not in done:
                lines.append(f"| {model} | not finished in {entry['unfinished']:,.0f} CPU seconds{' |' * 10}")
                continue
            shown = [f"**{entry[n]:.4f}**" if entry[n] == best.get(n) else f"{entry[n]:.4f}" for n in SHOWN[:-1]]
            costs = [f"{entry.get(n, 0.0):.2f}" for n in ("fit", "calibrate", "predict")]
            lines.append(
                f"| {model} | {' | '.join(shown)} | {entry['coverage']:.2f} | {' | '.join(costs)} "
                f"| {entry['peak_mb']:.0f} | {entry['filled']:.0%} |"
            )
    return "\n".join(lines)


def verdict(results: Results) -> tuple[str, bool]:
    """The promises, panel by panel, and whether all are kept."""
    lines = [
        "\n| panel | MASE / best | wQL / best | coverage | fit + predict / forest | recursive predict / ours |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    kept = True
    ranks: dict[str, list[float]] = {}
    for panel, models in ((name, finished(entries)) for name, entries in results.items()):
        if "ours" not in models:
            continue
        ours = models["ours"]
        ratios = [ours[name] / min(entry[name] for entry in models.values()) for name in ("mase", "wql")]
        for name in ("mase", "wql"):
            for model, rank in pd.Series({m: e[name] for m, e in models.items()}).rank().items():
                ranks.setdefault(str(model), []).append(float(rank))
        shown = [f"{ratio:.3f}" for ratio in ratios] + [f"{ours['coverage']:.2f}"]
        good = [ratio <= WITHIN for ratio in ratios] + [COVERAGE[0] <= ours["coverage"] <= COVERAGE[1]]
        if FOREST in models:
            rival = models[FOREST]
            cost = (ours["fit"] + ours["predict"]) / (rival["fit"] + rival["predict"])
            shown += [f"{cost:.2f}", f"{rival['predict'] / ours['predict']:.0f}"]
            good += [cost <= CHEAPER, rival["predict"] / ours["predict"] >= FASTER]
        kept &= all(good)
        cells = [value if fine else f"{value} ✗" for value, fine in zip(shown, good, strict=True)]
        lines.append(f"| {panel} | {' | '.join(cells)} |")
    average = {model: sum(values) / len(values) for model, values in ranks.items()}
    order = sorted(average, key=lambda model: average[model])
    lines.append("\nAverage rank over MASE and wQL: " + ", ".join(f"{model} {average[model]:.2f}" for model in order))
    return "\n".join(lines), kept and bool(order) and order[0] == "ours"


def main() -> int:
    """Measure, print the tables, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MLOPS_BENCHMARK_DATA"), help="folder of series")
    parser.add_argument("--panels", nargs="+", choices=list(SERIES), default=list(SERIES))
    parser.add_argument("--models", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--again", action="store_true", help="measure what has a result, too")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file that keeps the results")
    parser.add_argument("--limit", type=int, help="CPU seconds for one model on one panel; no limit by default")
    parser.add_argument("--check", action="store_true", help="measure nothing; exit code 1 where a target is missed")
    parser.add_argument("--one", nargs=2, metavar=("PANEL", "MODEL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        if arguments.limit:
            resource.setrlimit(resource.RLIMIT_CPU, (arguments.limit, resource.RLIM_INFINITY))
        print(json.dumps(run(arguments.one[0], arguments.one[1], arguments.data or Path())))
        return 0
    if arguments.data is None:
        arguments.panels = [name for name in arguments.panels if name == "nyc_departures"]
        arguments.data = Path()
    results = read(arguments.results) if arguments.check else measure(arguments)
    promises, kept = verdict(results)
    print(table(results), promises, sep="\n")
    return int(arguments.check and not kept)


if __name__ == "__main__":
    sys.exit(main())
