"""How good the engine's forecasts are, and what they cost, beside other forecasters on the same folds and cores.

    python benchmarks/accuracy.py                          # the example and made-up panels that have no result yet
    python benchmarks/accuracy.py --data FOLDER            # and real series in a folder
    python benchmarks/accuracy.py --data FOLDER --models ours --again
    python benchmarks/accuracy.py --check                  # print the table, exit code 1 where a target is missed

Each model learns once, from what was known at the first origin, and forecasts from that and later origins,
with what was known then. Each runs in a process of its own. All are scored on the same rows: the items alive
at the origin. Where a model has no forecast for an item, it gets the seasonal naive one, and the share is
shown. Ours is measured with three seeds, and their mean kept. Results are kept in a JSON file, one entry per panel
and model; what needs more CPU seconds than `--limit` is ended, and kept as unfinished.
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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from panels import SERIES, Series  # noqa: E402
from peers import PEERS  # noqa: E402
from statistical import STATISTICAL  # noqa: E402

from mlops_assets.forecasting.evaluation import metrics  # noqa: E402
from mlops_assets.forecasting.model import baselines  # noqa: E402

RESULTS = ROOT / "benchmarks" / "accuracy.json"
SHOWN = ["mase", "smape", "wape", "wql", "coverage"]
PICTURE = ROOT / "benchmarks" / "accuracy.svg"
MODELS = {**PEERS, **STATISTICAL}
OURS, AUTO = "ours", "ours, auto"
"""The engine's default, and what `kind: auto` makes of all its kinds."""
FOREST = "mlforecast + forest, best"
SHOWN_AS_ONE = "seasonal naive"
"""What the picture measures the others by."""
SEEDS = (0, 1, 2)
MOST = 1.03
"""Of the best peer's MASE, on any panel."""
MEAN = {"mase": 0.90, "wql": 0.88}
"""Geometric means over panels of the same."""
MEAN_OF_AUTO = 0.87
"""Geometric mean over panels of MASE with `kind: auto`."""
COVERAGE = (0.76, 0.88)
CHEAPER = 1 / 3
Results = dict[str, dict[str, dict[str, float]]]


def run(panel: str, model: str, folder: Path) -> dict[str, float]:
    """Fit one model on one panel, forecast from its origins, and score it: ours is the mean of several seeds."""
    import holidays.countries  # noqa: F401  imports are nobody's fitting time
    import sklearn.ensemble  # noqa: F401

    series = SERIES[panel]
    frame = series.read(folder)
    seeds = SEEDS if model == OURS else SEEDS[:1]
    tasks = [replace(series.task, model=replace(series.task.model, seed=seed)) for seed in seeds]
    found = pd.DataFrame([_run(series, frame, MODELS[model](task)) for task in tasks]).mean()
    return {str(name): round(float(value), 5) for name, value in found.items()}


def _run(series: Series, frame: pd.DataFrame, forecaster: Any) -> dict[str, float]:
    origins = series.origins(frame)
    known = {origin: baselines.alive_items(frame, series.task, origin) for origin in origins}
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
        **{name: float(scores[name]) for name in [*metrics.METRICS, "rows"]},
        **forecaster.seconds,
        "predict": spent,
        "filled": filled / sum(map(len, scored)),
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
        for model in (name for name in MODELS if name in models):
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


