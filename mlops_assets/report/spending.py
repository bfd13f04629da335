"""What was spent, by month: for status and report."""

from collections.abc import Sequence

import pandas as pd

from mlops_assets.catalog.spending import Spending
from mlops_assets.report.overview import MonthState
from mlops_assets.report.section import Section, Table
from mlops_assets.resources.meter import Prices
from mlops_assets.resources.protocols import Tables

HOUR = 3600.0
SHOWN = 12
"""Months that are shown."""


def spent(tables: Tables, forecast: str, prices: Prices | None) -> tuple[MonthState, ...]:
    """Return what a forecast has taken in the latest months, the latest first."""
    rows = Spending(tables, forecast).monthly(SHOWN)
    rows = rows.assign(hours=(rows["cpu_seconds"] + rows["worker_seconds"]) / HOUR)
    found = [_month(str(month), own, prices) for month, own in rows.groupby("month", sort=True)]
    return tuple(reversed(found))


def _month(month: str, rows: pd.DataFrame, prices: Prices | None) -> MonthState:
    hours = float(rows["hours"].sum())
    price = prices.cpu_hour if prices is not None else None
    by_asset = rows.groupby("asset")["hours"].sum().sort_values(ascending=False, kind="stable")
    return MonthState(
        month=month,
        cpu_hours=round(hours, 6),
        waited_hours=round(float(rows["waited_seconds"].sum()) / HOUR, 6),
        saved_hours=round(float(rows["saved_seconds"].sum()) / HOUR, 6),
        peak_memory_mb=float(rows["peak_memory_mb"].max()),
        money=None if price is None else round(hours * price, 6),
        assets={str(asset): round(float(value), 6) for asset, value in by_asset.items()},
    )


def sentence(month: MonthState) -> str:
    """Say what was spent in a month."""
    parts = [f"{_hours(month.cpu_hours)} of CPU" + ("" if month.money is None else f" ({_money(month.money)})")]
    parts.append(f"at most {month.peak_memory_mb:,.0f} MB")
    if month.waited_hours:
        parts.append(f"{_hours(month.waited_hours)} waited")
    if month.saved_hours:
        parts.append(f"{_hours(month.saved_hours)} of CPU saved")
    most = [f"{asset} {_hours(hours)}" for asset, hours in list(month.assets.items())[:3]]
    return f"{month.month}: {', '.join(parts)}; most for {', '.join(most)}"


def section(months: Sequence[MonthState]) -> Section:
    """Return the report's section on what was spent; empty before anything was."""
    if not months:
        return Section("What it costs")
    priced = months[0].money is not None
    table = pd.DataFrame(
        {
            "month": month.month,
            "CPU": _hours(month.cpu_hours),
            **({"money": _money(month.money)} if month.money is not None else {}),
            "peak MB": f"{month.peak_memory_mb:,.0f}",
            "waited": _hours(month.waited_hours),
            "saved": _hours(month.saved_hours),
        }
        for month in months
    )
    by_asset = pd.DataFrame(
        [(asset, _hours(hours)) for asset, hours in months[0].assets.items()], columns=["asset", "CPU"]
    )
    words = "Processor time of all steps and of those that worked for them, those that failed among them" + (
        ", in money by MLOPS_PRICE_PER_CPU_HOUR." if priced else "; MLOPS_PRICE_PER_CPU_HOUR gives it in money."
    )
    tables = [Table("", table), Table(f"In {months[0].month}, by asset", by_asset)]
    return Section("What it costs", [words], tables=tables)


def _hours(hours: float) -> str:
    if hours * HOUR < 100:
        return f"{hours * HOUR:.1f} s"
    return f"{hours * 60:.1f} min" if hours < 1.5 else f"{hours:,.1f} h"


def _money(money: float) -> str:
    return f"{money:,.2f}" if money >= 1 else f"{money:.2g}"
