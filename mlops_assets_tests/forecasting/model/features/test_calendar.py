import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model.features.calendar import calendar


def test_days_around_a_holiday():
    grid = pd.date_range("2013-12-20", "2013-12-29", freq="D")
    columns = calendar(grid, "D", "US", yearly=False)
    christmas = 5
    assert np.flatnonzero(columns["holiday"]).tolist() == [christmas]
    assert columns["days_to_holiday"].tolist() == [5, 4, 3, 2, 1, 0, 6, 5, 4, 3]
    assert columns["days_since_holiday"].tolist() == [8, 8, 8, 8, 8, 0, 1, 2, 3, 4]
    assert columns["weekday"].tolist() == [day.weekday() for day in grid]
    assert "day_of_year" not in columns


def test_weeks_count_their_holidays_and_months_their_working_days():
    weeks = calendar(pd.date_range("2013-12-16", periods=3, freq="W-MON"), "W-MON", "US", yearly=True)
    assert weeks["holidays"].tolist() == [0, 1, 1]
    assert "weekday" not in weeks
    months = calendar(pd.date_range("2024-01-01", periods=2, freq="MS"), "MS", None, yearly=True)
    assert months["working_days"].tolist() == [23, 21]
    assert months["month"].tolist() == [1, 2]


def test_hours_of_the_day():
    columns = calendar(pd.date_range("2024-01-01", periods=48, freq="30min"), "30min", None, yearly=False)
    np.testing.assert_array_equal(columns["hour"], np.arange(48) / 2)


def test_an_unknown_place_is_named():
    with pytest.raises(ValueError, match="no holidays are known for 'XX'"):
        calendar(pd.date_range("2024-01-01", periods=3), "D", "XX", yearly=False)


def test_the_holidays_of_a_country_are_asked_for_without_importing_those_of_all_others():
    code = """
import sys
import holidays
from mlops_assets.forecasting.model.features.calendar import holiday_dates
alone = holiday_dates("US-NY", 2013, 2013)
assert "holidays.countries" not in sys.modules
import holidays.countries
assert holidays.countries.US is holidays.US.get_entity()
assert alone == sorted(holidays.countries.UnitedStates(subdiv="NY", years=2013, language="en_US")), alone
"""
    said = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
