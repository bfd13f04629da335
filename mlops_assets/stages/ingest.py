"""Ingesting: what the source says of a span of time, held against the contract."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import OBSERVATIONS, QUARANTINE
from mlops_assets.catalog.partitions import before, first_key, latest_complete, partition_of, whole_window
from mlops_assets.forecasting.data import contract
from mlops_assets.forecasting.data.grid import KEY, stamp_misfit, steps_after
from mlops_assets.forecasting.data.vintages import known_from
from mlops_assets.io_managers.errors import StaleWriteError
from mlops_assets.resources.clock import Clock, naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.sources.base import read_all, read_batches
from mlops_assets.sources.covariates import attach
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages import holes
from mlops_assets.stages.losses import Loss, losses


def read_observations(graph: Graph, window: contract.Window, clock: Clock) -> tuple[contract.Checked, str]:
    """Read a window of a forecast's source and hold it against the contract.

    Returns:
        What the contract said, and the source's name for people.

    Raises:
        SourceError: the source cannot be read.
        ContractError: a column is absent.
    """
    return _read(graph, window, clock, graph.contract.columns)


def read_first(graph: Graph, clock: Clock, most: int) -> contract.Checked:
    """Read about the first so many rows of a source and hold them against the contract; raises as the whole would."""
    start = pd.Timestamp(graph.spec.partitions.first_day)
    window = contract.Window(start, max(start, pd.Timestamp(clock.now()).tz_convert(graph.spec.zone).tz_localize(None)))
    return _read(graph, window, clock, graph.contract.columns, most)[0]


def read_future(
    graph: Graph, origin: pd.Timestamp, clock: Clock, history: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Read the known covariates over the horizon after an origin: item_id, timestamp and the covariates.

    Args:
        graph: of the forecast.
        origin: of the forecast.
        clock: says what is known.
        history: canonical frame up to the origin; of its items is asked what stands in tables of their own.

    Returns:
        The covariates, and what is to be said of the tables that they stand in: one that does not answer, for instance.

    Raises:
        SourceError: the source cannot be read.
        ContractError: a column is absent.
    """
    spec = graph.spec
    own = _own_future(graph, origin, clock) if spec.covariates.known else None
    if not spec.covariates.sources:
        return (own if own is not None else pd.DataFrame(columns=KEY)), []
    rows, notes = attach(spec, over_the_horizon(spec, history, own, origin), clock.now(), history)
    return rows[[*KEY, *spec.covariates.all_known]], notes


def over_the_horizon(
    spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame | None, origin: pd.Timestamp
) -> pd.DataFrame:
    """Return known covariates with a row for each item and step after an origin, missing where they are not known.

    Args:
        spec: says how many steps.
        history: canonical frame up to the origin; its items are meant.
        future: item_id, timestamp and known covariates; None: none are known.
        origin: of the forecast.
    """
    items, steps = history["item_id"].unique(), steps_after(origin, spec.horizon, spec.frequency)
    every = pd.MultiIndex.from_product([items, steps], names=KEY).to_frame(index=False)
    every["timestamp"] = every["timestamp"].astype("datetime64[us]")
    if future is None:
        return every
    names = [name for name in [*spec.covariates.all_known, *spec.calendar_columns] if name in future]
    return every.merge(future[[*KEY, *names]], on=KEY, how="left")


def _own_future(graph: Graph, origin: pd.Timestamp, clock: Clock) -> pd.DataFrame:
    """Read those that stand in the forecast's own table."""
    spec = graph.spec
    columns = [name for name in graph.contract.columns if name != spec.columns.target]
    steps = steps_after(origin, spec.horizon, spec.frequency)
    checked, _ = _checked(graph, contract.Window(steps[0], steps[-1] + pd.Timedelta(microseconds=1)), clock, columns)
    return checked.accepted[["item_id", "timestamp", *spec.covariates.known]]


def version_of(graph: Graph, clock: Clock) -> tuple[str, str]:
    """Return the version of what the source holds at present, and its name for people.

    Raises:
        SourceError: it cannot be reached.
    """
    reader = open_source(graph.spec)
    key = latest_complete(graph.spec, clock.now()) or first_key(graph.spec)
    window = whole_window(graph.partitions, latest_keys(graph.spec, key))
    return reader.version(graph.spec.columns.timestamp, window), reader.name


