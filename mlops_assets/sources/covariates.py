"""Covariates that stand in tables of their own: read for the time and the items of some rows, and joined to them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import pandas as pd

from mlops_assets.forecasting.data.contract import Checked, Contract, ContractError, Window, check
from mlops_assets.forecasting.data.grid import floor_to_grid, periods_of
from mlops_assets.forecasting.data.joins import item_keys
from mlops_assets.forecasting.data.numbers import NumberFormat
from mlops_assets.sources.base import SourceReader, SourceUnavailableError, read_all
from mlops_assets.sources.factory import open_source
from mlops_assets.spec import ForecastSpec, HttpSource
from mlops_assets.spec.joined import CovariateSource
from mlops_assets.spec.sources import Source

_INSTANT = pd.Timedelta(microseconds=1)
_EVERYBODY, _NO_TARGET = "everybody", "no target"
"""Columns that a table has in place of an item's and a target."""


def attach(
    spec: ForecastSpec, rows: pd.DataFrame, now: datetime, history: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Join to rows what the spec's `covariates.sources` have for them; what they lack is missing.

    Args:
        spec: names the tables.
        rows: item_id and timestamp, no pair twice, among other columns.
        now: the present moment, aware.
        history: canonical frame up to an origin that the rows come after: then the known covariates are joined, from
            where their future stands. None: the rows are observations, which get the past covariates too.

    Returns:
        The rows in their order, observations with the columns of a canonical frame; and what is to be said, a line
        each. A service that does not answer over the horizon is such a line, unless `covariates.missing_future` calls
        that an error: what is missing there is told, and a forecast is made without.

    Raises:
        SourceError: a table cannot be read.
        ContractError: a column is absent, or more of a table's rows break the contract than the spec allows.
    """
    notes: list[str] = []
    ahead, of_items = history is not None, rows if history is None else history
    for one in spec.covariates.sources:
        names = one.known if ahead else [*one.known, *one.past]
        table = pd.DataFrame({"key": [], "timestamp": [], **{name: [] for name in names}})
        if names and len(rows):
            source = one.future if ahead and one.future is not None else one.source
            try:
                table, found = _read(spec, one, source, names, rows["timestamp"], now)
                notes += [f"covariates {one.name}: {note}" for note in found]
            except SourceUnavailableError as error:
                if not ahead or spec.covariates.missing_future == "error":
                    raise
                notes.append(f"covariates {one.name}: {error}")
        rows = _joined(spec, one, rows, of_items, table, names)
    if not ahead and spec.covariates.sources:
        rows = rows[["item_id", "timestamp", "target", *spec.covariate_columns]]
    return rows, notes


def probe(spec: ForecastSpec, one: CovariateSource, now: datetime) -> str:
    """Reach a table, and where its future stands, and say in words what was found; raises as `SourceReader.probe`."""
    columns, stamp = _columns(spec, one, [*one.known, *one.past])
    said = []
    for source in one.sources:
        _, asked = next(_asked(one, source))
        said.append(open_source(spec, asked).probe(columns if not one.each else columns[1:], stamp, now))
    return "; after the origin: ".join(said)


def _joined(
    spec: ForecastSpec,
    one: CovariateSource,
    rows: pd.DataFrame,
    of_items: pd.DataFrame,
    table: pd.DataFrame,
    names: Sequence[str],
) -> pd.DataFrame:
    if table.empty:
        return rows.assign(**dict.fromkeys(names, float("nan")))
    times = rows["timestamp"]
    if _is_coarser(spec, one):
        times = floor_to_grid(times, str(one.frequency))
    keys = _EVERYBODY
    if one.by:
        keys = rows["item_id"].map(item_keys(of_items, one.by, spec.columns.item_id))
    asked = pd.DataFrame({"timestamp": times.astype("datetime64[us]")}).assign(key=keys)
    found = asked.merge(table, on=["key", "timestamp"], how="left")[list(names)]
    return rows.assign(**{name: found[name].to_numpy() for name in names})


def _read(
    spec: ForecastSpec, one: CovariateSource, source: Source, names: Sequence[str], times: pd.Series, now: datetime
) -> tuple[pd.DataFrame, list[str]]:
    """Read a table for a span of time.

    Returns:
        key (see `joins.item_keys`), timestamp and the covariates, no pair of the first two twice; and what is to be
        said.
    """
    window = _window(spec, one, times)
    columns, stamp = _columns(spec, one, names)
    notes, parts, reader = [], [], None
    for value, asked in _asked(one, source):
        reader = open_source(spec, asked)
        wanted = columns if value is None else columns[1:]
        raw = read_all(reader, wanted, stamp, window)
        parts.append(raw if value is None else raw.assign(**{one.by[0]: value}))
        notes += reader.notes
    raw = pd.concat(parts, ignore_index=True).assign(**{_NO_TARGET: None})
    checked = _checked(spec, one, source, names, raw, window, now)
    notes = list(dict.fromkeys([*notes, *checked.notes]))
    if len(checked.quarantined):
        notes.append(_rejected(spec, one, reader, checked))
    table = checked.accepted.rename(columns={"item_id": "key"})[["key", "timestamp", *names]]
    if one.aggregate is not None:
        table["timestamp"] = floor_to_grid(table["timestamp"], spec.frequency, spec.columns.stamp == "end")
        rules = one.aggregate if isinstance(one.aggregate, dict) else dict.fromkeys(names, one.aggregate)
        groups = table.groupby(["key", "timestamp"])
        # Of nothing but missing values comes a missing one: a sum would be zero.
        sums = {name: groups[name].sum(min_count=1) for name in names if rules[name] == "sum"}
        others = {name: groups[name].agg(rules[name]) for name in names if rules[name] != "sum"}
        table = pd.DataFrame({**sums, **others}).reset_index()
    return table, notes


def _checked(
    spec: ForecastSpec,
    one: CovariateSource,
    source: Source,
    names: Sequence[str],
    raw: pd.DataFrame,
    window: Window,
    now: datetime,
) -> Checked:
    rules = Contract(
        item_id=tuple(one.by) or (_EVERYBODY,),
        timestamp=_columns(spec, one, names)[1],
        target=_NO_TARGET,
        frequency=one.frequency or spec.frequency,
        time_zone=spec.time_zone,
        timestamp_format=one.timestamp_format,
        known=tuple(names),
        stamp_at_end=spec.columns.stamp == "end",
        numbers=NumberFormat(source.decimal, source.thousands, tuple(source.na_values)),
    )
    return check(raw if one.by else raw.assign(**{_EVERYBODY: _EVERYBODY}), rules, window, now)


def _rejected(spec: ForecastSpec, one: CovariateSource, reader: SourceReader | None, checked: Checked) -> str:
    """Say how many rows are rejected, and why the first of each reason is; ContractError if too many are."""
    told = "; ".join(
        f"{reason} ({count}), such as row {first['source_row']} of {first['source']}: {first['detail']}"
        for reason, count in checked.reasons.items()
        for first in [checked.quarantined[checked.quarantined["reason"] == reason].iloc[0]]
    )
    share, most = checked.quarantine_share, spec.quarantine.max_share
    if share > most:
        name = reader.name if reader is not None else one.name
        raise ContractError(
            f"covariates {one.name}, {name}: {share:.1%} of its rows break the contract, more than the {most:.1%} that "
            f"quarantine.max_share allows: {told}"
        )
    return f"{len(checked.quarantined)} rows are left out: {told}"


def _columns(spec: ForecastSpec, one: CovariateSource, names: Sequence[str]) -> tuple[list[str], str]:
    """Return the columns of a table that are wanted, those of its items first, and which of them is the time."""
    stamp = one.timestamp or spec.columns.timestamp
    return [*one.by, stamp, *names], stamp


def _asked(one: CovariateSource, source: Source) -> Iterator[tuple[str | None, Source]]:
    """Yield what is to be read: the source, or one for each value that it is asked about, with that value."""
    if not one.each or not isinstance(source, HttpSource):
        yield None, source
        return
    for value, given in one.each.items():
        query = dict(source.query)
        for name, text in sorted(given.items(), reverse=True):  # :latitude before :lat
            query = {key: old.replace(f":{name}", text) for key, old in query.items()}
        yield value, source.model_copy(update={"query": query})


def _window(spec: ForecastSpec, one: CovariateSource, times: pd.Series) -> Window:
    """Return the span of time that a table is asked for: the whole periods of its own rows, or of those it is for."""
    edges, frequency = pd.Series([times.min(), times.max()]), spec.frequency
    if _is_coarser(spec, one):
        frequency = str(one.frequency)
        edges = floor_to_grid(edges, frequency)
    begins, ends = periods_of(pd.DatetimeIndex(edges), frequency, spec.columns.stamp == "end")
    return Window(min(edges[0], begins[0]), max(edges[1] + _INSTANT, ends[1]))


def _is_coarser(spec: ForecastSpec, one: CovariateSource) -> bool:
    return one.frequency not in (None, spec.frequency) and one.aggregate is None
