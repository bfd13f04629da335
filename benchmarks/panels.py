"""The panels that forecasts are compared on: the example, and real series that are not part of the project.

The real series lie in a folder that the user names. A file that is not there is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
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
    """

    task: Task
    windows: int
    step: int
    read: Callable[[Path], pd.DataFrame]

    def origins(self, frame: pd.DataFrame) -> list[pd.Timestamp]:
        """Origins of the comparison, the oldest first."""
        return origins(frame, self.task, self.windows, self.step)


def _example(_: Path) -> pd.DataFrame:
    frame = pd.read_csv(EXAMPLE, parse_dates=["date"])
    frame["item_id"] = frame["origin"] + "/" + frame["carrier"]
    return _canonical(frame, item_id="item_id", timestamp="date", target="departures")


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
}
"""Name -> panel. Origins lie a number of steps apart that is no multiple of a day, where days are a season."""


def future_rows(frame: pd.DataFrame, task: Task, origin: pd.Timestamp) -> pd.DataFrame:
    """Rows of the known covariates of the horizon after an origin."""
    end = origin + task.horizon * to_offset(task.frequency)
    inside = (frame["timestamp"] > origin) & (frame["timestamp"] <= end)
    return frame.loc[inside, ["item_id", "timestamp", *task.known]]
