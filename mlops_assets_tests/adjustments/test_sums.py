"""Sums of a hierarchy follow their items: what is published of a sum is what its items add up to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlops_assets.adjustments.adjuster import Wanted
from mlops_assets.adjustments.publisher import Publisher
from mlops_assets.catalog.names import FORECASTS, PUBLISHED_FORECASTS, RECONCILED_FORECASTS
from mlops_assets.reading.reader import Reader
from mlops_assets.resources.clock import Clock
from mlops_assets_tests.adjustments.frames import NUMBERS, system
from mlops_assets_tests.adjustments.stores import FIRST, KEY, NEXT, adjuster, stored

COLUMNS = {"item_id": ["region", "shop"], "timestamp": "day", "target": "sales"}
IDS = {"shop 0": "north/0", "shop 1": "south/1", "shop 2": "north/2"}
SUMS = {"sum:*": [*IDS.values()], "sum:north": ["north/0", "north/2"]}


def _items(key: str) -> pd.DataFrame:
    rows = system(pd.Timestamp(key), seed=int(key[-2:])).replace({"item_id": IDS})
    made = {"created_at": pd.Timestamp(f"{key} 23:00"), "source": "champion", "model_version": 1, "naive": rows["q50"]}
    return rows.assign(role="delivered", job_key="", **made)


def _reconciled(key: str) -> pd.DataFrame:
    """Items and sums, with means that add up and intervals of their own."""
    items = _items(key).drop(columns=["role", "created_at", "job_key", "naive"])
    parts = [items.assign(level="item")]
    for name, members in SUMS.items():
        steps = items[items["item_id"].isin(members)].groupby(["origin", "timestamp", "lead"], as_index=False)
        own, more = steps["mean"].sum(), {"level": "region", "source": "aggregate", "model_version": 1}
        quantiles = {"q10": own["mean"] - 7, "q50": own["mean"], "q90": own["mean"] + 7}
        parts.append(own.assign(item_id=name, **more, **quantiles))
    return pd.concat(parts, ignore_index=True)


def test_sums_move_with_their_items_when_somebody_adjusts_and_in_the_next_round(tmp_path: Path) -> None:
    spec, tables = stored(tmp_path, columns=COLUMNS, hierarchy={"levels": ["region"]})
    tables.write([spec.name, FORECASTS], _items(KEY), KEY)
    tables.write([spec.name, RECONCILED_FORECASTS], _reconciled(KEY), KEY)
    planner = adjuster(spec, tables)
    planner.adjust(Wanted("sum:north", FIRST, "2024-05-12", "value", 100, "contract"), "ada")
    planner.adjust(Wanted("south/1", FIRST, None, "delta", 5, "promotion"), "bob")
    Publisher(tables, spec).refresh([KEY], pd.Timestamp("2024-05-11 07:00"))
    reader = Reader(spec, tables, Clock(fixed="2024-05-11T08:00"))
    everything = reader.forecasts(["sum:*", "sum:north", *IDS.values()], origin=KEY).set_index(["item_id", "lead"])
    for name, members in SUMS.items():
        for lead in range(1, 6):
            whole = everything.loc[(name, lead), "mean"]
            assert whole == pytest.approx(sum(everything.loc[(item, lead), "mean"] for item in members))
    assert everything.loc[("sum:north", 1), "mean"] == pytest.approx(100, abs=1e-9)
    assert everything.loc[("sum:*", 1), "adjustment"] == 2
    assert everything.loc[("sum:*", 2), "adjustment"] == 1
    assert pd.isna(everything.loc[("sum:*", 3), "adjustment"])
    width = everything.loc["sum:north"]
    np.testing.assert_allclose(width["q90"] - width["q10"], 14)

    publisher, now = Publisher(tables, spec), pd.Timestamp("2024-05-12 06:00")
    tables.write([spec.name, FORECASTS], pd.concat(publisher.passing([_items(NEXT)], [NEXT], now)), NEXT)
    publisher.with_sums(_reconciled(NEXT), [NEXT], now)
    rows = tables.read([spec.name, PUBLISHED_FORECASTS], [NEXT])
    assert rows["item_id"].tolist() == ["north/0", "north/2", "sum:*", "sum:north"]
    assert rows.set_index("item_id").loc["sum:north", "mean"] == pytest.approx(100, abs=1e-9)
    assert rows[NUMBERS].notna().all(axis=None)
    planner.withdraw(1, "ada")
    assert (tables.read([spec.name, PUBLISHED_FORECASTS], [NEXT])["superseded_at"].notna()).all()
