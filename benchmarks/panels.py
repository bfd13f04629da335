"""The panels that forecasts are compared on: the example, and real series that are not part of the project.

Real series lie in a folder that the user names; others are made up (see `simulated`) and need none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import simulated
from pandas.tseries.frequencies import to_offset

from mlops_assets.forecasting.evaluation.backtest import origins
from mlops_assets.forecasting.model.task import Task

EXAMPLE = Path(__file__).resolve().parents[1] / "mlops_assets" / "forecasts" / "nyc_departures.csv"
PRICES = tuple(f"price{number}" for number in range(1, 12))


@dataclass(frozen=True)
class Series:
    """One panel and the origins it is forecast from.

    Attributes:
        task: what is forecast; its covariates are given to every competitor that can use them.
        windows: number of origins.
        step: steps between them.
        read: canonical long table, from the folder of data.
        alone: whether it needs no folder.
        intermittent: whether most targets are zero, so that no interval covers 80 % of them.
    """

    task: Task
    windows: int
    step: int
    read: Callable[[Path], pd.DataFrame]
    alone: bool = False
    intermittent: bool = False

    def origins(self, frame: pd.DataFrame) -> list[pd.Timestamp]:
        """Origins of the comparison, the oldest first."""
        return origins(frame, self.task, self.windows, self.step)


def _example(_: Path) -> pd.DataFrame:
    frame = pd.read_csv(EXAMPLE, parse_dates=["date"])
    frame["item_id"] = frame["origin"] + "/" + frame["carrier"]
    return _canonical(frame, item_id="item_id", timestamp="date", target="departures")


def _made(make: Callable[..., np.ndarray], items: int, frequency: str, periods: int) -> Callable[[Path], pd.DataFrame]:
    return lambda _: simulated.panel(make, items, start="2015-01-01", periods=periods, freq=frequency)


def _shared(name: str) -> Callable[[Path], pd.DataFrame]:
    return lambda folder: _canonical(pd.read_parquet(folder / f"{name}.parquet"), "series_id", "ts", "y")


def _canonical(frame: pd.DataFrame, item_id: str, timestamp: str, target: str) -> pd.DataFrame:
    frame = frame.rename(columns={item_id: "item_id", timestamp: "timestamp", target: "target", "origin": "airport"})
    frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")
    frame["target"] = frame["target"].astype(float)
    return frame


def _task(frequency: str, horizon: int, seasons: tuple[int, ...], **options: object) -> Task:
    return Task(frequency, horizon, seasons, **{"non_negative": True, **options})  # type: ignore[arg-type]


SERIES = {
    "nyc_departures": Series(
        _task(
            "D",
            14,
            (7,),
            past=("temperature", "wind_speed", "precipitation", "visibility"),
            static=("airport", "carrier"),
            holidays="US",
        ),
        windows=8,
        step=14,
        read=_example,
        alone=True,
    ),
    "pedestrian_hourly": Series(
        _task("h", 48, (24, 168)), windows=12, step=24 * 15 + 7, read=_shared("pedestrian_hourly")
    ),
    "bikeshare_uci_hourly": Series(
        _task("h", 48, (24, 168), known=("holiday", "workingday"), past=("temp", "atemp", "hum", "windspeed")),
        windows=20,
        step=24 * 9 + 7,
        read=_shared("bikeshare_uci_hourly"),
    ),
    "vic_elec_30min": Series(
        _task("30min", 96, (48, 336), known=("holiday",), past=("temperature",)),
        windows=20,
        step=48 * 9 + 13,
        read=_shared("vic_elec_30min"),
    ),
    "orange_juice_weekly": Series(
        _task("W-THU", 8, (52,), known=(*PRICES, "deal", "feat"), static=("store", "brand")),
        windows=3,
        step=6,
        read=_shared("orange_juice_weekly"),
    ),
    "pbs_monthly": Series(
        _task("MS", 12, (12,), static=("concession", "type", "atc1", "atc2")),
        windows=4,
        step=6,
        read=_shared("pbs_monthly"),
    ),
    "tourism_quarterly": Series(
        _task("QS", 8, (4,), static=("region", "state", "purpose")),
        windows=4,
        step=4,
        read=_shared("tourism_quarterly"),
    ),
    "hospital_monthly": Series(_task("MS", 12, (12,)), windows=2, step=12, read=_shared("hospital_monthly")),
    "mixed_weekly": Series(_task("W-SUN", 13, (52,)), windows=2, step=13, read=_shared("mixed_weekly")),
    "spare_parts_monthly": Series(
        _task("MS", 8, (12,)), windows=1, step=8, read=_shared("spare_parts_monthly"), intermittent=True
    ),
    "made: trending months": Series(
        _task("MS", 12, (12,)), 2, 12, _made(simulated.trending_months, 100, "MS", 180), alone=True
    ),
    "made: clean hours": Series(_task("h", 48, (24,)), 2, 55, _made(simulated.clean_hours, 40, "h", 1100), alone=True),
    "made: daily cash": Series(_task("D", 28, (7,)), 2, 28, _made(simulated.daily_cash, 60, "D", 735), alone=True),
    "made: five minutes": Series(
        _task("5min", 288, (288,)), 2, 325, _made(simulated.five_minutes, 6, "5min", 288 * 28), alone=True
    ),
    "made: short years": Series(_task("YS", 6, (1,)), 2, 3, _made(simulated.short_years, 100, "YS", 44), alone=True),
    "made: short quarters": Series(
        _task("QS", 8, (4,)), 2, 4, _made(simulated.short_quarters, 80, "QS", 60), alone=True
    ),
    "made: spare parts": Series(
        _task("MS", 8, (12,)), 1, 8, _made(simulated.spare_parts, 200, "MS", 72), alone=True, intermittent=True
    ),
}
"""Name -> panel. Origins lie a number of steps apart that is no multiple of a day, where days are a season."""


def future_rows(frame: pd.DataFrame, task: Task, origin: pd.Timestamp) -> pd.DataFrame:
    """Rows of the known covariates of the horizon after an origin."""
    end = origin + task.horizon * to_offset(task.frequency)
    inside = (frame["timestamp"] > origin) & (frame["timestamp"] <= end)
    return frame.loc[inside, ["item_id", "timestamp", *task.known]]
