"""Retraining: what the policy launches over a year of drawn errors, and what growing a forest costs and brings.

python benchmarks/policy.py [--data FOLDER] [--check]: see benchmarks/README.md.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import process_time

import pandas as pd
from pandas.tseries.frequencies import to_offset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from panels import SERIES, Series

from mlops_assets.forecasting.decisions import policy, replay
from mlops_assets.forecasting.decisions.evidence import Evidence
from mlops_assets.forecasting.decisions.rules import PolicyRules
from mlops_assets.forecasting.evaluation import metrics
from mlops_assets.forecasting.model import features, fitting, grow
from mlops_assets_tests.drawn_errors import DrawnErrors

SEEDS = range(5)
MONTHLY = PolicyRules(name="monthly", relative=None, scheduled=True, cool_down=0, minimum_new=1)
"""Stands beside the default policy: a refit on each first of a month."""
MONTHS = 12
"""Launches of the monthly schedule in a year, at most."""
MOST_COST = 1 / 3
"""Of a refit, that growing may cost."""
GAPS = {"nyc_departures": 60, "pedestrian_hourly": 24 * 60}
"""Steps between the training of the forest that is grown and the present."""
ORIGINS = 4


def year(seed: int) -> dict[str, float]:
    """Return how many retrainings each policy launches over a year of drawn errors, and the mean error under it."""
    rules, made = PolicyRules(), DrawnErrors(seed=seed)
    threshold = 1.25 * made.base
    policies: dict[str, replay.Policies] = {
        "policy": lambda evidence: policy.decide_all(evidence, [rules]),
        "two policies": lambda evidence: policy.decide_all(_with_tick(evidence), [rules, MONTHLY]),
        "naive": replay.naive_threshold("wql", threshold),
        "always": replay.always(),
        "never": replay.never,
    }
    found = {}
    for name, decide in policies.items():
        play = replay.play(made, decide, "wql")
        found[f"{name} launches"], found[f"{name} error"] = len(play.retrainings), play.summary()["mean"]
        if name == "policy":
            found["policy promoted"] = play.summary()["promoted"]
            found["first answer after the regime change, days"] = _first(play, made.regime or 0)
            found["stopped by futility"] = float((play.days["guard"].tail(30) == "futility").any())
        if name == "two policies":
            asked = play.retrainings
            found["two policies, by schedule"] = int((asked["policy"] == MONTHLY.name).sum())
            found["two policies, at once"] = int(asked.duplicated(["partition"]).sum())
    return found


def _with_tick(evidence: Evidence) -> Evidence:
    """Return what is known with the latest tick of a schedule at midnight of each first of a month."""
    until = evidence.until
    return evidence if until is None else replace(evidence, ticks={MONTHLY.name: until.normalize().replace(day=1)})


def _first(play: replay.Play, day: int) -> float:
    numbers = play.retrainings.index
    return float(numbers[numbers >= day][0] - day + 1)


def ladder(name: str, series: Series, folder: Path) -> pd.DataFrame:
    """Return what each rung of the ladder costs and brings at the latest origins of a panel.

    Refresh is the old forest on new history, and costs a forecast; the others make their rows and train.
    """
    frame, task = series.read(folder), series.task
    task = replace(task, model=replace(task.model, parameters={**task.model.parameters, "n_jobs": 1}))
    offset = to_offset(task.frequency)
    last = frame.loc[frame["target"].notna(), "timestamp"].max()
    seconds, parts = {"refresh": 0.0, "grow": 0.0, "refit": 0.0}, []
    for window in range(ORIGINS):
        origin = last - offset * (task.horizon * (window + 1))
        then = origin - offset * GAPS[name]
        seen = frame[frame["timestamp"] <= origin]
        models = {"refresh": fitting.fit(features.training_rows(frame[frame["timestamp"] <= then], task), task)}
        began = process_time()
        rows = features.training_rows(seen, task)
        made = process_time() - began
        if reason := grow.why_not(models["refresh"], rows, task):
            print(f"{name} until {origin}: cannot be grown: {reason}")
            continue
        for action, fit in {
            "grow": lambda rows=rows, old=models["refresh"], then=then: grow.grow(old, rows, then),
            "refit": lambda rows=rows: fitting.fit(rows, task),
        }.items():
            began = process_time()
            models[action] = fit()
            seconds[action] += made + process_time() - began
        scale = metrics.seasonal_scale(seen, task)
        for action, model in models.items():
            began = process_time()
            table = model.predict(frame, origin).assign(model=action, window=window)
            seconds["refresh"] += (process_time() - began) * (action == "refresh")
            table = table.merge(scale, on="item_id", how="left")
            parts.append(
                table.merge(frame[["item_id", "timestamp", "target"]], on=["item_id", "timestamp"], how="left")
            )
    scores = metrics.score(pd.concat(parts, ignore_index=True), task, ["model"])
    scores["cpu_seconds"] = scores["model"].map(seconds)
    scores["of a refit"] = scores["cpu_seconds"] / seconds["refit"]
    scores.insert(0, "panel", name)
    return scores[["panel", "model", "cpu_seconds", "of a refit", "wql", "mase", "coverage"]]


def main() -> None:
    """Measure and print; with --check, end with 1 where a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with pedestrian_hourly.parquet; else the example alone")
    parser.add_argument("--only", choices=["year", "ladder"], help="one part")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="end with 1 where a promise is missed")
    arguments = parser.parse_args()
    result: dict[str, list[dict[str, object]]] = {}
    good = True
    if arguments.only != "ladder":
        years = pd.DataFrame([year(seed) for seed in SEEDS], index=pd.Index(SEEDS, name="seed"))
        result["year"] = years.reset_index().to_dict("records")  # pyright: ignore[reportArgumentType]
        good &= bool((years["naive launches"] >= 5 * years["policy launches"]).all())
        good &= bool(years["stopped by futility"].all())
        good &= bool(
            (years["two policies, at once"] == 0).all() and (years["two policies, by schedule"] <= MONTHS).all()
        )
        good &= bool((years["two policies error"] <= 1.02 * years["policy error"]).all())
        if not arguments.json:
            print(years.T.to_string(float_format="{:.3f}".format))
    if arguments.only != "year":
        names = [name for name in GAPS if name == "nyc_departures" or arguments.data is not None]
        tables = [ladder(name, SERIES[name], arguments.data or Path()) for name in names]
        table = pd.concat(tables, ignore_index=True)
        result["ladder"] = table.to_dict("records")  # pyright: ignore[reportArgumentType]
        good &= bool((table.loc[table["model"] == "grow", "of a refit"] <= MOST_COST).all())
        if not arguments.json:
            print(table.to_string(index=False, float_format="{:.3f}".format))
    if arguments.json:
        print(json.dumps(result, indent=2))
    sys.exit(arguments.check and not good)


if __name__ == "__main__":
    main()
