"""The newest window beside those of the training: which features have drifted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.panel import TARGET
from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.monitoring.drift.features import BACK, Feature, ItemSet, Missing, Values, cells, of_target
from mlops_assets.forecasting.monitoring.drift.windows import Sheet, cut


@dataclass(frozen=True)
class DriftRules:
    """When a feature has drifted: all of it must hold.

    Attributes:
        alarms: probability of any alarm in a window with nothing wrong, shared out among the features (Bonferroni).
        psi: least population stability index worth a word.
        rank: share of the reference's windows that must lie nearer: one odd week in thirty does not hide the next one.
    """

    alarms: float = 0.05
    psi: float = 0.1
    rank: float = 0.97


RULES = DriftRules()


@dataclass(frozen=True)
class DriftResult:
    """What was found in one window.

    Attributes:
        table: a row for each feature, the most unlikely first: see `detect`.
        new: items of the window that were not in the reference.
        vanished: items of the reference's last windows that are not in this one.
        first: first timestamp of the window.
        windows: number of windows of the reference.
        since: first timestamp of the reference, or None without one.
        until: last timestamp of the reference, or None without one.
    """

    table: pd.DataFrame
    new: list[str]
    vanished: list[str]
    first: pd.Timestamp
    windows: int
    since: pd.Timestamp | None
    until: pd.Timestamp | None


def detect(
    sheet: Sheet,
    task: Task,
    end: pd.Timestamp,
    until: pd.Timestamp | None = None,
    least: int = 1,
    rules: DriftRules = RULES,
) -> DriftResult:
    """Hold the window that ends at `end` against the windows of the same season slots until `until`.

    Features, by `feature` and `kind`:

    - target, shape: values over their item's level in the window, less the item's mean of that slot of the season;
    - target, level: change of the items' levels (in logarithms, if nothing is negative) against the last window of the
      training, at most `BACK` windows before, beside the changes over as many windows within the training;
    - target, missing: absent values of items that report in the window, as 0 and 1;
    - items, set: items that came or went against that same window, as 0 and 1;
    - each covariate, values; and missing, where any is.

    `psi` is the population stability index over ten classes of equal share of the reference (Siddiqi 2006, "Credit Risk
    Scorecards"), half a row added to each class; `usual_psi` its median over the windows of the reference, each against
    the others. `statistic` is the Wasserstein distance, the area between two distribution functions: how far values
    have moved on average. It is measured in standard deviations of the reference, beyond one of them in its logarithm;
    for 0 and 1 it is the difference of the shares. Unlike the statistic of Kolmogorov and Smirnov it does not end at 1.
    Its `p_value` holds it against the same distance of each window of the reference from the others: cube roots of
    distances (of shares: of their squares) are nearly normal, as those of chi square are (Wilson and Hilferty 1931), so
    the newest one gets Student's prediction interval. `farthest` is the quantile `rules.rank` of those distances.

    Args:
        sheet: the observations.
        task: seasons and frequency.
        end: last timestamp of the window.
        until: last timestamp that the model has learnt from; None: all before the window. What lies in the window
            itself is never reference.
        least: steps of a window at least, such as those of a partition.
        rules: when a feature has drifted.

    Returns:
        A table with the columns feature, kind, psi, usual_psi, statistic, farthest, p_value, rows, reference_rows,
        drifted, drift (psi above the usual where drifted, else 0) and explanation; and the items that came and went.

    Raises:
        ValueError: the sheet has no window before this one.
    """
    windows, ends, learnt = cut(sheet, task, end, until, least)
    steps = ends[:, None] + np.arange(1 - windows.length, 1)
    target, row = sheet.target[:, steps], sheet.row[:, steps]
    seen: np.ndarray = np.any(row & ~np.isnan(target), axis=2)
    base = seen[:, min(learnt, BACK)] if seen.shape[1] > min(learnt, BACK) else np.zeros(len(seen), dtype=bool)
    ever = np.any(seen[:, learnt:], axis=1)
    came, went, new = (
        list(map(str, sheet.items[chosen])) for chosen in (seen[:, 0] & ~base, base & ~seen[:, 0], seen[:, 0] & ~ever)
    )
    features = [
        *of_target(target, learnt),
        Missing(TARGET, cells(_absent(sheet, steps, seen)), learnt),
        ItemSet("items", _changes(seen, learnt), learnt, came, went),
        *_of_covariates(sheet, steps, learnt),
    ]
    reference = steps[learnt:]
    return DriftResult(
        _table(features, rules),
        new,
        went,
        sheet.grid[steps[0, 0]],
        len(reference),
        sheet.grid[reference[-1, 0]] if len(reference) else None,
        sheet.grid[reference[0, -1]] if len(reference) else None,
    )


def _absent(sheet: Sheet, steps: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Whether targets are missing, of items that report in the window and have begun: (items, windows, steps)."""
    first_row = np.where(sheet.row.any(axis=1), sheet.row.argmax(axis=1), len(sheet.grid))
    expected = seen[:, :, None] & (steps[None] >= first_row[:, None, None])
    return np.where(expected, np.isnan(sheet.target[:, steps]), np.nan)


def _changes(seen: np.ndarray, learnt: int) -> np.ndarray:
    """Whether items came or went, shape (windows, items)."""
    before = seen[:, min(learnt, BACK) :]
    now = seen[:, : before.shape[1]]
    return np.where(before | now, before != now, np.nan).T


def _of_covariates(sheet: Sheet, steps: np.ndarray, learnt: int) -> list[Feature]:
    found: list[Feature] = []
    for name, values in sheet.covariates.items():
        inside = values[:, steps]
        found.append(Values(name, cells(inside), learnt))
        absent = np.where(sheet.row[:, steps], np.isnan(inside), np.nan)
        if np.nansum(absent) > 0:
            found.append(Missing(name, cells(absent), learnt))
    return found


def _table(features: list[Feature], rules: DriftRules) -> pd.DataFrame:
    """Judge the features, the most unlikely first."""
    table = pd.DataFrame([feature.judge(rules.rank) for feature in features])
    unlikely = table["p_value"] < rules.alarms / max(1, table["p_value"].notna().sum())
    table["drifted"] = unlikely & (table["psi"] >= rules.psi) & (table["statistic"] > table["farthest"])
    table["drift"] = np.where(table["drifted"], np.maximum(table["psi"] - table["usual_psi"], 0.0), 0.0)
    table["explanation"] = [f.explain(bool(drifted)) for f, drifted in zip(features, table["drifted"], strict=True)]
    return table.sort_values(["drifted", "p_value"], ascending=[False, True], kind="stable", ignore_index=True)
