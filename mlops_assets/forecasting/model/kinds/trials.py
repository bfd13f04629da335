"""What several kinds of models forecast of windows that none of them had seen, for weights and choices to rest on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from .. import baselines, regressors
from ..errors import DataError, UnknownNameError
from ..guards import UnusualInput
from ..panel import ITEM, TARGET, TIME, latest_known
from ..quantiles import pinball
from ..scaling import TINY, seasonal_scale
from ..task import Task
from .protocol import Model

LEAST, MOST, SERIES = 2, 5, 300
"""Origins that the members are tried at before the present, at least and at most, where the task does not say; between
these, as many as give so many series, an item from an origin each."""
REACH, SHARE = 8, 0.25
"""Horizons that these go back, at most, and the share of the usual item's history: the last days alone may be holidays.
"""
SPARSE = "tsb"
"""A kind for intermittent items, asked about no others."""
VOLUMES = ("low volume", "middle volume", "high volume")
ADI = 1.32
"""Steps between two demands, on average, from which an item is intermittent: Syntetos, Boylan and Croston (2005), "On
the categorization of demand patterns", Journal of the Operational Research Society 56."""


@dataclass(frozen=True)
class Trial:
    """What several models forecast of the same rows, and what came.

    Attributes:
        quantiles: shape (members, rows, levels); NaN of a member that was not asked about a row.
        target: what came, shape (rows,).
        scale: of each row, what losses are divided by, shape (rows,): of its item, the denominator of MASE, times how
            large losses were in its window, compared with the others.
        item: id of each row's item, shape (rows,).
        levels: of the quantiles, in (0, 1), shape (levels,).
        windows: how many origins the rows are of.
        horizons: over how many horizons they are spread: within one, all have seen the same events.
    """

    quantiles: np.ndarray
    target: np.ndarray
    scale: np.ndarray
    item: np.ndarray
    levels: np.ndarray
    windows: int
    horizons: float = 1.0

    def of(self, rows: np.ndarray) -> Trial:
        """Return some of the rows, by mask or number."""
        return replace(
            self,
            quantiles=self.quantiles[:, rows],
            target=self.target[rows],
            scale=self.scale[rows],
            item=self.item[rows],
        )

    def losses(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Scaled quantile loss of each member, shape (members, rows); with weights, of their average, shape (1, rows).

        Args:
            weights: of the members, shape (members,) or, row by row, (rows, members). Members without weight may be
                missing.
        """
        quantiles = self.quantiles if weights is None else average(self.quantiles, weights)[None]
        away = self.target[None, :, None] - quantiles
        return 2 * pinball(away, self.levels).mean(axis=2) / self.scale

    @property
    def series(self) -> int:
        """How many series the rows are of: an item from an origin each."""
        return len(np.unique(self.item)) * self.windows

    @property
    def complete(self) -> np.ndarray:
        """Which members have forecast every row, shape (members,)."""
        return np.logical_not(np.isnan(self.quantiles).any(axis=(1, 2)))


def average(quantiles: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average quantiles of shape (members, rows, levels) by weights of shape (members,) or (rows, members)."""
    weights = np.broadcast_to(weights, (quantiles.shape[1], len(quantiles)))
    return np.einsum("rm,mrl->rl", weights, np.where(weights.T[:, :, None] > 0, quantiles, 0.0))


def of_member(task: Task, kind: str) -> Task:
    """Return the task of a member: the same, by another kind with the engine's parameters."""
    accelerator = task.model.accelerator if regressors.is_forest(kind) else None
    return replace(task, model=replace(task.model, kind=kind, parameters={}, members=(), accelerator=accelerator))


def try_out(
    rows: pd.DataFrame,
    task: Task,
    kinds: Sequence[str],
    fitted: Mapping[str, Model] | None = None,
    since: pd.Timestamp | None = None,
) -> Trial:
    """Let members forecast windows before the end of the rows that they have not learnt from.

    Args:
        rows: canonical frame up to the present.
        task: what is forecast.
        kinds: of the members.
        fitted: the members as they are; None: each is fitted once, to what was known at the earliest origin. At the
            later ones, models that look at each series by itself see what has come since.
        since: with fitted ones: the last timestamp that they have learnt from.

    Returns:
        The members' forecasts; without a row where there is too little history for any window.
    """
    offset = to_offset(task.frequency)
    last = rows.loc[rows[TARGET].notna(), TIME].max()
    if since is None:
        origins = [last - int(steps) * offset for steps in steps_back(rows, task)]
    else:
        origins = list(pd.date_range(since, last, freq=task.horizon * offset))[-LEAST - 1 :]
        origins = [origin for origin in origins if origin < last]
    sparse = {str(item) for item, name in segments(rows, "intermittent", ()).items() if name == "intermittent"}
    asked = {kind: sparse if kind == SPARSE else None for kind in kinds}
    tables, tried = [], []
    for origin in sorted(origins):
        try:
            fitted = fitted or _fitted(rows, task, kinds, origin)
            tables.append(_window(rows, task, asked, origin, fitted))
            tried.append(origin)
        except DataError:
            continue  # too little history so long ago
    levels = np.array(task.quantiles)
    if not tables:
        none = np.zeros(0)
        return Trial(np.zeros((len(kinds), 0, len(levels))), none, none, none.astype(object), levels, 0)
    table = pd.concat(tables, ignore_index=True)
    quantiles = np.stack([table[[f"{kind} {name}" for name in task.quantile_columns]].to_numpy() for kind in kinds])
    target, scale = table[TARGET].to_numpy(), table["mase_scale"].to_numpy()
    horizons = max((len(pd.date_range(tried[0], last, freq=offset)) - 1) / task.horizon, 1.0)
    trial = Trial(quantiles, target, scale, table[ITEM].to_numpy(dtype=object), levels, len(tables), horizons)
    return evened(trial, np.repeat(np.arange(len(tables)), [len(table) for table in tables]))


def evened(trial: Trial, window: np.ndarray) -> Trial:
    """Have each window count alike: a crisis is one moment, however large the losses are in it.

    Args:
        trial: scaled by item.
        window: number of each row's, from zero on, shape (rows,).
    """
    if not trial.complete.any():
        return trial
    usual = trial.losses()[trial.complete].mean(axis=0)
    lost = np.bincount(window, usual) / np.maximum(np.bincount(window), 1)
    hard = np.where(lost > 0, lost / max(lost.mean(), TINY), 1.0)
    return replace(trial, scale=trial.scale * hard[window])


def steps_back(rows: pd.DataFrame, task: Task) -> np.ndarray:
    """How far before the last target members are tried, in steps, shape (windows,).

    A horizon, `REACH` horizons or a `SHARE` of the history, and evenly between; two horizons where that is short, and
    as many horizons as there are windows where the task says how many.
    """
    windows = task.model.parameters.get("windows")
    if windows is not None:
        return task.horizon * np.arange(1, int(windows) + 1)
    steps = rows.loc[rows[TARGET].notna()].groupby(ITEM).size()
    reach = np.clip(SHARE * steps.median(), 2 * task.horizon, REACH * task.horizon)
    return np.unique(np.rint(np.linspace(task.horizon, reach, int(np.clip(SERIES // len(steps), LEAST, MOST)))))


def _fitted(rows: pd.DataFrame, task: Task, kinds: Sequence[str], origin: pd.Timestamp) -> dict[str, Model]:
    """Fit members to what was known at an origin."""
    from . import registry

    seen = rows[rows[TIME] <= origin]
    if not seen[TARGET].notna().any():
        raise DataError(f"nothing was observed until {origin}")
    tasks = {kind: of_member(task, kind) for kind in kinds}
    return {kind: registry.fit(registry.rows(seen, mine), mine) for kind, mine in tasks.items()}


def _window(
    rows: pd.DataFrame,
    task: Task,
    kinds: Mapping[str, Collection[str] | None],
    origin: pd.Timestamp,
    fitted: Mapping[str, Model],
) -> pd.DataFrame:
    """Return item, target, scale and each member's quantiles of the rows after an origin that can be scored.

    Args:
        rows: canonical frame.
        task: what is forecast.
        kinds: of the members, with the items that each is asked about; None: all.
        origin: the last timestamp known.
        fitted: the members.
    """
    from . import registry

    seen = rows[rows[TIME] <= origin]
    items = baselines.alive_items(seen, task, origin)
    table = rows.loc[(rows[TIME] > origin) & rows[TARGET].notna(), [ITEM, TIME, TARGET]]
    table = table[table[ITEM].isin(items)].merge(seasonal_scale(seen, task)[[ITEM, "mase_scale"]], on=ITEM)
    table = table[table["mase_scale"] > 0]
    for kind, asked in kinds.items():
        names = {name: f"{kind} {name}" for name in task.quantile_columns}
        own = [item for item in items if asked is None or item in asked]
        if not own:
            table[[*names.values()]] = np.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnusualInput)  # a trial in the past is no news
            made = fitted[kind].predict(rows, origin, items=own)
        made = baselines.clipped(made, task, seen, registry.lowest(fitted[kind]))
        table = table.merge(made[[ITEM, TIME, *names]].rename(columns=names), on=[ITEM, TIME], how="left")
    limit = origin + task.horizon * to_offset(task.frequency)
    return table[table[TIME] <= limit]


def segments(history: pd.DataFrame, by: str, static: Sequence[str]) -> pd.Series:
    """Name the segment of each item.

    Args:
        history: canonical frame.
        by: `forecast` (one for all), `intermittent` (or `regular`), `volume` (`low`, `middle`, `high` third of the
            items by their mean), or a static covariate.
        static: names of the static covariates.

    Returns:
        Names, with the item ids as index, sorted.
    """
    if by in static:
        return by + "=" + latest_known(history, [by])[by].astype(str)
    known = history[history[TARGET].notna()]
    if by == "intermittent":
        zeros = known[TARGET].eq(0).astype(float).groupby(known[ITEM]).mean()
        return (zeros > 1 - 1 / ADI).map({True: by, False: "regular"})
    mean = known.groupby(ITEM)[TARGET].mean()
    if by == "volume":
        return pd.cut(mean.rank(method="first", pct=True), [0, 1 / 3, 2 / 3, 1], labels=list(VOLUMES)).astype(object)
    require_segment(by, static)
    return pd.Series("all", index=mean.index, dtype=object)


def require_segment(by: str, static: Sequence[str]) -> None:
    """Raise UnknownNameError unless items can be told apart so; see `segments`."""
    known = ["forecast", "intermittent", "volume", *static]
    if by not in known:
        raise UnknownNameError.of("segment of weights", by, known)
