"""Drift: whether the newest window of the data is unlike the windows that the model was trained on.

A window of seasonal, autocorrelated data always differs from the pooled training data, by any textbook test: a week of
December is colder than the year. What is asked here is whether it differs *more than the windows of the training differ
among themselves*. So the reference is cut into windows that lie whole seasons before the newest one (the same slots of
the season in each), every window is held against the others, and the newest one's distance against those distances.
No assumption on the dependence within a window is needed, and many rows do not make a small difference significant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.forecasting.model.panel import ITEM, TARGET, TIME, numbers, positions, regular_grid
from mlops_assets.forecasting.model.scaling import squash
from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.words import some

WINDOWS, YEARS = 53, 10
"""Windows of the reference at most; where the season is a year, so many years."""
UNSEASONAL = 7
"""Steps of a window where there is no season."""
ENOUGH, MINIMUM = 8, 4
"""Windows that a season length should have, else a shorter one is taken; with fewer than the minimum none judges."""
BACK = 4
"""Windows that levels and sets of items are compared over at most: both wander, and the model follows them."""
CELLS = 1_000_000
"""Items by steps that are looked at; of a larger panel, evenly spread items."""
POINTS, CLASSES = 200, 10
"""Resolution of the distance, and of the population stability index."""
LEAST, LEAST_SHARE = 0.1, 0.02
"""Least spread of distances to the power that is taken: where nothing ever moved, a trifle is no alarm."""


@dataclass(frozen=True)
class Rules:
    """When a feature has drifted: all of it must hold.

    Attributes:
        alarms: probability of any alarm in a window with nothing wrong, shared out among the features (Bonferroni).
        psi: least population stability index worth a word.
        rank: share of the reference's windows that must lie nearer: one odd week in thirty does not hide the next one.
    """

    alarms: float = 0.05
    psi: float = 0.1
    rank: float = 0.97


RULES = Rules()


@dataclass(frozen=True)
class Windows:
    """Where windows lie: `length` steps each, `stride` steps from one end to the next."""

    length: int
    stride: int

    @classmethod
    def of_season(cls, season: int, frequency: str, least: int = 1) -> Windows:
        """Return whole seasons, at least so many steps; of a season longer than a month, the same quarter of each."""
        if is_long(season, frequency):
            return cls(max(2, season // 4, least), season)
        steps = season if season > 1 else UNSEASONAL
        length = steps * -(-least // steps)
        return cls(length, length)


@cache
def is_long(season: int, frequency: str) -> bool:
    """Whether a season is longer than a month."""
    start = pd.Timestamp("2001-01-01")
    return season > 1 and steps_after(start, season, frequency)[-1] - start > pd.Timedelta(days=32)


def reach(task: Task, least: int = 1) -> int:
    """Steps of history that are looked at, the newest window included."""
    steps = []
    for season in task.season_lengths:
        windows = Windows.of_season(season, task.frequency, least)
        steps.append(windows.length + windows.stride * _most(season, task.frequency))
    return max(steps)


def _most(season: int, frequency: str) -> int:
    return YEARS if is_long(season, frequency) else WINDOWS


@dataclass(frozen=True)
class Sheet:
    """A panel as items by steps.

    Attributes:
        items: ids, sorted, shape (items,).
        of: number of items of the panel, of which these are some or all.
        grid: the timestamps, shape (steps,).
        row: whether there is a row, shape (items, steps).
        target: NaN where missing.
        covariates: known and past ones, name -> shape (items, steps).
    """

    items: np.ndarray
    of: int
    grid: pd.DatetimeIndex
    row: np.ndarray
    target: np.ndarray
    covariates: dict[str, np.ndarray]


def lay_out(frame: pd.DataFrame, task: Task, end: pd.Timestamp, zero: bool = False) -> Sheet:
    """Lay a canonical long table out.

    Args:
        frame: rows in any order; those after the end are not looked at.
        task: names covariates and frequency.
        end: last timestamp, whether there is a row or not.
        zero: an absent row of an item that has begun means 0.

    Raises:
        ValueError: no rows, or timestamps off the grid.
    """
    frame = frame.loc[(frame[TIME] <= end).to_numpy()]
    if frame.empty:
        raise ValueError(f"there are no observations up to {end}")
    times = frame[TIME].to_numpy("datetime64[us]")
    grid = regular_grid(times.min(), end.to_datetime64(), 0, task.frequency)
    code, items = pd.factorize(frame[ITEM], sort=True)
    of = len(items)
    most = max(1, CELLS // len(grid))
    if of > most:
        chosen = np.unique(np.linspace(0, of - 1, most).astype(np.int64))
        place = np.full(of, -1)
        place[chosen] = np.arange(len(chosen))
        kept = place[code] >= 0
        frame, code, items, times = frame.loc[kept], place[code][kept], items[chosen], times[kept]
    cell = (code, positions(times, grid, task.frequency))

    def sheet(values: Any, empty: Any) -> np.ndarray:
        laid = np.full((len(items), len(grid)), empty)
        laid[cell] = values
        return laid

    row, target = sheet(True, False), sheet(numbers(frame, TARGET, "target"), np.nan)
    if zero:
        begun = np.maximum.accumulate(row, axis=1)
        target[begun & ~row] = 0.0
    names = dict.fromkeys([*task.known, *task.past])
    covariates = {name: sheet(numbers(frame, name, "covariate"), np.nan) for name in names}
    return Sheet(np.asarray(items, dtype=object), of, grid, row, target, covariates)


@dataclass(frozen=True)
class Found:
    """What was found in one window.

    Attributes:
        table: a row for each feature, the most unlikely first: see `look`.
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


