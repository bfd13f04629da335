"""Forecasts beside what came, shard by shard: of the ledger only the timestamps that are scored are read."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FORECAST_ACCURACY
from mlops_assets.catalog.partitions import partition_of, periods, whole_window, window_of
from mlops_assets.forecasting.data.contract import Window
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.segments import by_static, thirds, volumes
from mlops_assets.forecasting.model.panel import latest_known
from mlops_assets.lifecycle.meanings import Meanings
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import ROWS, Shard, apply_by_shard, rows_about, shards
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.score import believed, known_static
from mlops_assets.stages.shards.frames import Frames, existing

_MOMENT = pd.Timedelta(microseconds=1)
_HEAD = 2000
"""Rows of an origin that tell which timestamps and leads all of its items have."""
_WIDTH = 5
"""Rows of observations that a row of the ledger, beside what came, weighs as much as."""
HERE = 2 * _WIDTH
"""Shards that this process has scored before others have begun."""
_NO_LEADS = pd.DataFrame(columns=["origin", "timestamp", "lead"])
WORST = 10
"""Items that are shown because their errors weigh most."""


@dataclass(frozen=True)
class Reading:
    """What scoring reads.

    Attributes:
        spec: the forecast.
        observations: of the partitions that are scored.
        forecasts: the ledger, as far back as its forecasts reach into them.
        before: what is scored already of the same vintages; None if nothing is stored.
        window: of the partitions.
        first: key of the first of them.
        observed: where absent rows mean zero, the timestamps that have observations; None: as those of the shard say.
    """

    spec: ForecastSpec
    observations: StoredTable
    forecasts: StoredTable
    before: StoredTable | None
    window: Window
    first: str
    observed: frozenset[pd.Timestamp] | None

    def scored(self, tables: Tables, shard: Shard = None) -> "Scored":
        """Read forecasts and actuals of a shard's items, and put them side by side."""
        spec, task, items = self.spec, self.spec.task, Only(items=shard)
        within = Only(items=shard, since=self.window.start, until=self.window.end - _MOMENT)
        numbers = ["mean", *task.quantile_columns, *task.cost_columns, "naive", "mase_scale", "rmsse_scale"]
        held = ["item_id", "timestamp", "origin", "lead", *numbers]
        used = [*held, "source", "model_version", "trained_until", "created_at", "role", "job_key"]
        made = self.forecasts.read(existing(self.forecasts, used), within)
        made = Meanings(tables, spec.name).scorable(made, spec)
        static = spec.covariates.static
        observations = self.observations.read(["item_id", "timestamp", "target", *static], items)
        actuals = believed(tables, spec, observations, made, self.first)
        rows = ledger.match(made, actuals, task, spec.fill == "zero", self.observed)
        rows = rows[rows["timestamp"].between(self.window.start, self.window.end, inclusive="left")]
        known = known_static(tables, spec, observations, rows["item_id"].unique(), self.first)
        earlier = rows.iloc[:0]
        if self.before is not None:
            earlier = self.before.read(existing(self.before, [*held, "target", "in_sample", "role", "job_key"]), items)
        latest = (
            None if known is None else latest_known(known, static).reset_index().assign(timestamp=self.window.start)
        )
        return Scored(rows, latest, ledger.delivered(earlier), ledger.counted(ledger.delivered(made)))


@dataclass(frozen=True)
class Scored:
    """What comes of some items.

    Attributes:
        rows: of `forecast_accuracy`.
        static: item_id, timestamp and static covariates of the items, by what is known last; None without any.
        earlier: what was scored before of the same vintages, of what was delivered.
        forecasts: as `ledger.counted` returns them, of what was delivered within the window.
    """

    rows: pd.DataFrame
    static: pd.DataFrame | None
    earlier: pd.DataFrame
    forecasts: pd.DataFrame


def of_shard(shard: Shard, tables: Tables, reading: Reading) -> Scored:
    """Score a shard's items."""
    return reading.scored(tables, shard)


