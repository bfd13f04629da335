"""Events as features: on hours, days, weeks and months, against a reckoning day by day."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.data.events import feature_names, features
from mlops_assets.forecasting.model.features.calendar import FAR


def spans(*events: tuple[str, str, float]) -> pd.DataFrame:
    made = pd.DataFrame(events, columns=["start", "end", "value"])
    return made.astype({"start": "datetime64[us]", "end": "datetime64[us]"})


def times(start: str, count: int, frequency: str) -> pd.Series:
    return pd.Series(pd.date_range(start, periods=count, freq=frequency, unit="us"))


def test_days_know_the_event_its_day_and_how_far_it_is():
    found = features("fair", times("2024-03-01", 8, "D"), spans(("2024-03-04", "2024-03-06", 2)), "D")
    assert found["fair"].tolist() == [0, 0, 0, 2, 2, 0, 0, 0]
    assert found["fair_day"].tolist() == [0, 0, 0, 1, 2, 0, 0, 0]
    assert found["fair_days_to"].tolist() == [3, 2, 1, 0, 0, FAR, FAR, FAR]
    assert found["fair_days_since"].tolist() == [FAR, FAR, FAR, 0, 0, 1, 2, 3]


def test_hours_know_the_hours_of_an_event():
    found = features("gig", times("2024-03-01T17:00", 5, "h"), spans(("2024-03-01T18:30", "2024-03-01T21:00", 1)), "h")
    assert found["gig"].tolist() == [0, 1, 1, 1, 0]
    assert found["gig_days_to"].tolist()[:2] == [0, 0], "it is today"


def test_hours_that_are_named_by_their_end_are_those_before_it():
    found = features(
        "gig", times("2024-03-01T18:00", 3, "h"), spans(("2024-03-01T18:00", "2024-03-01T19:00", 1)), "h", True
    )
    assert found["gig"].tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("frequency", "start", "at_end", "expected"),
    [
        ("W-MON", "2024-03-04", False, [0, 3, 6]),
        ("W-SUN", "2024-03-10", True, [0, 3, 6]),
        ("MS", "2024-02-01", False, [0, 9, 0]),
        ("ME", "2024-02-29", False, [0, 9, 0]),
    ],
)
def test_longer_steps_know_their_days_within_events(frequency, start, at_end, expected):
    assert feature_names("x", frequency) == ["x"]
    of = spans(("2024-03-15", "2024-03-18", 1), ("2024-03-20", "2024-03-23", 2))
    found = features("x", times(start, 3, frequency), of, frequency, at_end)
    assert found["x"].tolist() == (expected if frequency[0] == "M" else [0, 3, 6])


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([-2.0, 1.0, 3.0])), min_size=0, max_size=6
    )
)
def test_days_are_what_one_finds_by_looking_at_each(events):
    first = pd.Timestamp("2024-01-10")
    days = times("2024-01-01", 60, "D")
    dated = [(first + pd.Timedelta(days=at), first + pd.Timedelta(days=at + size), v) for at, size, v in events]
    found = features("x", days, pd.DataFrame(dated, columns=["start", "end", "value"]), "D")
    for day, row in zip(days, found.to_dict("records"), strict=True):
        within = [(start, end, value) for start, end, value in dated if start <= day < end]
        assert abs(row["x"]) == max((abs(value) for *_, value in within), default=0)
        assert row["x_day"] == max(((day - start).days + 1 for start, *_ in within), default=0)
        to = min(((start - day).days for start, *_ in dated if start > day), default=FAR)
        since = min(((day - end).days + 1 for _, end, _ in dated if end <= day), default=FAR)
        assert (row["x_days_to"], row["x_days_since"]) == ((0, 0) if within else (min(to, FAR), min(since, FAR)))


def test_rows_keep_their_order_and_may_repeat():
    shuffled = times("2024-03-01", 8, "D").iloc[[5, 3, 3, 0]]
    found = features("fair", shuffled, spans(("2024-03-04", "2024-03-06", 2)), "D")
    assert found.index.tolist() == [5, 3, 3, 0]
    assert found["fair"].tolist() == [0, 2, 2, 0]
    assert np.isfinite(found.to_numpy()).all()
