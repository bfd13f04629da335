"""What was spent, in words, in the report and in money."""

from datetime import datetime, timezone

import pytest

from mlops_assets.catalog.spending import Spending
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.report.spending import section, sentence, spent
from mlops_assets.resources.meter import Entry, Prices, Spent
from mlops_assets.settings import Settings, SettingsError


@pytest.fixture
def tables() -> MemoryTables:
    tables = MemoryTables()
    spending = Spending(tables, "demo")
    for month in (11, 12):
        at = datetime(2013, month, 5, tzinfo=timezone.utc)
        entries = [
            Entry("demo__forecasts", ("demo", "forecasts"), 1, Spent(1800.0 * month, 3600.0, 512.4)),
            Entry("demo__report", ("demo", "report"), 1, Spent(9.0, 0.0, 640.2, 30.0, 7200.0)),
        ]
        spending.note(entries, at)
    return tables


def test_months_are_told_the_latest_first_and_in_money_where_there_is_a_price(tables):
    december, november = spent(tables, "demo", Prices(cpu_hour=0.5))
    assert (december.month, november.month) == ("2013-12", "2013-11")
    assert december.cpu_hours == pytest.approx(6 + 1 + 9 / 3600, abs=1e-5)
    assert december.money == pytest.approx(december.cpu_hours / 2, abs=1e-5)
    assert december.assets == {"forecasts": 7.0, "report": 0.0025}
    assert sentence(december) == (
        "2013-12: 7.0 h of CPU (3.50), at most 640 MB, 30.0 s waited, 2.0 h of CPU saved; "
        "most for forecasts 7.0 h, report 9.0 s"
    )
    shown = section([december, november])
    assert shown.tables[0].rows.iloc[0].tolist() == ["2013-12", "7.0 h", "3.50", "640", "30.0 s", "2.0 h"]


def test_without_a_price_there_is_no_money_and_without_runs_nothing(tables):
    december, _ = spent(tables, "demo", None)
    assert december.money is None
    assert "(" not in sentence(december)
    assert spent(tables, "other", None) == ()
    assert not section(()).tables


@pytest.mark.parametrize("wrong", ["-1", "much", "inf"])
def test_a_price_is_a_number_that_is_not_negative(wrong):
    assert Settings.read({"MLOPS_PRICE_PER_CPU_HOUR": "0.05"}).price_per_cpu_hour == 0.05
    with pytest.raises(SettingsError, match=r"MLOPS_PRICE_PER_CPU_HOUR: found"):
        Settings.read({"MLOPS_PRICE_PER_CPU_HOUR": wrong})
