"""A forecast's own history is lived again, and no day knows what came after it."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.resources.clock import Clock
from mlops_assets.simulation.forecast import Forecast
from mlops_assets.simulation.journal import Day
from mlops_assets.simulation.own import OwnHistory, SimulationError, alone
from mlops_assets_tests.worlds import declare, panel

NOW = Clock(fixed="2024-06-01")


def history(folder: Path, data: pd.DataFrame, days: int) -> OwnHistory:
    spec = alone(declare(folder, data, approval="manual"))
    return OwnHistory.of(Forecast(spec, folder), NOW, days)


def first_days(life: OwnHistory) -> list[Day]:
    return [replace(life.live(number), cpu_seconds={}) for number in range(2)]


def test_no_day_knows_what_comes_after_it(tmp_path: Path) -> None:
    clean = panel()
    later = clean.assign(sales=clean["sales"].where(clean["day"] <= "2024-05-30", 0.1))
    days = first_days(history(tmp_path / "clean", clean, 3))
    assert days == first_days(history(tmp_path / "later", later, 3))
    assert [day.date for day in days] == ["2024-05-29", "2024-05-30"]
    assert [one.outcome for one in days[0].decided] == ["promoted"]  # though a person would have to approve it
    assert all(day.came == 4 and len(day.forecasts) == 4 for day in days)
    assert days[0].forecasts[0].at[0] == "2024-05-30"


def test_the_first_model_needs_history_before_the_first_day(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="at most 65 days can be lived"):
        history(tmp_path, panel(), 90)
    with pytest.raises(SimulationError, match="too few to learn from"):
        history(tmp_path, panel().query("day <= '2024-03-10'"), 1)
