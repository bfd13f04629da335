"""Raw rows, and what the contract says of them."""

from datetime import datetime, timezone
from typing import Any

import pandas as pd

from mlops_assets.forecasting.data.contract import (
    ROW_NUMBER,
    ROW_PROBLEM,
    ROW_SOURCE,
    Checked,
    Contract,
    Window,
    check,
)

NOW = datetime(2024, 3, 20, 12, tzinfo=timezone.utc)


MARCH = Window(pd.Timestamp(2024, 3, 1), pd.Timestamp(2024, 4, 1))


DAILY = Contract(("item",), "day", "sales", "D")


RICH = Contract(("shop", "item"), "day", "sales", "D", known=("price",), past=("rain",), static=("kind",))


GOOD = {"shop": "s", "item": "i", "day": "2024-03-05", "sales": "1.5", "price": "2", "rain": "0.1", "kind": "k"}


def table(*rows: dict[str, Any], **columns: Any) -> pd.DataFrame:
    """Raw rows of text as a source gives them; or whole columns."""
    frame = pd.DataFrame(list(rows), dtype=object) if rows else pd.DataFrame(columns)
    return frame.assign(**{ROW_SOURCE: "a.csv", ROW_NUMBER: range(1, len(frame) + 1), ROW_PROBLEM: None})


def one(**changes: Any) -> Checked:
    """Check one row, otherwise good, against the rich contract."""
    return check(table({**GOOD, **changes}), RICH, MARCH, NOW)


def days(*moments: Any, dtype: Any = object, contract: Contract = DAILY, **options: Any) -> Checked:
    """Check rows of one item that differ in their moment."""
    window = options.pop("window", MARCH)
    stamps = pd.Series(list(moments), dtype=dtype) if not isinstance(moments[0], pd.Series) else moments[0]
    return check(table(item="a", day=stamps, sales=1.0), contract, window, NOW, **options)


def accepted_moments(checked: Checked) -> list[str]:
    return [str(moment) for moment in checked.accepted["timestamp"]]


def targets(values: Any, dtype: Any = object) -> Checked:
    column = pd.Series(values, dtype=dtype)
    stamps = pd.date_range("2024-03-01", periods=len(column)).strftime("%Y-%m-%d")
    return check(table(item="a", day=stamps, sales=column), DAILY, MARCH, NOW)
