"""The rows that a model learns from, drawn of all items at once or shard by shard: the same rows either way.

A shard is the whole history of some items. It is asked twice: for its `Survey`, what must be known of all items before
rows are drawn of any; and, once `Plan.of` all surveys is made, for its rows. Numbers are kept item by item and added
up in the items' order, so that nothing depends on where shards end, down to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from ..errors import DataError
from ..panel import ITEM, TARGET, TIME, Panel, positions, regular_grid, require_columns
from ..scaling import Scaling, Seasons, Signal, squash
from ..task import Task
from .rows import MINIMUM_HISTORY, feature_rows
from .sampling import Triples, recency, uniform, within_bound
from .spread import Spread

FEW_ZEROS = 0.02
"""Share of zeros up to which targets may enter as logarithms."""
YEARS = pd.Timedelta(days=2 * 365)
"""History from which on the calendar may say where in the year a step lies."""


@dataclass(frozen=True)
class Survey:
    """What must be known of each item before rows are drawn of any; every field of shape (items,).

    Attributes:
        items: ids, sorted.
        first: of the item's rows, datetime64.
        last: of the item's rows, datetime64.
        observed: targets.
        zeros: targets that are zero.
        lowest: target; infinite without any.
        whole: whether all targets are whole numbers.
        wanted: training rows, before the bound of all items together.
        spread: whether its changes grow with its level.
    """

    items: np.ndarray
    first: np.ndarray
    last: np.ndarray
    observed: np.ndarray
    zeros: np.ndarray
    lowest: np.ndarray
    whole: np.ndarray
    wanted: np.ndarray
    spread: Spread

    @classmethod
    def joined(cls, parts: Sequence[Survey]) -> Survey:
        """Join the surveys of shards; their items follow each other."""
        own = {
            part.name: np.concatenate([getattr(survey, part.name) for survey in parts])
            for part in fields(cls)
            if part.name != "spread"
        }
        spreads = [survey.spread for survey in parts]
        sums = {part.name: np.concatenate([getattr(one, part.name) for one in spreads]) for part in fields(Spread)}
        return cls(**own, spread=Spread(**sums))


@dataclass(frozen=True)
class Plan:
    """What is drawn of each item, and what holds for all rows.

    Attributes:
        items: ids, sorted, shape (items,).
        count: training rows of each, shape (items,).
        scaling: of the targets.
        yearly: whether the calendar may say where in the year a step lies.
    """

    items: np.ndarray
    count: np.ndarray
    scaling: Scaling
    yearly: bool

    @classmethod
    def of(cls, surveys: Sequence[Survey], task: Task) -> Plan:
        """Decide, from the surveys of all shards in the order of their items.

        Raises:
            DataError: no item has enough history for one row, or items are on different grids.
        """
        if not surveys:
            raise DataError("there are no rows: nothing to learn or forecast from")
        survey, model = Survey.joined(surveys), task.model
        keys = pd.util.hash_array(survey.items)
        some = _some(keys, model.max_training_rows, model.seed)
        count = np.zeros(len(keys), dtype=np.int64)
        count[some] = within_bound(survey.wanted[some], model.max_training_rows, keys[some], model.seed)
        observed, zeros, lowest = survey.observed[some].sum(), survey.zeros[some].sum(), survey.lowest[some].min()
        if not count.any():
            raise DataError(
                f"no item has {MINIMUM_HISTORY} observed targets and one more after them, in {observed} targets "
                f"of {len(keys)} items: there is nothing to learn from"
            )
        start, end = survey.first[some].min(), survey.last[some].max()
        if len(surveys) > 1:
            positions(survey.first[some], regular_grid(start, end, 0, task.frequency), task.frequency)
        positive = lowest >= 0 and zeros <= FEW_ZEROS * observed
        scaling = Scaling(
            log=bool(positive and survey.spread.grows(some)),
            whole=bool(survey.whole[some].all()) if task.whole is None else task.whole,
        )
        return cls(survey.items, count, scaling, yearly=bool(pd.Timedelta(end - start) >= YEARS))

    def of_items(self, items: np.ndarray) -> np.ndarray:
        """Return how many rows are drawn of some items, shape as `items`."""
        return self.count[pd.Index(self.items).get_indexer(pd.Index(items))]


class Shard:
    """The history of some items, laid out to draw training rows from.

    Args:
        frame: canonical long table, rows in any order.
        task: what is to be forecast.
        until: the last timestamp of all shards: rows after it are not looked at, ages are counted from it.
    """

    def __init__(self, frame: pd.DataFrame, task: Task, until: pd.Timestamp) -> None:
        require_columns(frame, task)
        self._task, self._seasons, self._until = task, Seasons.of(task), until
        panel = Panel.from_frame(frame.loc[(frame[TIME] <= until).to_numpy()], task, pad=self._seasons.lookback)
        self._panel, self._observed = panel, ~np.isnan(panel.target)
        self._signal = Signal(panel, self._seasons, Scaling())
        self._owner = np.repeat(np.arange(len(panel.items)), np.diff(panel.edges))
        self._triples = self._all_triples()

    def survey(self) -> Survey:
        """Say what must be known of these items before rows are drawn of any."""
        panel, start = self._panel, self._panel.edges[:-1]
        target = panel.target
        return Survey(
            items=panel.items,
            first=panel.grid.to_numpy()[panel.first],
            last=panel.grid.to_numpy()[panel.last],
            observed=np.add.reduceat(self._observed, start, dtype=np.int64),
            zeros=np.add.reduceat(target == 0, start, dtype=np.int64),
            lowest=np.minimum.reduceat(np.where(self._observed, target, np.inf), start),
            whole=np.logical_and.reduceat((target == np.rint(target)) | ~self._observed, start),
            wanted=self._triples.wanted,
            spread=Spread.of(panel, self._signal),
        )

    def draw(self, plan: Plan) -> pd.DataFrame:
        """Draw the rows of these items; see `training_rows`. None may be."""
        panel, task, scaling = self._panel, self._task, plan.scaling
        if scaling.log:
            self._signal = Signal(panel, self._seasons, scaling)
        place, lead = self._triples.draw(plan.of_items(panel.items), task.model.seed)
        origins = self._triples.origins[place]
        used, row = np.unique(origins, return_inverse=True)
        item = self._owner[used]
        rows = feature_rows(
            panel,
            self._signal,
            task,
            item=item,
            origin=used - panel.base[item],
            row=row,
            lead=lead,
            yearly=plan.yearly,
        )
        target = panel.target[origins + lead]
        y = (scaling.forward(target) - rows.reference) / rows.scale
        columns = {
            ITEM: panel.items[rows.item],
            "origin": panel.grid[rows.origin],
            "lead": lead.astype(np.int32),
            TIME: panel.grid[rows.origin + lead],
            TARGET: target,
            "reference": rows.reference,
            "scale": rows.scale,
            "scaling": np.full(len(lead), scaling.name, dtype=object),
            "y": squash(y).astype(np.float32),
            **rows.features,
        }
        return pd.DataFrame(columns)

    def _all_triples(self) -> Triples:
        panel, owner, lookback = self._panel, self._owner, self._seasons.lookback
        everywhere = slice(panel.pad, panel.edges[-1])
        enough = np.zeros(len(owner), dtype=bool)
        enough[everywhere] = self._signal.rolling.count(everywhere, lookback) >= MINIMUM_HISTORY
        origins = np.flatnonzero(enough & (np.arange(len(owner)) >= (panel.base + panel.first)[owner]))
        weight, half_life = None, self._task.model.recency
        if half_life is not None:
            end = panel.grid[-1]
            later = len(regular_grid(end.to_datetime64(), self._until.to_datetime64(), 0, self._task.frequency)) - 1
            weight = recency(later + len(panel.grid) - 1 - (origins - panel.base[owner[origins]]), half_life)
        return Triples.of(
            origins,
            owner[origins],
            pd.util.hash_array(panel.items),
            self._observed,
            panel.edges[owner[origins] + 1],
            horizon=self._task.horizon,
            weight=weight,
        )


def training_rows(frame: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
    """Sample the rows that a model learns from.

    Args:
        frame: canonical long table, rows in any order.
        task: what is to be forecast.
        until: the present; rows after it are not looked at.

    Returns:
        One row per sampled (item, origin, lead), at most `task.model.max_training_rows`, with the columns

        - item_id, origin, lead, timestamp: the index of the row; timestamp is the target's,
        - target: what came, in original units,
        - reference, scale, scaling: what undoes the scaling, see `scaling.Scaling`,
        - y: the scaled target, float32,
        - the features and references, see the head of `rows`.

    Raises:
        ValueError: the frame is not canonical, or no item has enough history for one row.
    """
    require_columns(frame, task)
    times = frame[TIME] if until is None else frame.loc[(frame[TIME] <= until).to_numpy(), TIME]
    shard = Shard(frame, task, times.max())
    return shard.draw(Plan.of([shard.survey()], task))


def survey(frame: pd.DataFrame, task: Task, until: pd.Timestamp) -> list[Survey]:
    """Survey a shard; see `Shard`.

    Args:
        frame: its item_id, timestamp and target; covariates are not looked at.
        task: what is to be forecast.
        until: see `Shard`.

    Returns:
        Nothing where no row lies until then.
    """
    if not (frame[TIME] <= until).any():
        return []
    return [Shard(frame, replace(task, known=(), past=(), static=()), until).survey()]


def draw(frame: pd.DataFrame, task: Task, until: pd.Timestamp, plan: Plan) -> list[pd.DataFrame]:
    """Draw the rows of a shard; all shards' together, in their order, are those of `training_rows`.

    Args:
        frame: its canonical rows, with the task's covariates.
        task: what is to be forecast.
        until: see `Shard`.
        plan: of all shards.

    Returns:
        Nothing where none is drawn of these items.
    """
    items = frame.loc[(frame[TIME] <= until).to_numpy(), ITEM].unique()
    return [Shard(frame, task, until).draw(plan)] if plan.of_items(items).any() else []


def _some(keys: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Numbers of as many items, drawn by the seed, as there may be training rows: more items cannot add any."""
    if len(keys) <= most:
        return np.arange(len(keys))
    chance = uniform(keys, np.zeros(len(keys), dtype=np.int64), seed)
    return np.sort(np.argsort(chance, kind="stable")[:most])
