"""An external service beside our model: both scored on the pairs of item and time that both have forecast."""

from __future__ import annotations

import pandas as pd

from mlops_assets.forecasting.evaluation.ledger import OWN, compared, honest, known_numbers, own, shown_numbers
from mlops_assets.forecasting.model.panel import ITEM, TIME
from mlops_assets.forecasting.model.task import Task

OURS = "ours"
PAIR = [ITEM, TIME, "origin"]
"""What one forecast is of: an item's time, as seen from an origin."""


def paired(matched: pd.DataFrame) -> pd.DataFrame:
    """Return the matched forecasts that our model and a service have both made, each service beside ours.

    Args:
        matched: forecasts beside their actuals, of any role; see `ledger.match`.

    Returns:
        The rows, with columns `service` (which comparison a row is of) and `model` (`ours`, or the service).
    """
    counting = honest(matched)
    ours, parts = own(counting), [counting.iloc[:0].assign(service="", model="")]
    for service, theirs in counting[counting["job_key"] != OWN].groupby("source"):
        both = theirs[PAIR].merge(ours[PAIR], on=PAIR)
        for model, rows in ((str(service), theirs), (OURS, ours)):
            parts.append(rows.merge(both, on=PAIR).assign(service=str(service), model=model))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def scored(rows: pd.DataFrame, task: Task) -> pd.DataFrame:
    """Score each service and our model on the same rows.

    Args:
        rows: as `paired` returns them.
        task: names the columns.

    Returns:
        service, model, rows and the numbers that are known: two rows for each service, its own and ours.
    """
    if rows.empty:
        return pd.DataFrame(columns=["service", "model", "rows"])
    found = known_numbers(compared(rows, task, ["service", "model"]))
    return found[["service", "model", "rows", *(name for name in shown_numbers() if name in found)]]
