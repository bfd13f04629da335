"""What was known of a forecast's observations, and when: `mlops-assets revisions`, and `as_of` of other questions."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FUTURE_COVARIATES, OBSERVATIONS, REVISIONS
from mlops_assets.catalog.partitions import holding
from mlops_assets.environments import open_stores
from mlops_assets.errors import UsageError, nearest
from mlops_assets.forecasting.data.grid import KEY
from mlops_assets.forecasting.data.vintages import KNOWN_AT, SUPERSEDED_AT, all_versions
from mlops_assets.forecasting.formatting import plain_rows
from mlops_assets.forecasting.monitoring.revising import Revising, revising
from mlops_assets.lifecycle.retention import Retained
from mlops_assets.lifecycle.revisions import Revisions
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.settings import Settings, moment
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.known import AsKnown


class RevisionsError(UsageError):
    """A question to the past that cannot be answered; the message says why and what helps."""


@dataclass(frozen=True, eq=False)
class RevisionsFound:
    """How a forecast's observations were revised.

    Attributes:
        forecast: its name.
        revising: how often, how late and how much.
        rows: the versions of the values that were revised, or all of one item: item_id, timestamp, target, the
            covariates, `known_at` and `superseded_at` (UTC).
    """

    forecast: str
    revising: Revising
    rows: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the rows."""
        return self.rows

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {
            "forecast": self.forecast,
            "values": self.revising.values,
            "revised_after_days": {str(days): share for days, share in self.revising.after.items()},
            "median_change": self.revising.change,
            "went_away": self.revising.gone,
            "rows": plain_rows(self.rows),
        }


def revisions(spec: ForecastSpec, settings: Settings, item: str | None = None) -> RevisionsFound:
    """Say how the stored observations were revised.

    Args:
        spec: the forecast.
        settings: where they are.
        item: only this one, with its values that never were; None: of all items those that were.

    Raises:
        RevisionsError: nothing is stored, or there is no such item.
    """
    with open_stores(settings) as stores:
        versions = all_versions(*_stored(spec, stores.tables).versions(OBSERVATIONS)).drop(columns="partition")
    told = versions[versions.duplicated(KEY, keep=False) | versions[SUPERSEDED_AT].notna()]
    if item is not None:
        known = versions["item_id"].unique()
        if item not in known:
            near = nearest(item, known, 3) or sorted(known)[:3]
            raise RevisionsError(f"no item {item!r} is stored; there are {len(known)}, such as {', '.join(near)}")
        versions = told = versions[versions["item_id"] == item]
    return RevisionsFound(spec.name, revising(versions), told.reset_index(drop=True))


def observations(spec: ForecastSpec, settings: Settings, as_of: str | None = None) -> pd.DataFrame:
    """Return the stored observations, as they are known now or as they were known at a moment.

    Args:
        spec: the forecast.
        settings: where they are.
        as_of: in ISO 8601, in UTC where it names no offset; None: now.

    Returns:
        item_id, timestamp, target, the covariates and `known_at` (UTC).

    Raises:
        RevisionsError: it is no moment or is still to come, nothing is stored, or nothing was known then.
        NotKeptError: what was known then was removed.
    """
    with open_stores(settings) as stores:
        past, now = _stored(spec, stores.tables), naive_utc(stores.clock.now())
        if as_of is None:
            return past.versions(OBSERVATIONS)[0].drop(columns="partition")
        at = read_moment(as_of)
        if at > now:
            raise RevisionsError(f"--as-of {as_of!r}: that moment is still to come, it is {now:%Y-%m-%d %H:%M} UTC")
        Retained(stores.tables, spec).require_moment(REVISIONS, at, "--as-of")
        found = past.as_of(OBSERVATIONS, at)
        if found.empty:
            first = min(rows[KNOWN_AT].min() for rows in past.versions(OBSERVATIONS) if len(rows))
            raise RevisionsError(
                f"{spec.name}: nothing was stored by {at:%Y-%m-%d %H:%M} UTC, the first rows were at "
                f"{first:%Y-%m-%d %H:%M}; docs/vintages.md says what that means"
            )
    return found


def as_known(spec: ForecastSpec, settings: Settings) -> AsKnown | None:
    """Return what was known at each origin; None where the spec does not ask for it, or nothing is stored."""
    if not spec.as_known:
        return None
    with open_stores(settings) as stores:
        if not stores.tables.exists([spec.name, OBSERVATIONS]):
            return None
        return AsKnown.wanted(Graph(spec), stores.tables, stores.tables.read([spec.name, OBSERVATIONS]))


def future_covariates(spec: ForecastSpec, settings: Settings, origin: pd.Timestamp, as_of: str) -> pd.DataFrame | None:
    """Return the known covariates after an origin as they were known at a moment; None where none were.

    Args:
        spec: the forecast.
        settings: where they are.
        origin: of the forecast.
        as_of: see `observations`.
    """
    key = holding(spec, origin)
    with open_stores(settings) as stores:
        if key not in stores.tables.partitions([spec.name, FUTURE_COVARIATES]):
            return None
        found = Revisions(Graph(spec), stores.tables).as_of(FUTURE_COVARIATES, read_moment(as_of), [key])
    return None if found.empty else found.drop(columns=["partition", KNOWN_AT])


def read_moment(text: str) -> pd.Timestamp:
    """Read a moment, naive, in UTC; RevisionsError if it is none."""
    try:
        return naive_utc(moment(text))
    except ValueError as error:
        raise RevisionsError(f"--as-of {text!r}: {error}") from None


def _stored(spec: ForecastSpec, tables: Tables) -> Revisions:
    if not tables.exists([spec.name, OBSERVATIONS]):
        raise RevisionsError(f"{spec.name}: no observations are stored", advice=[f"mlops-assets ingest {spec.name}"])
    return Revisions(Graph(spec), tables)
