"""The parts of a change add up, whatever came, went or cannot be told."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.monitoring.change import PARTS, bridge


def forecasts(first: int, values: dict[str, list[float]]) -> pd.DataFrame:
    """One row per item and day of May, from a day on."""
    return pd.DataFrame(
        [
            {"item_id": item, "timestamp": pd.Timestamp(2024, 5, first + lead), "q50": value}
            for item, column in values.items()
            for lead, value in enumerate(column)
        ]
    )


def test_each_part_is_the_step_from_one_forecast_to_the_next():
    previous = forecasts(1, {"a": [9.0, 10, 20], "b": [9.0, 1, 1]})
    replayed = forecasts(1, {"a": [9.0, 11, 20], "b": [9.0, 1, 1]})
    updated = forecasts(2, {"a": [15.0, 25, 99], "b": [1.0, 1, 99]})
    current = forecasts(2, {"a": [14.0, 24, 99], "b": [51.0, 1, 99]})
    table = bridge(previous, current, "q50", replayed, updated).set_index("item_id")
    assert list(table.index) == ["b", "a"], "the largest change first"
    assert table.loc["a", ["previous", *PARTS, "current", "change"]].tolist() == [30, 1, 9, -2, 38, 8]
    assert table.loc["b", list(PARTS)].tolist() == [0, 0, 50]
    assert set(table["steps"]) == {2}


def test_parts_add_up_with_items_that_come_and_go():
    random = np.random.default_rng(0)

    def some(first: int, items: range) -> pd.DataFrame:
        return forecasts(first, {f"i{item}": list(10.0 ** random.uniform(-3, 6, 14)) for item in items})

    frames = some(1, range(300)), some(2, range(20, 320)), some(1, range(310)), some(2, range(10, 315))
    table = bridge(*frames[:2], "q50", *frames[2:])
    assert table["item_id"].nunique() == len(table) == 320
    assert table["steps"].eq(13).all()
    whole = frames[1]["q50"][frames[1]["timestamp"] <= "2024-05-14"].sum()
    whole -= frames[0]["q50"][frames[0]["timestamp"] >= "2024-05-02"].sum()
    parts = table[list(PARTS)].sum(axis=1)
    assert (parts - table["change"]).abs().max() < 1e-9
    assert parts.sum() == pytest.approx(whole, abs=1e-6, rel=1e-14)
    assert parts.sum() == pytest.approx(table["change"].sum(), abs=1e-6, rel=1e-14)


def test_without_the_old_model_the_change_is_one_number():
    previous, current = forecasts(1, {"a": [1.0, 2]}), forecasts(2, {"a": [5.0, 6]})
    table = bridge(previous, current, "q50", previous, None)
    assert table["change"].tolist() == [3]
    assert table[list(PARTS)].isna().all(axis=None)


def test_without_a_timestamp_in_common_there_is_nothing_to_explain():
    assert bridge(forecasts(1, {"a": [1.0, 2]}), forecasts(5, {"a": [5.0, 6]}), "q50").empty
