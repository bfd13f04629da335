"""The jobs of a forecast's outside service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from mlops_assets.jobs.resource import Jobs

COLUMNS = ["job_key", "partition", "service", "step", "state", "since", "deadline", "next_look_at", "error"]
LATEST = 200
"""So many are told."""


def service_jobs(jobs: Jobs | None, forecast: str) -> pd.DataFrame:
    """Return the latest jobs, the latest first; moments in UTC, no next look at one that has ended.

    Args:
        jobs: of all forecasts; None: there are none.
        forecast: whose.

    Raises:
        DatabaseError: the ledger of jobs cannot be read.
    """
    found = [] if jobs is None else jobs.latest(forecast, LATEST)
    rows = [{name: getattr(one, name) for name in COLUMNS} | {"open": one.open} for one in found]
    table = pd.DataFrame(rows[::-1], columns=pd.Index([*COLUMNS, "open"]))
    table = table.astype(dict.fromkeys(["since", "deadline", "next_look_at"], "datetime64[us]"))
    table["next_look_at"] = table["next_look_at"].where(table["open"].astype(bool))
    return table[COLUMNS]
