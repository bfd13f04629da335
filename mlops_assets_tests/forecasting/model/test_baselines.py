import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import baselines
from mlops_assets.forecasting.model.features import lookback
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel, with_gaps


def test_the_last_same_weekday_is_repeated():
    frame = daily_panel()
    table = baselines.seasonal_naive(frame, DAILY)
    known = frame.set_index(["item_id", "timestamp"])["target"]
    for row in table.itertuples():
        weeks = 1 if row.lead <= 7 else 2
        assert row.mean == row.q50 == known[row.item_id, row.timestamp - pd.Timedelta(weeks=weeks)]
    assert len(table) == 40
    assert (table["source"] == "seasonal_naive").all()


def test_quantiles_are_those_of_its_past_errors():
    frame = daily_panel(items=1, days=300)
    table = baselines.seasonal_naive(frame, DAILY)
    recent = frame.sort_values("timestamp")["target"].to_numpy()[-lookback(DAILY) :]
    for lead, back in ((1, 7), (10, 14)):
        row = table[table["lead"] == lead].iloc[0]
        low, high = np.quantile(recent[back:] - recent[:-back], [0.1, 0.9], method="hazen")
        assert row["q10"] == pytest.approx(row["mean"] + low)
        assert row["q90"] == pytest.approx(row["mean"] + high)


def test_gaps_reach_further_back_and_more_history_changes_nothing():
    frame = with_gaps(daily_panel(days=250), share=0.3)
    origin = frame["timestamp"].max()
    whole = baselines.seasonal_naive(frame, DAILY, origin)
    recent = frame[frame["timestamp"] > origin - pd.Timedelta(days=lookback(DAILY))]
    pd.testing.assert_frame_equal(whole, baselines.seasonal_naive(recent, DAILY, origin))
    assert whole.notna().all().all()
    assert (whole["q10"] <= whole["q50"]).all()


def test_the_dead_are_left_out_and_strangers_get_something():
    frame = daily_panel(items=3)
    frame = frame[(frame["item_id"] != "item 1") | (frame["timestamp"] < "2024-04-01")]
    assert baselines.alive_items(frame, DAILY) == ["item 0", "item 2"]
    table = baselines.seasonal_naive(frame, DAILY, items=["item 1", "item 9"])
    assert table.groupby("item_id").size().to_dict() == {"item 1": 10, "item 9": 10}
    assert table.notna().all().all()
    alone = baselines.seasonal_naive(frame, DAILY, items=["item 9"])
    seen = frame.loc[frame["timestamp"] > frame["timestamp"].max() - pd.Timedelta(days=70), "target"]
    assert alone["q50"].unique() == pytest.approx([seen.median()], rel=0.05)


def test_nothing_is_below_zero_where_nothing_can_be():
    frame = daily_panel().assign(target=lambda f: (f["target"] % 2).round())
    task = Task("D", 10, (7,), non_negative=True)
    table = baselines.seasonal_naive(frame, task)
    assert table["q10"].min() == 0


def test_an_origin_without_rows_before_it_is_said():
    with pytest.raises(ValueError, match=r"no rows in the .* steps up to the origin 2023-01-01"):
        baselines.seasonal_naive(daily_panel(), DAILY, pd.Timestamp("2023-01-01"))
