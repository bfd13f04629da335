"""Healthy windows are quiet, and what was planted is named first."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model.task import Task
from mlops_assets.forecasting.monitoring import drift
from mlops_assets.forecasting.monitoring.drift import distance
from mlops_assets.forecasting.monitoring.drift import windows as panel_windows
from mlops_assets.forecasting.monitoring.drift.student import student

TASK = Task("D", 7, (7,), known=("promotion",), past=("temperature", "rain"))
WEEKDAYS = np.array([1, 1.1, 1.2, 1.1, 1.3, 0.6, 0.5])


def wandering(random: np.random.Generator, memory: float, rows: int, steps: int, spread: float) -> np.ndarray:
    """Autocorrelated series, shape (rows, steps)."""
    noise = random.normal(size=(rows, steps + 30)) * spread * np.sqrt(1 - memory**2)
    for step in range(1, steps + 30):
        noise[:, step] += memory * noise[:, step - 1]
    return noise[:, 30:]


def panel(seed: int, weeks: int = 36, items: int = 8, lively: bool = False) -> pd.DataFrame:
    """Weekly seasons, autocorrelated; lively: with a trend, days that are odd everywhere, and a year's temperatures."""
    random = np.random.default_rng(seed)
    days = 7 * weeks
    day = np.arange(days)
    common = wandering(random, 0.7, 1, days, 0.03) + wandering(random, 0.5, items, days, 0.08)
    size = 30 * np.exp(random.normal(size=(items, 1))) * WEEKDAYS[day % 7] * np.exp(common)
    temperature = 15 + wandering(random, 0.7, 1, days, 4)[0]
    if lively:
        size *= np.exp(0.15 * day / 365) * np.where(random.random(days) < 0.01, random.choice([0.5, 1.6], days), 1)
        temperature += 10 * np.sin(2 * np.pi * (day + random.integers(365)) / 365)
    rain = np.where(random.random(days) < 0.3, random.gamma(0.7, 8, days), 0.0)
    frame = pd.DataFrame(
        {
            "item_id": np.repeat([f"item {number}" for number in range(items)], days),
            "timestamp": np.tile(pd.date_range("2024-01-01", periods=days, unit="us").to_numpy(), items),
            "target": random.poisson(size).ravel().astype(float),
            "promotion": (random.random(items * days) < 0.1).astype(float),
            "temperature": np.tile(temperature, items),
            "rain": np.tile(rain, items),
        }
    )
    frame.loc[random.random(len(frame)) < 0.02, "target"] = np.nan
    return frame[random.random(len(frame)) > 0.01]


def inspected(
    frame: pd.DataFrame, end: pd.Timestamp | None = None, until: pd.Timestamp | None = None
) -> drift.DriftResult:
    last = frame["timestamp"].max() if end is None else end
    return drift.detect(drift.lay_out(frame, TASK, last), TASK, last, until)


@pytest.fixture(scope="module")
def healthy() -> pd.DataFrame:
    return panel(1)


def newest(frame: pd.DataFrame) -> pd.Series:
    return frame["timestamp"] > frame["timestamp"].max() - pd.Timedelta(days=7)