def others(models: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Leave out ours."""
    return {model: entry for model, entry in models.items() if model not in (OURS, AUTO)}


def of_best(models: dict[str, dict[str, float]], ours: str) -> dict[str, float]:
    """MASE and wQL of one of ours, of the best of the others."""
    return {name: models[ours][name] / min(entry[name] for entry in others(models).values()) for name in MEAN}


def mean_of(ratios: list[dict[str, float]]) -> dict[str, float]:
    """Geometric means over panels."""
    return {name: float(np.exp(np.mean([np.log(ratio[name]) for ratio in ratios]))) for name in MEAN}


def verdict(results: Results) -> tuple[str, bool]:
    """The promises, panel by panel and over all, and whether they are kept."""
    lines = [
        "\n| panel | best other | MASE / best | wQL / best | coverage | fit + predict / forest | auto: MASE | wQL |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    kept, ratios, of_auto = True, [], []
    for panel, models in ((name, finished(entries)) for name, entries in results.items()):
        if OURS not in models or not others(models):
            continue
        ours, ratio = models[OURS], of_best(models, OURS)
        ratios.append(ratio)
        best = min(others(models), key=lambda model: models[model]["mase"])
        shown = [f"{ratio['mase']:.3f}", f"{ratio['wql']:.3f}", f"{ours['coverage']:.2f}"]
        covered = SERIES[panel].intermittent or COVERAGE[0] <= ours["coverage"] <= COVERAGE[1]
        good = [ratio["mase"] <= MOST, True, covered]
        if FOREST in models:
            rival = models[FOREST]
            cost = (ours["fit"] + ours["predict"]) / (rival["fit"] + rival["predict"])
            shown.append(f"{cost:.2f}")
            good.append(cost <= CHEAPER)
        kept &= all(good)
        cells = [value if fine else f"{value} ✗" for value, fine in zip(shown, good, strict=True)]
        cells += [""] * (4 - len(cells))
        if AUTO in models:
            of_auto.append(of_best(models, AUTO))
            cells += [f"{of_auto[-1][name]:.3f}" for name in MEAN]
        lines.append(f"| {panel} | {best} | {' | '.join([*cells, *[''] * (6 - len(cells))])} |")
    if ratios:
        means = mean_of(ratios)
        kept &= all(means[name] <= most for name, most in MEAN.items())
        told = ", ".join(f"{name.upper()} {mean:.3f} (at most {MEAN[name]:.2f})" for name, mean in means.items())
        lines.append(f"\nGeometric means over {len(ratios)} panels, of the best other: {told}")
    if of_auto:
        means = mean_of(of_auto)
        kept &= means["mase"] <= MEAN_OF_AUTO
        told = f"MASE {means['mase']:.3f} (at most {MEAN_OF_AUTO:.2f}), WQL {means['wql']:.3f}"
        lines.append(f"\nThe same with `kind: auto` over {len(of_auto)} panels: {told}")
    return "\n".join(lines), kept and bool(ratios)


def draw(results: Results, path: Path) -> None:
    """Picture of every model's MASE on every panel, relative to seasonal naive; ours in red, with `auto` open."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    told = {panel: done for panel, models in results.items() if {OURS, SHOWN_AS_ONE} <= {*(done := finished(models))}}
    with rc_context({"svg.hashsalt": "accuracy", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 0.36 * len(told) + 1.2), layout="constrained")
        axes = figure.subplots()
        for place, models in enumerate(told.values()):
            floor = models["seasonal naive"]["mase"]
            rivals = [entry["mase"] / floor for model, entry in others(models).items() if model != SHOWN_AS_ONE]
            axes.plot(rivals, [place] * len(rivals), "o", color="0.6", markersize=5)
            axes.plot(models[OURS]["mase"] / floor, place, "D", color="tab:red", markersize=7)
            if AUTO in models:
                axes.plot(models[AUTO]["mase"] / floor, place, "D", color="tab:red", markersize=7, fillstyle="none")
        axes.axvline(1.0, color="0.3", linewidth=0.8)
        axes.set(xlim=(0.25, 1.5), yticks=range(len(told)), yticklabels=[*told])
        axes.set_xlabel("MASE of seasonal naive's: the engine (red; open: auto), others (grey); lower is better")
        axes.invert_yaxis()
        axes.grid(alpha=0.3)
        figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Measure, print the tables, return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MLOPS_BENCHMARK_DATA"), help="folder of series")
    parser.add_argument("--panels", nargs="+", choices=list(SERIES), default=list(SERIES))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--again", action="store_true", help="measure what has a result, too")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON file that keeps the results")
    parser.add_argument("--picture", type=Path, default=PICTURE, help="SVG file that shows the results")
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
        arguments.panels = [name for name in arguments.panels if SERIES[name].alone]
        arguments.data = Path()
    results = read(arguments.results) if arguments.check else measure(arguments)
    promises, kept = verdict(results)
    print(table(results), promises, sep="\n")
    if results:
        draw(results, arguments.picture)
    return int(arguments.check and not kept)


if __name__ == "__main__":
    sys.exit(main())
