"""What must have come to rest at the end of a simulated year, when nothing has gone wrong for some time."""

from collections.abc import Sequence

from mlops_assets.simulation.journal import Day

LAST = 3
"""Days that are looked at."""
BY_THEN_OVER = {"stale data", "run failure", "quarantine", "fewer rows", "lost champion", "late", "no answer"}
"""Alerts of what was to be mended by then."""


def unsettled(days: Sequence[Day]) -> list[str]:
    """Return what has not caught up, in words."""
    found = []
    for day in days[-LAST:]:
        found += [f"{day.date}: {alert.kind}: {alert.message}" for alert in day.alerts if alert.kind in BY_THEN_OVER]
        told = {"a champion": day.champion, "forecasts": day.forecasts, "scores": day.wql, "rows": day.came}
        found += [f"{day.date} has no {name}" for name, value in told.items() if not value]
        found += [f"{day.date}: {job.job} is {job.state}" for job in day.jobs[-1:] if job.state != "collected"]
    return found
