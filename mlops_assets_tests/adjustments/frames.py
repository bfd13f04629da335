"""A forecast of a few items, and the log of what people did to it: what the tests of adjustments start from."""

import json
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.adjustments.log import ADJUST, EVERYTHING, FACTOR, UNTIL
from mlops_assets.catalog.column import typed
from mlops_assets.catalog.columns import TABLES
from mlops_assets.catalog.names import ADJUSTMENTS
from mlops_assets.forecasting.model.task import Task

TASK = Task("D", 5, (7,), quantiles=(0.1, 0.5, 0.9))
ORIGIN = pd.Timestamp("2024-05-10")
COLUMNS = TABLES[ADJUSTMENTS]
NUMBERS = ["mean", *TASK.quantile_columns]


def system(origin: pd.Timestamp = ORIGIN, seed: int = 0, items: int = 3) -> pd.DataFrame:
    """The system's forecast of an origin, five days of each item, none below zero."""
    rng, leads = np.random.default_rng(seed), np.arange(1, 6)
    parts = []
    for number in range(items):
        middle = 10.0 * number + rng.uniform(5, 9, len(leads))
        width = rng.uniform(1, 4, len(leads))
        parts.append(
            pd.DataFrame(
                {
                    "item_id": f"shop {number}",
                    "origin": origin,
                    "timestamp": origin + pd.to_timedelta(leads, unit="D"),
                    "lead": leads.astype("int32"),
                    "mean": middle + 0.3,
                    "q10": middle - width,
                    "q50": middle,
                    "q90": middle + width,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def log(*rows: dict[str, Any]) -> pd.DataFrame:
    """A log of these rows, numbered from 1: by default each doubles all items on all days."""
    usual = {
        "made_by": "ada",
        "action": ADJUST,
        "item_id": EVERYTHING,
        "items": "",
        "since": ORIGIN + pd.Timedelta(days=1),
        "until": ORIGIN + pd.Timedelta(days=30),
        "kind": FACTOR,
        "amount": 2.0,
        "reason": "promotion",
        "note": "",
        "ends": UNTIL,
        "origin": ORIGIN,
        "replaces": None,
    }
    told = []
    for number, row in enumerate(rows, start=1):
        at = pd.Timestamp("2024-05-11 08:00") + pd.Timedelta(minutes=number)
        one = {"number": number, "made_at": at, **usual, **row}
        told.append({**one, "items": json.dumps(one["items"]) if isinstance(one["items"], list) else one["items"]})
    return typed(pd.DataFrame(told, columns=[one.name for one in COLUMNS]), COLUMNS)
