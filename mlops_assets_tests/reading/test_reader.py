"""Observations, origins, items and accuracy as readers see them."""

import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.reading.questions import QuestionError
from mlops_assets_tests.reading.stored import store


def test_observations_of_items_and_times(stored):
    found = stored.reader.observations("shop 2", "2024-03-04", "2024-03-06")
    assert found["timestamp"].tolist() == [*pd.date_range("2024-03-04", "2024-03-06")]
    assert list(found) == ["item_id", "timestamp", "target", "rain", "known_at"]
    early = stored.reader.observations(as_of="2024-03-04T12:00")
    assert early["timestamp"].max() == pd.Timestamp("2024-03-03")


def test_origins_with_who_made_them(stored):
    found = stored.reader.origins()
    assert found["origin"].tolist() == stored.days.tolist()
    assert set(found["rows"]) == {21}
    assert found["partition"].iloc[-1] == "2024-03-12"
    assert stored.reader.origins("2024-03-04T12:00")["origin"].max() == pd.Timestamp("2024-03-03")
    pd.testing.assert_frame_equal(stored.reader.origins(most=1), found.tail(1).reset_index(drop=True))


def test_items_are_searched_and_sorted(stored):
    found = stored.reader.items()
    assert sorted(found["item_id"]) == stored.ids
    assert found["volume"].is_monotonic_decreasing
    assert stored.reader.items(sort="error")["error"].is_monotonic_decreasing
    assert stored.reader.items("OP 1")["item_id"].tolist() == ["shop 1"]
    last = stored.reader.observations("shop 1")["target"].iloc[-1]
    assert stored.reader.items("shop 1")["last_value"].tolist() == [last]
    with pytest.raises(QuestionError, match="sort='volum': did you mean volume"):
        stored.reader.items(sort="volum")  # pyright: ignore


@pytest.mark.parametrize("by", ["all", "item", "lead", "origin", "period", "version"])
def test_accuracy_by_what_is_asked(stored, by):
    rows = stored.tables.read(["demo", "forecast_accuracy"])
    found = stored.reader.accuracy(by)
    name = {"item": "item_id", "version": "model_version"}.get(by, by)
    if by == "period":
        rows = rows.assign(period=rows["timestamp"].dt.strftime("%Y-%m-%d"))
    expected = ledger.compared(ledger.honest(rows), stored.spec.task, [] if by == "all" else [name])
    pd.testing.assert_frame_equal(found, expected)


def test_accuracy_as_of_now_is_accuracy(stored):
    moment = stored.days[-1] + pd.Timedelta(hours=40)
    for by in ("item", "lead"):
        pd.testing.assert_frame_equal(stored.reader.accuracy(by, as_of=moment), stored.reader.accuracy(by))
    early = stored.reader.accuracy("origin", as_of="2024-03-06T12:00")
    assert early["origin"].max() == pd.Timestamp("2024-03-04")
    with pytest.raises(QuestionError, match="by='items': did you mean item"):
        stored.reader.accuracy("items")  # pyright: ignore


def test_nothing_stored_is_no_rows(tmp_path):
    made = store(tmp_path, rounds=0)
    reader = made.at(pd.Timestamp("2024-03-03"))
    for found in (reader.forecasts(), reader.observations(), reader.origins(), reader.items(), reader.accuracy("item")):
        assert len(found) == 0