def latest_keys(spec: ForecastSpec, key: str) -> list[str]:
    """Return a partition after those before it in which rows are looked for that came late or were revised."""
    return [*before(spec, key, max(holes.REACH, spec.partitions.reread)), key]


def read_own(graph: Graph, window: contract.Window, clock: Clock) -> contract.Checked:
    """Read a window of a forecast's own table, what stands in other tables left out; raises as the whole would."""
    return _checked(graph, window, clock, graph.contract.columns)[0]


def _read(
    graph: Graph, window: contract.Window, clock: Clock, columns: Sequence[str], most: int | None = None
) -> tuple[contract.Checked, str]:
    """Read a window with its covariates, whatever table they stand in: all rows or about the first so many."""
    checked, name = _checked(graph, window, clock, columns, most)
    checked.accepted, notes = attach(graph.spec, checked.accepted, clock.now())
    checked.notes += notes
    return checked, name


def _checked(
    graph: Graph, window: contract.Window, clock: Clock, columns: Sequence[str], most: int | None = None
) -> tuple[contract.Checked, str]:
    """Hold columns of the forecast's own table against the contract; a target that is not among them is missing."""
    reader, target = open_source(graph.spec), graph.spec.columns.target
    asked = columns, graph.spec.columns.timestamp, graph.contract.asked(window)

    def read() -> Iterator[pd.DataFrame]:
        # A service is asked once: it may answer otherwise the next time.
        whole = most is not None or graph.spec.source.kind not in ("file", "sql", "asset")
        for raw in [read_all(reader, *asked, most)[:most]] if whole else read_batches(reader, *asked):
            yield raw if target in columns else raw.assign(**{target: None})

    # Under a clock that stands still, rows of later moments have not come yet.
    rules = replace(graph.contract, future="ignore") if clock.pinned else graph.contract
    checked = contract.check_batches(read, rules, window, clock.now(), exact=reader.exact)
    checked.notes[:0] = reader.notes
    return checked, reader.name


def fill(graph: Graph, tables: Tables, clock: Clock, key: str) -> dict[str, int]:
    """Read the partitions before one that were never read, or in vain, and store what has come of them since.

    One of which too large a share is rejected stays as it is.

    Returns:
        The partitions that were stored, with their rows.

    Raises:
        SourceError: the source cannot be read.
        ContractError: a column is absent.
    """
    name = graph.spec.name
    new, vain = holes.unread(graph.spec, tables, key), holes.empty(graph.spec, tables, key)
    wanted = sorted([*new, *vain])
    if not wanted:
        return {}
    checked, _ = read_observations(graph, whole_window(graph.partitions, wanted), clock)
    over = over_limit(checked, graph, wanted)
    accepted = partition_of(checked.accepted["timestamp"], graph.partitions, wanted)
    filled = [one for one in wanted if one not in over and (one in new or (accepted == one).any())]
    rejected = partition_of(checked.quarantined["timestamp"], graph.partitions, wanted)
    rows = known_from(checked.accepted, naive_utc(clock.now()))
    try:
        tables.write_all([name, QUARANTINE], {one: _of(checked.quarantined, rejected, one) for one in filled})
        tables.write_all([name, OBSERVATIONS], {one: rows[accepted == one] for one in filled}, **graph.observed)
    except StaleWriteError:  # another run has filled them meanwhile
        return {}
    return {one: int((accepted == one).sum()) for one in filled}


def _of(rows: pd.DataFrame, partitions: pd.Series, key: str) -> pd.DataFrame:
    return rows[partitions == key].assign(partition=key)


def quarantine_of(checked: contract.Checked, graph: Graph, keys: Sequence[str]) -> pd.DataFrame:
    """Return the rejected rows with their `partition`; those without a usable time belong to the last."""
    partitions = partition_of(checked.quarantined["timestamp"], graph.partitions, keys)
    return checked.quarantined.assign(partition=partitions.where(partitions.notna(), keys[-1]))


