"""Covariates of a forecast: what is missing of the known ones over the horizon, and of the past ones at the origin."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.errors import DataError
from mlops_assets.forecasting.data.grid import KEY, steps_after
from mlops_assets.forecasting.formatting import few, stamp
from mlops_assets.resources.clock import Clock
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.ingest import over_the_horizon, read_future

UNUSUAL = 0.1
"""Share of the rows ahead by which more must be missing than in the history, where some always are."""


def missing_ahead(
    spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame, expected: pd.DataFrame
) -> pd.DataFrame:
    """Count what is missing of each known covariate over the horizon, where the history has it.

    Args:
        spec: names the covariates.
        history: canonical frame up to the origin.
        future: item_id, timestamp and the known covariates after it, as `with_events` gives them.
        expected: item_id and timestamp of each forecast.

    Returns:
        A row for each covariate of which more is missing than usual: name, missing, rows, first (the first timestamp
        without it), items (those that lack it, if not all do).
    """
    return missing_of_all(spec, [missing_of(spec, history, future, expected)])


def missing_of(spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Count what is missing of each known covariate, of some of the items.

    Returns:
        A row for each covariate: name, missing, rows, first, and the items without it as of `missing_ahead`; of, the
        number of items; before and seen, how many of how many rows of the history lack it.
    """
    rows = expected[KEY].merge(future, on=KEY, how="left")
    found = []
    for name in [*spec.covariates.all_known, *_calendars(spec)]:
        absent = rows[name].isna()
        before = 0 if name in _calendars(spec) else int(history[name].isna().sum())
        without = sorted(rows.loc[absent, "item_id"].unique())
        first = rows.loc[absent, "timestamp"].min()
        counts = {"missing": int(absent.sum()), "rows": len(rows), "first": first, "items": without}
        found.append({"name": name, **counts, "of": rows["item_id"].nunique(), "before": before, "seen": len(history)})
    return pd.DataFrame(found, columns=["name", "missing", "rows", "first", "items", "of", "before", "seen"])


