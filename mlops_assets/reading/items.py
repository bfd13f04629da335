"""The items of a forecast: how large they are, how good their forecasts, and how these have changed."""

from __future__ import annotations

from typing import Literal, get_args

import pandas as pd

from mlops_assets.catalog.names import FORECAST_CHANGE, OBSERVATIONS
from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.hierarchy import Tree
from mlops_assets.reading.accuracy import scores
from mlops_assets.reading.asked import Asked
from mlops_assets.reading.matched import RECENT, Matched
from mlops_assets.reading.observations import observations, within
from mlops_assets.reading.origins import Origins
from mlops_assets.reading.questions import QuestionError
from mlops_assets.reading.sums import tree_of
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

Sort = Literal["name", "volume", "error", "change"]
ITEM = "item"
"""The level of an item itself; the others are those of the hierarchy."""
COLUMNS = ["item_id", "level", "volume", "error", "skill", "change", "last_value"]
MOST_SCORED = 150_000
"""Rows that errors are taken from: of the latest partitions, one at least."""


def items(tables: Tables, spec: ForecastSpec, asked: Asked, search: str = "", sort: Sort = "volume") -> pd.DataFrame:
    """Return the items that something was forecast or observed of lately, one row each.

    Args:
        tables: where they are.
        spec: the forecast.
        asked: as of which moment.
        search: only ids that hold this text, in whatever case.
        sort: by `name`; or, the largest first, by `volume`, `error`, or `change` in either direction.

    Returns:
        item_id; level: `item`, or that of a hierarchy's sum; volume: the mean absolute target of the latest `RECENT`
        partitions; error: the MASE of the latest forecasts that could be scored (`MOST_SCORED` rows at most), and skill
        beside it; change: by how much the latest forecast differs from the one before it, in sum; last_value: that was
        observed.

    Raises:
        QuestionError: there is no such order.
    """
    if sort not in get_args(Sort):
        raise QuestionError.of("sort", sort, get_args(Sort))
    seen = _observed(tables, spec, asked)
    origins = Origins(tables, spec)
    latest = origins.latest(asked.as_of)
    made = [] if latest is None else tables.read(origins.key, [latest.partition], ["item_id"])["item_id"].unique()
    found = pd.DataFrame(index=pd.Index(sorted({*seen.index, *made}), name="item_id", dtype=object))
    found = found.join(seen).join(_errors(tables, spec, asked)).join(_changes(tables, spec, asked))
    found = found.assign(level=ITEM).reset_index()[COLUMNS]
    if spec.hierarchy is not None and len(found):
        found = pd.concat([found, _sums(found, tree_of(tables, spec, asked))], ignore_index=True)
    return listed(found, search, sort)


def listed(found: pd.DataFrame, search: str, sort: Sort) -> pd.DataFrame:
    """Return those of all items, sorted by name, that are asked for, in the order that is asked for; see `items`."""
    if search:
        # A slash within a name is written as %2F where names are joined; people look for what they know.
        names = found["item_id"].str.replace("%2F", "/", regex=False)
        found = found[
            found["item_id"].str.contains(search, case=False, regex=False)
            | names.str.contains(search, case=False, regex=False)
        ]
    if sort == "name":
        return found.reset_index(drop=True)
    return found.sort_values(sort, ascending=False, kind="stable", key=pd.Series.abs, ignore_index=True)


def _observed(tables: Tables, spec: ForecastSpec, asked: Asked) -> pd.DataFrame:
    """Return volume and last_value by item."""
    keys = within(spec, tables.partitions([spec.name, OBSERVATIONS]), asked)[-RECENT:]
    rows = observations(tables, spec, asked, keys)
    item = rows["item_id"]
    return pd.DataFrame(
        {"volume": rows["target"].abs().groupby(item).mean(), "last_value": rows["target"].groupby(item).last()}
    )


def _sums(items: pd.DataFrame, tree: Tree) -> pd.DataFrame:
    """Return the sums of a hierarchy, by what is known of their items; of their errors nothing is stored."""
    own = items.set_index("item_id").reindex(tree.items)
    added = {
        name: tree.member.astype(float) @ own[name].fillna(0.0).to_numpy(float)
        for name in ("volume", "change", "last_value")
    }
    return pd.DataFrame({"item_id": tree.nodes, "level": tree.level, **added}).reindex(columns=COLUMNS)


def _errors(tables: Tables, spec: ForecastSpec, asked: Asked) -> pd.DataFrame:
    """Return error and skill by item."""
    scored = scores(Matched.of(tables, spec, asked, MOST_SCORED), "item").set_index("item_id")
    return scored.rename(columns={ledger.BASELINE: "error"})[["error", "skill"]]


def _changes(tables: Tables, spec: ForecastSpec, asked: Asked) -> pd.Series:
    """Return by how much the forecast of each item has changed from the origin before to the latest."""
    key = [spec.name, FORECAST_CHANGE]
    keys = within(spec, tables.partitions(key), asked)[-1:]
    if not keys:
        return pd.Series(dtype=float, name="change", index=pd.Index([], name="item_id", dtype=object))
    return tables.read(key, keys, ["item_id", "change"]).set_index("item_id")["change"]
