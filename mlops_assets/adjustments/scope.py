"""What an adjustment is about: which forecast, which items, which timestamps, and what is known of them."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.adjustments.log import EVERYTHING, Action, AdjustmentError, Entry
from mlops_assets.catalog.graph import reach_of
from mlops_assets.catalog.names import FORECASTS, OBSERVATIONS
from mlops_assets.catalog.partitions import origin_of, partitions_of, window_of
from mlops_assets.catalog.tables import ForecastTables
from mlops_assets.errors import UnknownNameError
from mlops_assets.forecasting.data.grid import last_before, steps_after
from mlops_assets.forecasting.delivery.by_item import by_item
from mlops_assets.forecasting.evaluation import hierarchy
from mlops_assets.forecasting.evaluation.hierarchy import PREFIX, Tree
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.rows import Only
from mlops_assets.spec import ForecastSpec

_DAY = len("2013-12-31")
_YEARS = range(1700, 2201)
MOST_NAMES = 20
"""Items that a message names."""


class Scope:
    """The forecasts of one spec, its items and their groups, as they are now."""

    def __init__(self, tables: Tables, spec: ForecastSpec) -> None:
        self._tables, self._spec, self._stored = tables, spec, ForecastTables(tables, spec.name)

    def origin(self, key: str) -> pd.Timestamp:
        """Return the origin of a partition."""
        return origin_of(self._spec, window_of(partitions_of(self._spec), key))

    def last(self, origin: pd.Timestamp) -> pd.Timestamp:
        """Return the last timestamp that the forecast of an origin reaches."""
        return steps_after(origin, self._spec.horizon, self._spec.frequency)[-1]

    def since(self, key: str) -> list[str]:
        """Return the stored partitions of forecasts from one on."""
        return [one for one in self._stored.partitions(FORECASTS) if one >= key]

    def before(self, key: str) -> str | None:
        """Return the stored partition of forecasts before one; None without any."""
        return max((one for one in self._stored.partitions(FORECASTS) if one < key), default=None)

    def latest(self) -> str:
        """Return the key of the partition of the latest origin.

        Raises:
            AdjustmentError: there is no forecast yet.
        """
        stored = self._stored.partitions(FORECASTS)
        if not stored:
            raise AdjustmentError(
                f"{self._spec.name} has no forecast yet that could be adjusted",
                advice=[f"mlops-assets run {self._spec.name}"],
            )
        return stored[-1]

    def entry(self, action: Action, item: str, since: str, until: str | None) -> Entry:
        """Return a row of the log on what a person has named.

        Raises:
            AdjustmentError: there is no forecast yet, or the period is over.
            UnknownNameError: there is no such item or sum.
        """
        key = self.latest()
        origin = self.origin(key)
        first = self._moment("from", since, end=False)
        last = self._moment("until", until if until is not None else since, end=True)
        if last < first:
            raise AdjustmentError(f"the period ends ({last}) before it begins ({first})", parameter="until")
        after = pd.DatetimeIndex([last + pd.Timedelta(microseconds=1)])
        if last_before(after, self._spec.frequency, self._spec.zone)[0] < first:
            raise AdjustmentError(
                f"nothing is forecast between {first} and {last}: timestamps are {self._spec.frequency}",
                parameter="since",
            )
        if last < steps_after(origin, 1, self._spec.frequency)[0]:
            raise AdjustmentError(
                f"{last} is over: the latest forecast is from {origin}, and what was published before stays as it was",
                parameter="since" if until is None else "until",
            )
        items = self._items(key, item)
        return Entry(action, item, first, last, origin, tuple(items))

    def _moment(self, name: str, text: str, end: bool) -> pd.Timestamp:
        try:
            moment = pd.Timestamp(text)
        except ValueError:
            moment = pd.NaT
        parameter = "since" if name == "from" else name
        if moment is pd.NaT or not isinstance(moment, pd.Timestamp):
            raise AdjustmentError(
                f"{name}: {text!r} is no moment; give it as 2024-05-31 or 2024-05-31T18:00", parameter=parameter
            )
        if moment.year not in _YEARS:
            raise AdjustmentError(
                f"{name}: {text!r} is not between the years {_YEARS[0]} and {_YEARS[-1]}", parameter=parameter
            )
        if moment.tzinfo is not None:
            moment = moment.tz_convert(self._spec.zone).tz_localize(None)
        whole_day = end and len(str(text).strip()) == _DAY
        return (moment + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1) if whole_day else moment).as_unit("us")

    def _items(self, key: str, item: str) -> Sequence[str]:
        """Return which items a sum has now; nothing of one item, and of all."""
        if item == EVERYTHING:
            return ()
        name = [self._spec.name, FORECASTS]
        if not item.startswith(PREFIX):
            known = self._tables.read(name, [key], ["item_id"], Only([item]))
            if known.empty:
                raise UnknownNameError.of("item", item, self._forecast_items(key)[:MOST_NAMES], parameter="item")
            return ()
        tree = self.tree(key)
        if tree is None or item not in tree.nodes:
            sums = [EVERYTHING] if tree is None else tree.nodes.tolist()
            raise UnknownNameError.of("sum of items", item, sums, parameter="item")
        return tree.items[tree.member[tree.nodes.tolist().index(item)]].tolist()

    def _forecast_items(self, key: str) -> list[str]:
        return sorted(self._tables.read([self._spec.name, FORECASTS], [key], ["item_id"])["item_id"].unique())

    def tree(self, key: str) -> Tree | None:
        """Return which items of a partition belong to which sums; None where the spec has no hierarchy."""
        spec = self._spec
        if spec.hierarchy is None:
            return None
        items, static = (
            self._forecast_items(key),
            [one for one in spec.hierarchy.levels if one in spec.covariates.static],
        )
        frame = self.observed(static) if static else pd.DataFrame({"item_id": items})
        frame = frame[frame["item_id"].isin(items)]
        return Tree.of(hierarchy.level_values(frame, spec.hierarchy.levels, spec.columns.item_id))

    def limits(self, items: Sequence[str]) -> pd.DataFrame | None:
        """Return the declared bounds of items, see `rules.adjusted`; None where none is declared."""
        spec, ids = self._spec, pd.Series(list(items), dtype=object)
        bounds = {"low": spec.minimum, "high": spec.maximum}
        named = sorted({bound for bound in bounds.values() if isinstance(bound, str)})
        if not any(bound is not None for bound in bounds.values()) or ids.empty:
            return None
        known = self.observed(named, items) if named else pd.DataFrame()
        found = {name: by_item(float("nan") if one is None else one, known, ids) for name, one in bounds.items()}
        return pd.DataFrame(found, index=pd.Index(ids))

    def observed(self, names: Sequence[str], items: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the latest observations of static covariates: item_id, timestamp and these columns."""
        keys = self._stored.partitions(OBSERVATIONS)[-reach_of(self._spec) :]
        only = None if items is None else Only(items)
        columns = ["item_id", "timestamp", *names]
        return self._tables.read([self._spec.name, OBSERVATIONS], keys, columns, only)
