"""The retraining policies are asked, and what they ask for becomes a run."""

from collections.abc import Mapping, Sequence

import dagster as dg

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.automation.turns import Seen, Served, Turn
from mlops_assets.catalog.names import RETRAIN, job_name
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.evidence import moved
from mlops_assets.stages.watching.retraining import ask
from mlops_assets.tracking.tracking import Tracking


class Retraining:
    """Asks the policies; tables and runs are its memory."""

    name, job, always = "retrain_on_breach", RETRAIN, False
    about = (
        "Requests a retraining when the champion is lost, the spec has changed or a policy (retraining, policies) "
        "finds a reason, and otherwise says why not. Every answer to something new is a row of retraining_decisions."
    )
    needs = ("tables", "tracking", "clock", "notifications")

    def __init__(self, context: dg.SensorEvaluationContext, specs: Sequence[Served], seen: Mapping[str, Seen]) -> None:
        self._instance = context.instance
        self._tables: Tables = context.resources.tables
        self._tracking: Tracking = context.resources.tracking
        self._clock: Clock = context.resources.clock
        self._notifications: Notifications = context.resources.notifications

    def sign(self, spec: Served) -> str:
        """Return which partitions, decisions and launches there are, and which policies."""
        assert isinstance(spec, ForecastSpec)
        return moved(spec, self._tables, self._clock.now())

    def look(self, spec: Served, seen: Seen) -> Turn:
        """Ask for the retraining that there is a reason for."""
        assert isinstance(spec, ForecastSpec)
        asked = ask(spec, self._tables, self._tracking, self._clock, self._notifications, self._instance)
        if isinstance(asked, str):
            return Turn(asked)
        request = dg.RunRequest(run_key=asked.key, job_name=job_name(spec, RETRAIN), tags=asked.tags)
        return Turn(f"asks for a retraining: {asked.launch.reason}", [request])
