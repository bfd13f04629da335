import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import features
from mlops_assets.forecasting.model.features.smoothing import STEPS, WEIGHT, smooth
from mlops_assets.forecasting.model.panel import Panel
from mlops_assets.forecasting.model.scaling import Scaling, Seasons, Signal
from mlops_assets.forecasting.model.task import Task
from mlops_assets_tests.forecasting.panels import DAILY, SMALL

SEASON = np.array([5.0, -3.0, 0.0, 2.0, -8.0, 4.0, 0.0])


def forecasts(target: np.ndarray, task: Task = DAILY) -> tuple[np.ndarray, ...]:
    """Profile and forecasts of all leads after the end of a series, in its own units."""
    times = pd.date_range("2024-01-01", periods=len(target), freq=task.frequency, unit="us")
    frame = pd.DataFrame({"item_id": "one", "timestamp": times, "target": target})
    seasons = Seasons.of(task)
    panel = Panel.from_frame(frame, task, pad=seasons.lookback, ahead=task.horizon, origin=times[-1])
    signal = Signal(panel, seasons, Scaling())
    index, lead = panel.base + len(target) - 1, np.arange(1, task.horizon + 1)
    made = smooth(signal, index, np.zeros(task.horizon, dtype=int), lead, seasons.lengths[-1], seasons.slots[-1])
    return made[0] * signal.spread[0], *(values * signal.spread[0] + signal.center[0] for values in made[1].values())


def test_a_season_without_noise_goes_on_and_grows_by_half():
    days = np.arange(70)
    profile, level, growing = forecasts(100 + SEASON[days % 7])
    ahead = np.arange(70, 70 + DAILY.horizon)
    assert profile == pytest.approx(SEASON[ahead % 7])
    assert level == pytest.approx(100 + SEASON[ahead % 7])
    assert growing == pytest.approx(level)
    _, level, growing = forecasts(100 + SEASON[days % 7] + 2.0 * days)
    assert growing - level == pytest.approx(7 * (1 + (ahead - 70) // 7))


def test_the_level_is_the_exponentially_weighted_mean_of_what_is_there():
    random = np.random.default_rng(1)
    yearly = Task("YS", 30, (1,))
    target = random.normal(size=40)
    target[[-2, -7]] = np.nan
    weight = (1 - WEIGHT) ** np.arange(STEPS) * ~np.isnan(target[: -STEPS - 1 : -1])
    profile, level, _ = forecasts(target, yearly)
    assert not profile.any()
    assert level == pytest.approx(np.nansum(weight * target[: -STEPS - 1 : -1]) / weight.sum())


@pytest.mark.parametrize("clean", [True, False])
def test_the_reference_moves_with_a_clean_season_only(clean):
    days = np.arange(140)
    noise = np.random.default_rng(2).normal(scale=0.2 if clean else 3.0, size=140)
    times = pd.date_range("2024-01-01", periods=140, unit="us")
    frame = pd.DataFrame({"item_id": "one", "timestamp": times, "target": 100 + SEASON[days % 7] + noise})
    rows = features.training_rows(frame, DAILY)
    rows = rows[rows["origin"] >= times[60]]
    smoothed = rows[[name for name in rows if features.is_smoothed(name)]]
    assert [*smoothed] == ["season_7_smooth", "season_7_trend"]
    moves = rows.groupby("origin")["reference"].std().max()
    if clean:
        assert moves > 3
        assert max(rows["y"].abs().max(), smoothed.abs().max().max()) < 3
    else:
        assert not moves


def test_long_seasons_have_no_growth_and_the_longest_no_level_of_their_own():
    times = pd.date_range("2024-01-01", periods=288 * 6, freq="5min", unit="us")
    frame = pd.DataFrame({"item_id": "one", "timestamp": times, "target": np.sin(np.arange(len(times)) / 288)})
    for seasons, names in (((12, 288), ["season_12_smooth", "season_12_trend"]), ((24,), ["season_24_smooth"])):
        rows = features.training_rows(frame, Task("5min", 12, seasons, model=SMALL))
        assert [name for name in rows if features.is_smoothed(name)] == names