@dataclass
class Partition:
    """The scores of one partition, added up as the rows pass; twice, for segments are known when all have passed.

    Attributes:
        spec: the forecast.
        window: of the partition.
        scores_only: whether nothing is added up but the scores: neither by lead and by vintage, nor the worst items.
        rows: number of rows of `forecast_accuracy`.
        in_sample: how many of the delivered ones the model had seen.
        origins: of the delivered ones that count.
    """

    spec: ForecastSpec
    window: Window
    scores_only: bool = False
    rows: int = 0
    in_sample: int = 0
    origins: set[pd.Timestamp] = field(default_factory=set)

    def __post_init__(self) -> None:
        task = self.spec.task
        self._scores, self._bands = ledger.Scores(task), ledger.bands(task.horizon)
        self._by_band = ledger.Compared(task, ["lead"])
        self._so_far = ledger.SoFar(task, "origin"), ledger.SoFar(task, "lead")
        self._volumes: list[pd.Series] = []
        self._errors: list[pd.Series] = []
        self._worst: list[pd.DataFrame] = []
        self._any = False
        self._largest: pd.Series | None = None

    def add(self, rows: pd.DataFrame) -> None:
        """Take the rows of some more items."""
        self.rows += len(rows)
        counting, delivered = ledger.honest(rows), ledger.delivered(rows)
        used = ledger.honest(delivered)
        self.in_sample += len(delivered) - len(used)
        if used.empty:
            return
        self._any = True
        self.origins |= {*used["origin"].unique()}
        self._scores.add(counting)
        self._volumes.append(volumes(used))
        if self.scores_only:
            return
        self._by_band.add(used.assign(lead=used["lead"].map(self._bands)))
        self._errors.append(used["error"].abs().groupby(used["item_id"]).sum(min_count=1).dropna())

    def add_known(self, known: pd.DataFrame, reaching: Sequence[pd.Timestamp]) -> None:
        """Take what could be scored, now and before, of the origins that reach into the partition."""
        rows = known[known["origin"].isin(reaching) & (known["timestamp"] < self.window.end)]
        for part in self._so_far:
            part.add(rows)

    def add_again(self, rows: pd.DataFrame, static: pd.DataFrame | None) -> None:
        """Take the same rows again, once all have been added."""
        used = ledger.honest(ledger.delivered(rows))
        if used.empty:
            return
        self._scores.add_segments(used, self._segments(static))
        if self.scores_only:
            return
        if self._largest is None:
            self._largest = pd.concat(self._errors).nlargest(WORST)
        self._worst.append(used[used["item_id"].isin(self._largest.index)])

    def scores(self) -> pd.DataFrame | None:
        """Return the scores, as `ledger.scores` does; None where no forecast counts."""
        return self._scores.table() if self._any else None

    def by_lead(self) -> pd.DataFrame:
        """Return the numbers of each lead, or band of leads."""
        found = self._by_band.table().set_index("lead")
        return found.loc[[name for name in dict.fromkeys(self._bands.values()) if name in found.index]]

    def worst(self) -> pd.DataFrame:
        """Return the items whose errors weigh most, as `ledger.worst_items` does."""
        rows = pd.concat(self._worst, ignore_index=True)
        return ledger.worst_items(rows, self.spec.task, WORST, float(pd.concat(self._errors).sum()))

    def so_far(self, forecasts: pd.DataFrame, reaching: Sequence[pd.Timestamp]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return how far the vintages that reach into the partition have come, by origin and by lead.

        Args:
            forecasts: as `ledger.counted` returns them, of all origins.
            reaching: those origins.
        """
        own = forecasts[forecasts["origin"].isin(reaching)]
        by_origin, by_lead = (part.table(own, self.window.end) for part in self._so_far)
        return by_origin, by_lead

    def _segments(self, static: pd.DataFrame | None) -> pd.DataFrame:
        parts = [thirds(pd.concat(self._volumes))]
        if static is not None and (found := by_static(static, self.spec.covariates.static)) is not None:
            parts.append(found)
        return pd.concat(parts, ignore_index=True)


class Accuracy:
    """The forecasts of some partitions beside what came, and their scores.

    Attributes:
        partitions: partition -> its scores.
        many: whether the items are too many to be read at once.
    """

    def __init__(
        self,
        graph: Graph,
        engine: Engine,
        observations: StoredTable,
        forecasts: StoredTable,
        keys: Sequence[str],
        scores_only: bool = False,
    ) -> None:
        """Score them.

        Args:
            graph: of the forecast.
            engine: where shards of the items are scored.
            observations: of the partitions.
            forecasts: the ledger, as far back as a forecast reaches.
            keys: of the partitions.
            scores_only: whether nobody will ask for more than the rows and the scores; see `Partition`.
        """
        self._graph, self._spec, self._keys = graph, graph.spec, list(keys)
        tables, window = forecasts.tables, whole_window(graph.partitions, keys)
        before = None if scores_only else _before(tables, self._spec, keys[0])
        spans = _spans(forecasts, before, Only(since=window.start, until=window.end - _MOMENT))
        self.many = len(spans) > 1
        observed = None
        if self.many and self._spec.fill == "zero":
            observed = frozenset(observations.read(["timestamp"])["timestamp"].unique())
        reading = Reading(self._spec, observations, forecasts, before, window, keys[0], observed)
        self.partitions = {key: Partition(self._spec, window_of(graph.partitions, key), scores_only) for key in keys}
        self._leads = _NO_LEADS if scores_only else _leads(forecasts)
        self._frames: Frames | list[pd.DataFrame] = Frames(FORECAST_ACCURACY) if self.many else []
        counts, static = [], []
        where = engine if len(spans) > HERE else Engine.local()
        answers = apply_by_shard(where, of_shard, spans, tables, reading) if self.many else [reading.scored(tables)]
        for answer in answers:
            self._add(answer)
            counts.append(answer.forecasts)
            static.append(answer.static)
        if not scores_only:
            self._forecasts = _all_leads(pd.concat(counts, ignore_index=True), self._leads)
        static = [part for part in static if part is not None]
        known = pd.concat(static, ignore_index=True) if static else None
        for rows in self._frames:
            for key, own in self._split(rows):
                self.partitions[key].add_again(own, known)

    @property
    def batches(self) -> Iterable[pd.DataFrame]:
        """The rows of `forecast_accuracy`, by item, time and lead, frame by frame."""
        return self._frames

    def so_far(self, key: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
        """Return how far the vintages have come that reach into a partition; None if none does."""
        reaching = self._reaching(key)
        return self.partitions[key].so_far(self._forecasts, reaching) if reaching else None

    def _add(self, answer: Scored) -> None:
        if isinstance(self._frames, list):
            self._frames.append(answer.rows)
        else:
            self._frames.add(answer.rows)
        for key, own in self._split(answer.rows):
            self.partitions[key].add(own)
        if self._leads.empty:
            return
        known = pd.concat([answer.earlier, ledger.delivered(answer.rows)], ignore_index=True)
        known = known.sort_values(["item_id", "timestamp", "lead"], kind="stable", ignore_index=True)
        for key, one in self.partitions.items():
            if reaching := self._reaching(key):
                one.add_known(known, reaching)

    def _split(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        names = partition_of(rows["timestamp"], self._graph.partitions, self._keys)
        return ((key, rows[names == key]) for key in self._keys)

    def _reaching(self, key: str) -> list[pd.Timestamp]:
        """Return the origins whose horizon goes into a partition."""
        window = self.partitions[key].window
        ends = self._leads.groupby("origin")["timestamp"].agg(["min", "max"]) if len(self._leads) else self._leads
        return [] if ends.empty else ends.index[(ends["min"] < window.end) & (ends["max"] >= window.start)].tolist()


def _spans(forecasts: StoredTable, before: StoredTable | None, within: Only) -> list[Shard]:
    """Return the shards of the items that are scored, so small that what was scored before of them fits too."""
    tables, known = forecasts.tables, forecasts.partitions
    if not known:
        return []
    rows = rows_about(tables, before.key, before.partitions or []) if before is not None else 0
    count = None if rows <= 2 * ROWS else -(-rows // ROWS)
    return shards(tables, forecasts.key, known, within, count=count, width=_WIDTH)


def _before(tables: Tables, spec: ForecastSpec, first: str) -> StoredTable | None:
    """Return what is stored of `forecast_accuracy` in the partitions before one, as far back as a forecast reaches."""
    key = [spec.name, FORECAST_ACCURACY]
    stored = [partition for partition in tables.partitions(key) if partition < first]
    stored = stored[-periods(spec, spec.horizon) :]
    return StoredTable(tables, key, stored) if stored else None


def _leads(forecasts: StoredTable) -> pd.DataFrame:
    """Return timestamp and lead of each origin's forecasts, by those of its first items: all items have the same."""
    found = []
    for key in forecasts.partitions or ():
        batches = forecasts.batches(["origin", "timestamp", "lead"], partitions=[key], rows=_HEAD)
        found.append(next(batches).drop_duplicates())
    parts = [part for part in found if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else _NO_LEADS


def _all_leads(counts: pd.DataFrame, leads: pd.DataFrame) -> pd.DataFrame:
    """Return the number of forecasts of each origin and lead, by those that lie within the partitions that are scored.

    Whatever an item's forecasts are, it has one at each lead: so many as there are at one timestamp, there are at all.

    Args:
        counts: as `ledger.counted` returns them, of each shard.
        leads: origin, timestamp and lead of all.
    """
    within = counts.groupby(["origin", "timestamp", "lead"])["forecasts"].sum().reset_index()
    latest = within.sort_values("timestamp").groupby("origin")["forecasts"].last()
    both = leads.merge(within, on=["origin", "timestamp", "lead"], how="left")
    return both.assign(forecasts=both["forecasts"].fillna(both["origin"].map(latest)).fillna(0).astype("int64"))
