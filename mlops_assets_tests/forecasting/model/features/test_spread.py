import numpy as np
import pandas as pd

from mlops_assets.forecasting.model.features.spread import Spread
from mlops_assets.forecasting.model.panel import Panel
from mlops_assets.forecasting.model.scaling import Scaling, Seasons, Signal
from mlops_assets.forecasting.model.task import Task

MONTHLY = Task("MS", 6, (12,))


def spread_of(*targets: np.ndarray) -> Spread:
    parts = [
        pd.DataFrame(
            {
                "item_id": f"item {number}",
                "timestamp": pd.date_range("2010-01-01", periods=len(target), freq="MS", unit="us"),
                "target": target,
            }
        )
        for number, target in enumerate(targets)
    ]
    seasons = Seasons.of(MONTHLY)
    panel = Panel.from_frame(pd.concat(parts), MONTHLY, pad=seasons.lookback)
    return Spread.of(panel, Signal(panel, seasons, Scaling()))


def test_an_item_is_measured_alike_whoever_stands_before_it():
    random = np.random.default_rng(0)
    growing = np.exp(0.02 * np.arange(121)) * (10 + random.random(121))
    for length in (12, 17, 50):
        among, alone = spread_of(1000 + random.random(length), growing), spread_of(growing)
        for name in ("seasons", "level", "both", "change"):
            assert getattr(among, name)[1] == getattr(alone, name)[0]


def test_large_and_small_items_side_by_side_prove_nothing():
    random = np.random.default_rng(1)
    flat = [size * (10 + random.random(120)) for size in (1.0, 100.0, 10_000.0)]
    assert not spread_of(*flat).grows(np.arange(3))
    assert spread_of(*flat, np.exp(0.02 * np.arange(120)) * (10 + random.random(120))).grows(np.array([3]))
