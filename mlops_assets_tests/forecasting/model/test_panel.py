import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model.panel import Panel, latest_known
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel, with_gaps


def test_every_row_is_at_its_cell_and_every_gap_is_missing():
    frame = with_gaps(daily_panel())
    panel = Panel.from_frame(frame, DAILY, pad=5, ahead=3)
    placed = np.full(panel.edges[-1], np.nan)
    for row in frame.itertuples():
        item = list(panel.items).index(row.item_id)
        placed[panel.base[item] + panel.grid.get_loc(row.timestamp)] = row.target
    np.testing.assert_array_equal(panel.target, placed)
    assert np.isnan(panel.target[: panel.pad]).all()
    assert len(panel.target) == sum(
        5 + last - first + 1 + 3 for first, last in zip(panel.first, panel.last, strict=True)
    )


@pytest.mark.parametrize("frequency", ["h", "30min", "D", "B", "W-SUN", "MS", "ME", "QS", "YS"])
def test_grids_of_all_frequencies(frequency):
    times = pd.date_range("2024-01-01", periods=30, freq=frequency)
    frame = pd.DataFrame({"item_id": "a", "timestamp": times[[0, 4, 29]], "target": [1.0, 2.0, 3.0]})
    panel = Panel.from_frame(frame, Task(frequency, 2, (1,)), ahead=2)
    assert len(panel.grid) == 32
    assert np.flatnonzero(~np.isnan(panel.target)).tolist() == [0, 4, 29]


def test_the_origin_hides_targets_and_past_but_not_known_covariates():
    task = Task("D", 4, (7,), known=("price",), past=("rain",))
    frame = daily_panel(items=1, days=20, price=1.0, rain=1.0)
    panel = Panel.from_frame(frame, task, ahead=4, origin=pd.Timestamp("2024-01-10"))
    assert len(panel.target) == 14
    assert np.isnan(panel.target[10:]).all()
    assert np.isnan(panel.past["rain"][10:]).all()
    expected = frame.sort_values("timestamp")["price"].to_numpy(np.float32)[:14]
    np.testing.assert_array_equal(panel.known["price"], expected)


def test_future_rows_may_be_shared_by_all_items_and_win_over_the_history():
    task = Task("D", 3, (7,), known=("price",))
    frame = daily_panel(items=2, days=30, price=1.0)
    future = pd.DataFrame({"timestamp": pd.date_range("2024-01-21", periods=5), "price": np.arange(5.0)})
    panel = Panel.from_frame(frame, task, ahead=3, origin=pd.Timestamp("2024-01-20"), future=future)
    for item in range(2):
        np.testing.assert_array_equal(
            panel.known["price"][panel.edges[item + 1] - 3 : panel.edges[item + 1]], [0, 1, 2]
        )


def test_static_columns_are_numbers_or_text():
    frame = daily_panel(items=2, days=30)
    frame["size"] = frame["item_id"].map({"item 0": 1, "item 1": 2}).astype("Int32")
    frame["place"] = frame["item_id"].map({"item 0": "north"}).astype("category")
    panel = Panel.from_frame(frame, Task("D", 3, (7,), static=("size", "place")))
    ends = panel.base + panel.last
    assert panel.static["size"].at(ends, 1).dtype == np.float32
    assert panel.static["size"].at(ends, 1).tolist() == [1.0, 2.0]
    assert panel.static["place"].at(ends, 1).tolist() == ["north", None]


def test_a_static_covariate_is_the_latest_known_one_whatever_the_order_of_rows():
    frame = daily_panel(items=2, days=40).sort_values(["item_id", "timestamp"], ignore_index=True)
    frame["place"] = None
    first = frame["item_id"] == "item 0"
    frame.loc[first, "place"] = ["north"] * 20 + ["south"] * 10 + [None] * 10
    frame.loc[frame.index[~first][5], "place"] = "east"
    panel = Panel.from_frame(frame.sample(frac=1, random_state=1), Task("D", 3, (7,), static=("place",)), pad=35)
    place = panel.static["place"]
    assert place.at(panel.base[0] + np.array([0, 19, 20, 39]), 35).tolist() == ["north", "north", "south", "south"]
    assert place.at(panel.base[1] + np.array([15, 16, 39]), 35).tolist() == [None, "east", "east"]
    assert place.at(panel.base[1] + np.array([39]), 23).tolist() == [None]  # longer ago than may be looked back
    assert latest_known(frame.iloc[::-1], ["place"])["place"].to_dict() == {"item 0": "south", "item 1": "east"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="price"), "lacks 'price' \\(known covariate\\)"),
        (lambda f: f.assign(price="cheap"), "known covariate 'price' is of type object"),
        (lambda f: f.assign(price=np.inf), "infinite"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "more than one row at 2024-"),
        (
            lambda f: f.assign(timestamp=f["timestamp"] + pd.to_timedelta((f.index == 3) * 1, unit="h")),
            "not on the grid",
        ),
        (lambda f: f.iloc[:0], "no rows"),
        (lambda f: f.assign(item_id=f["item_id"].where(f.index > 1)), "2 rows have no item_id"),
        (lambda f: f.assign(timestamp=f["timestamp"].where(f.index > 1)), "2 missing: use pandas.to_datetime"),
        (lambda f: f.assign(timestamp=f["timestamp"].dt.tz_localize("UTC")), "without a time zone"),
        (lambda f: f.assign(timestamp=f["timestamp"].astype(str)), "use pandas.to_datetime"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    task = Task("D", 3, (7,), known=("price",))
    with pytest.raises(ValueError, match=words):
        Panel.from_frame(change(daily_panel(price=1.0)), task)