def warmer(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(temperature=frame["temperature"] + 20 * newest(frame))


def promoted(frame: pd.DataFrame) -> pd.DataFrame:
    some = newest(frame) & (np.arange(len(frame)) % 2 == 0)
    return frame.assign(promotion=frame["promotion"].where(~some, 1.0))


def grown(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(target=frame["target"] * (1 + 0.4 * newest(frame)))


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Sundays sell what Fridays do, and the other way round: the sums stay."""
    day = frame["timestamp"].dt.dayofweek
    factor = day.map({4: 0.5 / 1.3, 6: 1.3 / 0.5}).fillna(1.0)
    return frame.assign(target=frame["target"] * factor.where(newest(frame), 1.0))


def holey(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(target=frame["target"].mask(newest(frame) & (np.arange(len(frame)) % 6 == 0)))


def fewer(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[~(newest(frame) & frame["item_id"].isin(["item 1", "item 2"]))]


def renamed(frame: pd.DataFrame) -> pd.DataFrame:
    some = newest(frame) & frame["item_id"].isin(["item 1", "item 2"])
    return frame.assign(item_id=frame["item_id"].where(~some, frame["item_id"] + " (new)"))


@pytest.mark.parametrize(
    ("plant", "feature", "kind", "words"),
    [
        (warmer, "temperature", "values", "temperature has drifted: 3"),
        (promoted, "promotion", "values", "% of the values are 1, in the training "),
        (grown, "target", "level", "the level of the items has drifted: +"),
        (swapped, "target", "shape", "the pattern of the target has drifted"),
        (holey, "target", "missing", "target missing has drifted: 1"),
        (fewer, "items", "set", "gone: item 1, item 2"),
        (renamed, "items", "set", "come: item 1 (new), item 2 (new)"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_planted_is_named_first(plant, feature, kind, words, seed):
    first = inspected(plant(panel(seed))).table.iloc[0]
    assert (first["feature"], first["kind"]) == (feature, kind)
    assert first["drifted"]
    assert first["drift"] > 0.1
    assert words in first["explanation"]


@pytest.mark.parametrize("lively", [False, True])
def test_of_200_healthy_windows_at_most_5_percent_alarm_in_each_family(lively):
    tables = []
    for seed in range(20):
        frame = panel(seed, weeks=45, items=5, lively=lively)
        sheet = drift.lay_out(frame, TASK, frame["timestamp"].max())
        ends = sheet.grid[-1] - pd.to_timedelta(np.arange(10) * 7, "D")
        tables += [drift.detect(sheet, TASK, end).table.assign(window=f"{seed} {end}") for end in ends]
    every = pd.concat(tables)
    assert every["window"].nunique() == 200
    alarms = every.groupby(["feature", "kind"])["drifted"].mean()
    assert len(alarms) == 7
    assert alarms.max() <= 0.05
    # The test does not stay quiet because it is dull: its p values are nearly uniform.
    assert 0.02 < (every["p_value"] < 0.05).mean() < 0.1


def test_the_items_that_came_and_went_are_listed(healthy):
    found = inspected(renamed(healthy))
    assert found.new == ["item 1 (new)", "item 2 (new)"]
    assert found.vanished == ["item 1", "item 2"]
    assert inspected(healthy).new == inspected(healthy).vanished == []


def test_the_reference_ends_with_the_training(healthy):
    last = healthy["timestamp"].max()
    until = last - pd.Timedelta(days=30)
    found = inspected(healthy, until=until)
    assert found.until == last - pd.Timedelta(days=35), "the end of the last window that the training had seen"
    assert inspected(healthy, until=last).until == last - pd.Timedelta(days=7), "a window is not its own reference"
    later = healthy.assign(temperature=healthy["temperature"] + 30 * (healthy["timestamp"] > until))
    assert inspected(later, until=until).table["feature"].iloc[0] == "temperature"


def test_rows_after_the_window_change_nothing(healthy):
    end = healthy["timestamp"].max() - pd.Timedelta(days=10)
    broken = healthy.assign(target=healthy["target"].where(healthy["timestamp"] <= end, 1e6))
    pd.testing.assert_frame_equal(inspected(healthy, end).table, inspected(broken, end).table)


def test_a_day_without_any_row_is_seen(healthy):
    last = healthy["timestamp"].max()
    table = inspected(healthy[healthy["timestamp"] < last], last).table.set_index(["feature", "kind"])
    assert table.loc[("target", "missing"), "drifted"]
    assert table.loc[("target", "level"), "explanation"].startswith("the level of the items is as usual")


def test_an_absent_row_may_mean_zero(healthy):
    last = healthy["timestamp"].max()
    sheet = drift.lay_out(healthy, TASK, last, zero=True)
    row = drift.detect(sheet, TASK, last).table.set_index(["feature", "kind"]).loc[("target", "missing")]
    assert row["statistic"] < 0.03
    assert np.nansum(sheet.target == 0) > np.sum(healthy["target"] == 0)


def test_targets_below_zero(healthy):
    frame = healthy.assign(target=healthy["target"] - 40)
    assert not inspected(frame).table["drifted"].any()
    first = inspected(frame.assign(target=frame["target"] + 40 * newest(frame))).table.iloc[0]
    assert (first["feature"], first["kind"]) == ("target", "level")
    assert "usual deviations" in first["explanation"]


def test_of_a_large_panel_evenly_spread_items_are_inspected(healthy, monkeypatch):
    monkeypatch.setattr(panel_windows, "CELLS", 3 * healthy["timestamp"].nunique())
    sheet = drift.lay_out(healthy, TASK, healthy["timestamp"].max())
    assert list(sheet.items) == ["item 0", "item 3", "item 7"]
    assert sheet.of == 8


def test_too_little_history_is_said_and_not_judged(healthy):
    start = healthy["timestamp"].min()
    found = inspected(healthy[healthy["timestamp"] < start + pd.Timedelta(days=28)])
    assert found.windows == 3
    assert not found.table["drifted"].any()
    assert found.table["p_value"].isna().all()
    assert "3 earlier windows" in found.table["explanation"].iloc[0]
    with pytest.raises(ValueError, match="no window before"):
        inspected(healthy[healthy["timestamp"] < start + pd.Timedelta(days=13)])


@pytest.mark.parametrize(
    ("frequency", "seasons", "length", "stride"),
    [("D", (7,), 7, 7), ("h", (24, 168), 168, 168), ("MS", (12,), 3, 12), ("W-SUN", (52,), 13, 52), ("D", (1,), 7, 7)],
)
def test_windows_are_whole_seasons_or_a_quarter_of_a_year(frequency, seasons, length, stride):
    windows = drift.Windows.of_season(max(seasons), frequency)
    assert (windows.length, windows.stride) == (length, stride)
    assert drift.reach(Task(frequency, 1, seasons)) >= length + 10 * stride


def test_a_window_covers_its_partition():
    assert drift.Windows.of_season(7, "D", least=31).length == 35


def test_the_season_of_a_year_is_matched_month_by_month():
    random = np.random.default_rng(0)
    grid = pd.date_range("2010-01-01", periods=132, freq="MS", unit="us")
    season = 1 + 0.8 * np.sin(2 * np.pi * np.arange(132) / 12)
    target = 100 * season * np.exp(0.05 * random.normal(size=(6, 132)))
    frame = pd.DataFrame(
        {"item_id": np.repeat(list("abcdef"), 132), "timestamp": np.tile(grid, 6), "target": target.ravel()}
    )
    task = Task("MS", 3, (12,))
    quiet = [drift.detect(drift.lay_out(frame, task, end), task, end).table["drifted"].any() for end in grid[-12:]]
    assert sum(quiet) <= 1
    double = frame.assign(target=frame["target"] * (1 + (frame["timestamp"] > grid[-4])))
    assert drift.detect(drift.lay_out(double, task, grid[-1]), task, grid[-1]).table["kind"].iloc[0] == "level"


def test_the_index_is_the_textbooks():
    reference = np.tile(np.arange(100.0), (5, 1))
    psi, usual = distance.stability(np.repeat(np.arange(50.0), 2), reference)
    assert usual == pytest.approx(0, abs=1e-9)
    share, even = (np.r_[np.full(5, 20), np.zeros(5)] + 0.5) / 105, 50.5 / 505
    assert psi == pytest.approx(((share - even) * np.log(share / even)).sum())


def test_the_distance_is_scipys():
    from scipy.stats import wasserstein_distance

    random = np.random.default_rng(0)
    reference, values = random.integers(0, 2, (9, 40)).astype(float), random.integers(0, 2, 30).astype(float)
    found, farthest, p_value = distance.distance(values, reference, 1.0)
    assert found == pytest.approx(wasserstein_distance(values, reference.ravel()))
    others = [wasserstein_distance(row, np.delete(reference, n, 0).ravel()) for n, row in enumerate(reference)]
    assert farthest == pytest.approx(max(others))
    assert 0 < p_value < 1


@pytest.mark.parametrize("degrees", [1, 2, 5, 26, 365])
def test_students_distribution_is_scipys(degrees):
    from scipy.special import stdtr

    values = [*np.linspace(-9, 9, 37), -1e6, 1e6, -np.inf, np.inf]
    found = [student(degrees, float(value)) for value in values]
    assert found == pytest.approx(list(stdtr(degrees, values)), rel=1e-12)
    assert np.isnan(student(degrees, float("nan")))