def missing_of_all(spec: ForecastSpec, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put the counts of `missing_of` together to what `missing_ahead` returns."""
    found, counts = [], pd.concat(parts, ignore_index=True)
    for name, rows in counts.groupby("name", sort=False):
        missing, whole, before, seen = (int(rows[column].sum()) for column in ("missing", "rows", "before", "seen"))
        usual = before / seen if before else 0.0
        if missing > (usual + UNUSUAL if usual else 0) * whole:
            without = sorted(item for items in rows["items"] for item in items)
            items = without if len(without) < rows["of"].sum() else []
            first = pd.Timestamp(rows["first"].min())
            found.append({"name": name, "missing": missing, "rows": whole, "first": first, "items": items})
    return pd.DataFrame(found, columns=["name", "missing", "rows", "first", "items"])


def _calendars(spec: ForecastSpec) -> list[str]:
    return [calendar.name for calendar in spec.calendars]


def look_ahead(graph: Graph, clock: Clock, history: pd.DataFrame, origin: pd.Timestamp) -> str:
    """Say what a round would of known covariates that the source lacks after an origin; empty if nothing.

    Args:
        graph: of the forecast.
        clock: says what is known.
        history: canonical frame; only items that are alive in it are looked at.
        origin: of the forecast.

    Raises:
        SourceError: the source cannot be read.
        DataError: the history has no rows that late.
    """
    from mlops_assets.forecasting.model.baselines import alive_items

    spec, seen = graph.spec, history[history["timestamp"] <= origin]
    future = known_ahead(graph, clock, seen, origin)
    if future is None:
        return ""
    steps = steps_after(origin, spec.horizon, spec.frequency)
    expected = pd.MultiIndex.from_product([alive_items(seen, spec.task, origin), steps], names=KEY).to_frame(
        index=False
    )
    missing = missing_ahead(spec, seen, future, expected)
    return f"origin {stamp(origin)}: {warning(missing, spec)}" if len(missing) else ""


def known_ahead(graph: Graph, clock: Clock, history: pd.DataFrame, origin: pd.Timestamp) -> pd.DataFrame | None:
    """Read what the source and the calendars know of the horizon after an origin; None without known covariates.

    Args:
        graph: of the forecast.
        clock: says what is known.
        history: canonical frame up to the origin.
        origin: of the forecast.

    Raises:
        SourceError: source or calendar cannot be read.
    """
    future = read_future(graph, origin, clock, history)[0] if graph.spec.covariates.all_known else None
    return with_events(graph.spec, history, future, origin)


def with_events(
    spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame | None, origin: pd.Timestamp
) -> pd.DataFrame | None:
    """Add to the known covariates what the calendars say of the horizon, for every item; without calendars, nothing.

    Args:
        spec: names the calendars.
        history: canonical frame up to the origin.
        future: item_id, timestamp and the known covariates after it; None without such covariates.
        origin: of the forecast.

    Raises:
        SourceError: a calendar cannot be read.
    """
    if not spec.calendars:
        return future
    return with_calendars(spec, over_the_horizon(spec, history, future, origin), history)


def sentence(missing: pd.DataFrame) -> str:
    """Say what `missing_ahead` has counted."""
    return ", ".join(
        f"{row['name']} in {row['missing']} of {row['rows']} rows from {stamp(row['first'])} on"
        + (f" (of {few(row['items'], 3)})" if row["items"] else "")
        for row in missing.to_dict("records")
    )


def newest_known(spec: ForecastSpec, history: pd.DataFrame) -> pd.DataFrame:
    """Return at which of the last season's timestamps anything is known of the past covariates, of some of the items.

    Returns:
        Index timestamp, a column of truth values for each covariate.
    """
    times = history["timestamp"]
    if not spec.covariates.past:
        return pd.DataFrame(index=pd.DatetimeIndex([], name="timestamp"))
    recent = history[times >= times.drop_duplicates().nlargest(_season(spec)).min()]
    return recent[list(spec.covariates.past)].notna().groupby(recent["timestamp"]).any()


def late_covariates(spec: ForecastSpec, parts: Sequence[pd.DataFrame]) -> list[str]:
    """Return the past covariates of which nothing is known at the origin, but was within the season before.

    Data of the newest steps often come late; a feed that has stopped is another matter.

    Args:
        spec: names the covariates.
        parts: as `newest_known` returns them of all items.
    """
    if not spec.covariates.past:
        return []
    known = pd.concat(parts).groupby(level=0).any().tail(_season(spec))
    return [name for name in spec.covariates.past if known[name].any() and not known[name].iloc[-1]]


def _season(spec: ForecastSpec) -> int:
    return max(spec.task.season_lengths[0], 2)


def warning(missing: pd.DataFrame, spec: ForecastSpec) -> str:
    """Say what is missing, and what to do, or what is done as the spec says."""
    todo = {
        "warn": "Load them and run again, or set covariates.missing_future: last",
        "error": "Load them; until then nothing is forecast, as covariates.missing_future: error says",
        "last": "The last known values go on, as covariates.missing_future: last says",
    }[spec.covariates.missing_future]
    over = ended(missing, spec)
    unknown = missing.drop(over.index)
    said = [f"known covariates are missing over the horizon: {sentence(unknown)}. {todo}"] if len(unknown) else []
    if len(over):
        add = "Add the later events, or say until which day there are none (calendars.until)"
        said.append(f"calendars end within the horizon: {sentence(over)}. {add}")
    return ". ".join(said)


def ended(missing: pd.DataFrame, spec: ForecastSpec) -> pd.DataFrame:
    """Return those rows of `missing_ahead` that are of calendars, which end within the horizon."""
    return missing[missing["name"].isin(_calendars(spec))]


def refuse(spec: ForecastSpec, missing: pd.DataFrame) -> None:
    """Raise DataError if something is missing and the spec calls that an error."""
    if len(missing) and spec.covariates.missing_future == "error":
        raise DataError(
            f"{spec.name}: known covariates are missing over the horizon: {sentence(missing)}. Load them and run "
            "again, or set covariates.missing_future to warn or last"
        )


def future_of(
    spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame | None, origin: pd.Timestamp
) -> pd.DataFrame | None:
    """Return the known covariates that a forecast is made with: with events, and carried forward as the spec says.

    Args:
        spec: names the calendars and the covariates.
        history: canonical frame up to the origin.
        future: item_id, timestamp and the known covariates after it; None without such covariates.
        origin: of the forecast.

    Raises:
        SourceError: a calendar cannot be read.
    """
    return carried_forward(spec, history, with_events(spec, history, future, origin), origin)


def carried_forward(
    spec: ForecastSpec, history: pd.DataFrame, future: pd.DataFrame | None, origin: pd.Timestamp
) -> pd.DataFrame | None:
    """Return known covariates as they are, or the item's last value where one is missing.

    What the calendars say is not carried beyond their end.

    Args:
        spec: says in `covariates.missing_future` which of the two.
        history: canonical frame up to the origin.
        future: as `with_events` gives it.
        origin: of the forecast.
    """
    names = spec.covariates.all_known
    if future is None or not names or spec.covariates.missing_future != "last":
        return future
    ahead = over_the_horizon(spec, history, future, origin)
    both = pd.concat([history[[*KEY, *names]], ahead], ignore_index=True).sort_values(KEY, kind="stable")
    both[names] = both.groupby("item_id")[names].ffill()
    return both[both["timestamp"] > origin].reset_index(drop=True)