@dataclass(frozen=True)
class Intake:
    """What is to be stored of what has come, partition by partition.

    Attributes:
        rows: canonical frame, without the partitions that are over the limit and stored already.
        over: partitions of which too large a share is rejected or repeated, with what the contract said of each.
        losses: partitions for which fewer rows have come than are stored.
        untouched: partitions whose stored rows stay.
    """

    rows: pd.DataFrame
    over: Mapping[str, contract.Checked]
    losses: Mapping[str, Loss]
    untouched: Sequence[str]


def take_in(
    graph: Graph, tables: Tables, checked: contract.Checked, keys: Sequence[str], allow_shrink: bool = False
) -> Intake:
    """Decide what is stored: no fewer rows than before, and none over rows of a partition with too many bad ones.

    Of a partition that has too many bad rows and nothing stored, the good ones are better than nothing.

    Args:
        graph: of the forecast.
        tables: what is stored.
        checked: what the contract said of the partitions together.
        keys: of the partitions, consecutive.
        allow_shrink: whether stored rows may be replaced by fewer, however many get lost.
    """
    spec = graph.spec
    over = over_limit(checked, graph, keys) if len(keys) > 1 else {}
    rows = checked.accepted
    partitions = partition_of(rows["timestamp"], graph.partitions, keys)
    lost = losses(graph, tables, rows[~partitions.isin(list(over))] if over else rows, keys)
    if kept := list(over.keys() & lost.keys()):
        rows = rows[~partitions.isin(kept)].reset_index(drop=True)
    most = 1.0 if allow_shrink else spec.partitions.max_shrink
    return Intake(rows, over, lost, [key for key, loss in lost.items() if key in over or loss.share > most])


def over_limit(checked: contract.Checked, graph: Graph, keys: Sequence[str]) -> dict[str, contract.Checked]:
    """Return the partitions of which too many rows are rejected or repeated, with what the contract said of each."""

    def count(times: pd.Series) -> pd.Series:
        return partition_of(times, graph.partitions, keys).value_counts()

    limits, rejected, repeated = graph.spec.quarantine, count(checked.quarantined["timestamp"]), count(checked.repeated)
    rows = count(checked.of_window)
    bad = rejected / rows.reindex(rejected.index)
    again = repeated / rows.sub(rejected, fill_value=0).reindex(repeated.index)
    over = {*bad.index[bad > limits.max_share], *again.index[again > limits.max_repeated_share]}
    return {key: _only(checked, graph, keys, key) for key in sorted(over)}


def _only(checked: contract.Checked, graph: Graph, keys: Sequence[str], key: str) -> contract.Checked:
    """Return what the contract said of one of the partitions."""

    def inside(times: pd.Series) -> pd.Series:
        return partition_of(times, graph.partitions, keys) == key

    accepted = checked.accepted[inside(checked.accepted["timestamp"])]
    quarantined = checked.quarantined[inside(checked.quarantined["timestamp"])]
    collapsed, repeated, rows = (
        times[inside(times)] for times in (checked.collapsed, checked.repeated, checked.of_window)
    )
    counts = {
        "rows_read": len(rows),
        "rows_accepted": len(accepted),
        "rows_quarantined": len(quarantined),
        "rows_collapsed": len(collapsed),
        "rows_superseded": 0,
        "rows_aggregated": len(rows) - len(accepted) - len(quarantined) - len(collapsed),
        "rows_of_other_times": 0,
    }
    return contract.Checked(accepted, quarantined, counts, collapsed=collapsed, repeated=repeated, of_window=rows)


def too_early(spec: ForecastSpec, keys: Sequence[str]) -> str:
    """Say that partitions hold periods which are not over yet; see `partitions.not_over`."""
    at_end = stamp_misfit(spec.frequency, "end") == ""
    hint = "; if its stamps are the last days of their periods, declare columns.stamp: end" if at_end else ""
    return (
        f"{spec.file}: the last period of frequency {spec.frequency} in {span_of(keys)} is not over yet, so that only "
        f"a part of it can be known; the daily round takes it as soon as it is{hint}"
    )


def span_of(keys: Sequence[str]) -> str:
    """Return the first and last of some consecutive partitions, for people."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"