@dataclass(frozen=True)
class _Feature:
    """Values of each window, shape (windows, cells), the newest first, NaN where missing; whether they are shares."""

    name: str
    kind: str
    values: np.ndarray
    relative: bool = True


def look(
    sheet: Sheet,
    task: Task,
    end: pd.Timestamp,
    until: pd.Timestamp | None = None,
    least: int = 1,
    rules: Rules = RULES,
) -> Found:
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
        drifted, drift (psi above the usual where drifted, else 0) and words; and the items that came and went.

    Raises:
        ValueError: the sheet has no window before this one.
    """
    windows, ends, learnt = _cut(sheet, task, end, until, least)
    steps = ends[:, None] + np.arange(1 - windows.length, 1)
    target = sheet.target[:, steps]
    row = sheet.row[:, steps]
    seen: np.ndarray = np.any(row & ~np.isnan(target), axis=2)
    features = _of_target(target, learnt)
    first_row = np.where(sheet.row.any(axis=1), sheet.row.argmax(axis=1), len(sheet.grid))
    expected = seen[:, :, None] & (steps[None] >= first_row[:, None, None])
    features.append(_Feature(TARGET, "missing", _cells(np.where(expected, np.isnan(target), np.nan))))
    back = min(learnt, BACK)
    before = seen[:, back:]
    now = seen[:, : before.shape[1]]
    features.append(_Feature("items", "set", np.where(before | now, before != now, np.nan).T))
    for name, values in sheet.covariates.items():
        cells = values[:, steps]
        features.append(_Feature(name, "values", _cells(cells)))
        absent = np.where(row, np.isnan(cells), np.nan)
        if np.nansum(absent) > 0:
            features.append(_Feature(name, "missing", _cells(absent)))
    base = seen[:, back] if seen.shape[1] > back else np.zeros(len(seen), dtype=bool)
    ever = np.any(seen[:, learnt:], axis=1)
    came, went, new = (
        list(map(str, sheet.items[chosen])) for chosen in (seen[:, 0] & ~base, base & ~seen[:, 0], seen[:, 0] & ~ever)
    )
    table = pd.DataFrame([_judged(feature, learnt, rules.rank) for feature in features])
    unlikely = table["p_value"] < rules.alarms / max(1, table["p_value"].notna().sum())
    table["drifted"] = unlikely & (table["psi"] >= rules.psi) & (table["statistic"] > table["farthest"])
    table["drift"] = np.where(table["drifted"], np.maximum(table["psi"] - table["usual_psi"], 0.0), 0.0)
    table["words"] = [
        _words(f, learnt, back, bool(d), came, went) for f, d in zip(features, table["drifted"], strict=True)
    ]
    table = table.sort_values(["drifted", "p_value"], ascending=[False, True], kind="stable", ignore_index=True)
    reference = steps[learnt:]
    return Found(
        table,
        new,
        went,
        sheet.grid[steps[0, 0]],
        len(reference),
        sheet.grid[reference[-1, 0]] if len(reference) else None,
        sheet.grid[reference[0, -1]] if len(reference) else None,
    )


def _cut(
    sheet: Sheet, task: Task, end: pd.Timestamp, until: pd.Timestamp | None, least: int
) -> tuple[Windows, np.ndarray, int]:
    """Return the windows, the last step of each (the newest first), and from which on they belong to the reference."""
    last = int(sheet.grid.searchsorted(end, side="right")) - 1
    best: tuple[Windows, np.ndarray, int] | None = None
    for season in sorted(task.season_lengths, reverse=True):
        windows = Windows.of_season(season, task.frequency, least)
        if last + 1 < windows.length:
            continue
        ends = np.arange(last, windows.length - 2, -windows.stride)
        limit = last - windows.length if until is None else int(sheet.grid.searchsorted(until, side="right")) - 1
        learnt = int(np.searchsorted(-ends, -min(limit, last - windows.length)))
        found = (windows, ends[: learnt + _most(season, task.frequency)], learnt)
        if best is None or len(found[1]) - learnt > len(best[1]) - best[2]:
            best = found
        if len(found[1]) - learnt >= ENOUGH:
            break
    if best is None or best[2] >= len(best[1]):
        raise ValueError(f"the observations begin at {sheet.grid[0]}: no window before the one that ends at {end}")
    return best


def _cells(values: np.ndarray) -> np.ndarray:
    """Turn (items, windows, steps) into (windows, cells)."""
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def _of_target(target: np.ndarray, learnt: int) -> list[_Feature]:
    """Return shape and level of targets of shape (items, windows, steps)."""
    positive = not (target < 0).any()
    level = _mean(target, 2)
    for _ in range(2):  # once more with the season known: a window may lack its busy days
        parts = target / _above_zero(level)[..., None] if positive else target - level[..., None]
        profile = _mean(parts[:, learnt:], 1)[:, None]
        there = np.where(np.isnan(target), np.nan, np.broadcast_to(profile, target.shape))
        if positive:
            level = _mean(np.where(np.isnan(there), np.nan, target), 2) / _above_zero(_mean(there, 2))
        else:
            level = _mean(target - there, 2)
    parts = target / _above_zero(level)[..., None] if positive else target - level[..., None]
    profile = _mean(parts[:, learnt:], 1)[:, None]
    rest = parts - profile
    known = (~np.isnan(parts[:, learnt:])).sum(axis=1)[:, None]
    # A window's own values are in the profile: leaving them out makes its distance so much larger.
    rest[:, learnt:] *= np.where(known > 1, known / np.maximum(known - 1, 1), np.nan)
    unit = _mean(np.abs(rest[:, learnt:]).reshape(len(target), -1), 1)
    if positive:
        height = np.log(_above_zero(level))
    else:
        rest, height = rest / _above_zero(unit)[:, None, None], level / _above_zero(unit)[:, None]
    back = min(learnt, BACK)
    change = height[:, : height.shape[1] - back] - height[:, back:]
    return [_Feature(TARGET, "shape", _cells(rest), positive), _Feature(TARGET, "level", change.T, positive)]


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(axis=axis)
    total = np.where(there, values, 0.0).sum(axis=axis)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _above_zero(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, np.nan)


def _judged(feature: _Feature, learnt: int, rank: float) -> dict[str, Any]:
    """Return the row of a feature, without its words."""
    newest, reference = feature.values[0], feature.values[learnt:]
    newest = newest[~np.isnan(newest)]
    reference = reference[~np.isnan(reference).all(axis=1)]
    row: dict[str, Any] = {"feature": feature.name, "kind": feature.kind}
    row |= dict.fromkeys(["psi", "usual_psi", "statistic", "farthest", "p_value"], np.nan)
    row |= {"rows": len(newest), "reference_rows": int((~np.isnan(reference)).sum())}
    if not len(newest) or len(reference) < MINIMUM:
        return row
    psi, usual = stability(newest, reference)
    statistic, farthest, p_value = distance(newest, reference, rank)
    return {**row, "psi": psi, "usual_psi": usual, "statistic": statistic, "farthest": farthest, "p_value": p_value}


def stability(newest: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Population stability index of a window against a reference, and the median of that of the reference's windows.

    Args:
        newest: values, none missing.
        reference: shape (windows, cells), NaN where missing.
    """
    pooled = reference[~np.isnan(reference)]
    distinct = np.unique(np.concatenate([pooled, newest]))
    if len(distinct) > CLASSES:
        edges = np.unique(np.sort(pooled)[len(pooled) * np.arange(1, CLASSES) // CLASSES - 1])
    else:
        edges = (distinct[1:] + distinct[:-1]) / 2
    counts = _counts(reference, edges, "left")
    own = np.bincount(np.searchsorted(edges, newest, side="left"), minlength=len(edges) + 1)
    total = counts.sum(axis=0)
    index = _index(np.vstack([own, counts]), np.vstack([total, total - counts]))
    return float(index[0]), float(np.median(index[1:]))


def _counts(values: np.ndarray, edges: np.ndarray, side: Any) -> np.ndarray:
    """Count the values of each row by class, shape (rows, edges + 1)."""
    there = ~np.isnan(values)
    row = np.broadcast_to(np.arange(len(values))[:, None], values.shape)[there]
    width = len(edges) + 1
    place = row * width + np.searchsorted(edges, values[there], side=side)
    return np.bincount(place, minlength=len(values) * width).reshape(len(values), width)


def _index(counts: np.ndarray, against: np.ndarray) -> np.ndarray:
    share, other = (
        (part + 0.5) / (part.sum(axis=1, keepdims=True) + 0.5 * part.shape[1]) for part in (counts, against)
    )
    return ((share - other) * np.log(share / other)).sum(axis=1)


def distance(newest: np.ndarray, reference: np.ndarray, rank: float) -> tuple[float, float, float]:
    """Wasserstein distance of a window from a reference, that of the reference's own windows, and how likely it is.

    Args:
        newest: values, none missing.
        reference: shape (windows, cells), NaN where missing; no row empty.
        rank: which one of the reference's own distances is wanted.

    Returns:
        The distance; the quantile of that of each window of the reference from the others; the p value. See `look`.
    """
    from scipy.special import stdtr  # Student's distribution; scipy.stats would take a second to import

    share = _is_share(newest, reference)
    if not share:
        newest, reference = _squashed(newest, reference)
    every = np.concatenate([reference[~np.isnan(reference)], newest])
    points = np.unique(np.sort(every)[np.linspace(0, len(every) - 1, POINTS + 1).astype(np.int64)])

    def distribution(values: np.ndarray) -> np.ndarray:
        counts = _counts(values, points, "left")[:, :-1]
        return np.cumsum(counts, axis=1)[:, :-1] / (~np.isnan(values)).sum(axis=1)[:, None]

    windows = distribution(reference)
    n = len(windows)
    apart = np.abs(np.vstack([distribution(newest[None]), windows]) - windows.mean(axis=0)) @ np.diff(points)
    apart[1:] *= n / (n - 1)  # from the other windows, not from all
    # Half of one value more or less is chance, however constant a share has been.
    power, least = (2 / 3, max(LEAST_SHARE, 0.5 * len(newest) ** (-2 / 3))) if share else (1 / 3, LEAST)
    even = apart**power
    spread = max(float(even[1:].std(ddof=1)), least) * np.sqrt(1 + 1 / n)
    farthest = float(np.quantile(apart[1:], rank, method="higher"))
    return float(apart[0]), farthest, float(stdtr(n - 1, (even[1:].mean() - even[0]) / spread))


def _is_share(newest: np.ndarray, reference: np.ndarray) -> bool:
    """Whether all values are 0 or 1."""
    return all(bool((np.isnan(part) | (part == 0) | (part == 1)).all()) for part in (newest, reference))


def _squashed(newest: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values in standard deviations from the median of the reference, and beyond one of them in its logarithm.

    A single storm of the century moves the mean of its week, but makes it no other climate.
    """
    values = reference[~np.isnan(reference)]
    centre = float(np.median(values))
    unit = float(values.std()) or abs(centre) or 1.0
    return squash((newest - centre) / unit), squash((reference - centre) / unit)


def _words(feature: _Feature, learnt: int, back: int, drifted: bool, came: list[str], went: list[str]) -> str:
    """Return one sentence: what is different, from what to what."""
    names = {"shape": "the pattern of the target", "level": "the level of the items", "set": "the set of items"}
    name = names.get(feature.kind, f"{feature.name} missing" if feature.kind == "missing" else feature.name)
    newest, reference = feature.values[0], feature.values[learnt:]
    newest, reference = newest[~np.isnan(newest)], reference[~np.isnan(reference).all(axis=1)]
    if len(reference) < MINIMUM:
        return f"{name} cannot be judged: {len(reference)} earlier windows of the same season, {MINIMUM} are needed"
    if not len(newest):
        return f"{name}: there is nothing in the window to look at"
    head = f"{name} {'has drifted' if drifted else 'is as usual'}: "
    ago = "the window before" if back == 1 else f"{back} windows before"
    if feature.kind == "missing":
        return f"{head}{newest.mean():.1%} of the values, in the training {_mean(reference, 1).mean():.1%}"
    if feature.kind == "set":
        listed = [f"{word} {some(items)}" for word, items in (("gone:", went), ("come:", came)) if items]
        said = f" ({'; '.join(listed)})" if listed else ""
        most = int(np.nansum(reference, axis=1).max())
        what = f"{int(newest.sum())} of {len(newest)} came or went against {ago}{said}"
        return f"{head}{what}, in the training at most {most}"
    if feature.kind == "shape":
        size, was = (_size(float(np.abs(part).mean()), feature) for part in (newest, reference[~np.isnan(reference)]))
        return f"{head}values lie {size} off what their item and the season let expect, in the training {was}"
    if feature.kind == "level":
        usual = np.quantile(np.nanmedian(reference, axis=1), [0.1, 0.9])
        now, low, high = (_change(float(value), feature) for value in (np.median(newest), *usual))
        return f"{head}{now} against {ago} (the item in the middle), in the training mostly {low} to {high}"
    if _is_share(newest, reference):
        return f"{head}{newest.mean():.1%} of the values are 1, in the training {_mean(reference, 1).mean():.1%}"
    now, was = (np.nanquantile(part, [0.5, 0.1, 0.9]) for part in (newest, reference))
    return f"{head}{_spread(now)}, in the training {_spread(was)}"


def _size(value: float, feature: _Feature) -> str:
    return f"{value:.0%}" if feature.relative else f"{value:.2f} of its usual deviations"


def _change(value: float, feature: _Feature) -> str:
    return f"{np.expm1(value):+.0%}" if feature.relative else f"{value:+.1f} usual deviations"


def _spread(quantiles: np.ndarray) -> str:
    return "{:.4g} (80 % lie in {:.4g} to {:.4g})".format(*quantiles)
