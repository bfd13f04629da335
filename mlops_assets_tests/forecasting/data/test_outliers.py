"""Which values are hardly true, and which are only rare."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.data.outliers import LEAST, bounded, outliers, sentence, without_outliers


def frame(values, item: str = "a") -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=len(values), freq="D", unit="us")
    return pd.DataFrame({"item_id": item, "timestamp": days, "target": np.asarray(values, dtype=float)})


def sales(days: int = 90, level: float = 100.0, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (level * (1 + 0.2 * np.sin(2 * np.pi * np.arange(days) / 7) + random.normal(0, 0.05, days))).round(2)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 89), st.sampled_from([1000.0, 100.0, -1000.0]), st.booleans())
def test_one_value_far_too_high_is_found_wherever_it_stands(seed, day, factor, shuffle):
    table = pd.concat([frame(sales(seed=seed)), frame(sales(seed=seed + 1, level=3.0), "b")], ignore_index=True)
    right = table["target"].copy()
    table.loc[day, "target"] *= factor
    if shuffle:
        table = table.sample(frac=1, random_state=seed)
    found = outliers(table)
    assert found[["item_id", "timestamp"]].to_numpy().tolist() == [
        ["a", pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)]
    ]
    assert found["target"].iloc[0] == right[day] * factor
    assert found["usual"].iloc[0] == pytest.approx(100, rel=0.1)
    kept = without_outliers(table).sort_index()["target"]
    assert kept.isna().sum() == 1
    assert kept.isna()[day]
    assert kept.drop(index=day).equals(right.drop(index=day))


@pytest.mark.parametrize(
    "values",
    [
        [*sales(60), *(sales(30) * 1000)],  # grams for kilograms: the level has changed
        [*sales(60), *(sales(4) * 1000)],  # more than three in a row are no slip
        np.where(np.arange(90) % 20 == 0, 9000.0, sales(90)),  # promotions that come again
        [0.0] * 80 + [5.0],  # nothing is known of the sizes of a series of zeros
        np.where(np.arange(90) % 4 == 0, np.random.default_rng(0).integers(1, 40, 90), 0),  # intermittent
        [100.0] * 30 + [150.0] * 2,  # a steady series that moves
        np.exp(np.arange(90) / 10),  # growth
        [*sales(LEAST - 2), 1e6],  # too few to say
        [1472.0, 1344.0, 111680.0, 1856.0, 1600.0],  # the first promotion of an item with a short history
        [0.0, 0.0, 1.0, 0.0, 0.0, 90.0],
        [np.nan] * 20,
        [],
    ],
)
def test_what_is_only_rare_is_left_alone(values):
    table = frame(values)
    assert outliers(table).empty
    assert without_outliers(table) is table


@pytest.mark.parametrize("count", range(LEAST, 14))
def test_of_few_values_one_a_thousand_times_too_high_is_found(count):
    for values in (sales(count), np.random.default_rng(0).integers(1, 5, count).astype(float)):
        values[1] *= 1000
        assert outliers(frame(values))["target"].tolist() == [values[1]]


def test_a_few_slips_side_by_side_are_all_found():
    values = sales()
    values[[10, 40, 41]] *= 1000
    assert outliers(frame(values))["target"].tolist() == values[[10, 40, 41]].tolist()


def test_a_steady_series_shows_its_slips_too():
    assert outliers(frame([100.0] * 30 + [100_000.0]))["target"].tolist() == [100_000.0]
    assert outliers(frame([100.0] * 30 + [250.0])).empty


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ([*[100.0, 110.0, 90.0] * 10, 1e5], 110.0),
        ([*[100.0, 110.0, 90.0] * 10, -1e5], 90.0),
        ([*[0.0, 0.0, 3.0] * 10, 3000.0], 3.0),
        ([*[7.0] * 30, 7e3], 8.0),  # a whole number of what hardly moves, not 7.7
        ([*[7.5] * 30, 7.5e3 + 0.5], 8.25),
    ],
)
def test_one_that_is_kept_is_as_far_away_as_the_farthest_other(values, counts):
    kept = bounded(frame(values))["target"].tolist()
    assert kept == [*values[:-1], counts]
    table = frame(values[:-1])
    assert bounded(table) is table


def test_item_time_and_value_are_named_and_what_is_usual():
    values = sales()
    values[20] = 90500
    assert sentence(outliers(frame(values))) == f"a on 2024-01-21: 90500 (usually about {np.sort(values)[45]:.4g})"
