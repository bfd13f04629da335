"""What people decide in MLflow's web UI is carried out, and what a killed process left behind is repaired."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Literal

import dagster as dg

from mlops_assets.alerts.messages import unproven
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.automation.turns import Seen, Served, Turn
from mlops_assets.catalog.names import CHAMPION, DECIDE, DECISIONS, job_name, step_name
from mlops_assets.catalog.run_tags import FORECAST, REASON
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.approvers import Approvers, Request, UnprovenError
from mlops_assets.lifecycle.calls import Calls
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.tracking import Tracking

TAG, SIGNATURE_TAG = "approval", "approval_signature"
_SAID = re.compile(r"\s*(approved|rejected)\s+by\s+([^:]*[^:\s])\s*(?::\s*(.*\S))?\s*", re.IGNORECASE | re.DOTALL)
_HOW = "write 'approved by WHO: WHY' or 'rejected by WHO: WHY'"


class Approvals:
    """Decides on versions that wait and have the tag `approval` in MLflow, and completes what killed processes left."""

    name, job, always = "approvals", DECIDE, False
    about = (
        "Carries out the tag approval ('approved by WHO: WHY' or 'rejected by WHO: WHY') of a version that waits, and "
        "makes MLflow's aliases follow the decisions."
    )
    needs = ("tables", "tracking", "clock", "notifications", "approvers")

    def __init__(self, context: dg.SensorEvaluationContext, specs: Sequence[Served], seen: Mapping[str, Seen]) -> None:
        self._instance = context.instance
        self._tables: Tables = context.resources.tables
        self._tracking: Tracking = context.resources.tracking
        self._clock: Clock = context.resources.clock
        self._notifications: Notifications = context.resources.notifications
        self._approvers: Approvers = context.resources.approvers

    def sign(self, spec: Served) -> str:
        """Return how many decisions there are, and whether MLflow has called."""
        called = " called" if Calls(self._tables, spec.name).waiting else ""
        return f"{len(self._tables.partitions([spec.name, DECISIONS]))}{called}"

    def look(self, spec: Served, seen: Seen) -> Turn:
        """Ask for the runs that decide; a version that waits is looked at in each tick: MLflow need not call."""
        assert isinstance(spec, ForecastSpec)
        Calls(self._tables, spec.name).answer()
        life = Lifecycle(self._tables, self._tracking, self._clock, spec.name)
        life.repair()
        self._tracking.close_orphans(spec.name, self._instance)
        waiting = decisions.waiting(life.log.all())
        if not waiting:
            return Turn("no version waits for approval")
        requests, words = [], []
        for number in waiting:
            tags = life.registry.version(number).tags
            tag, signature = tags.get(TAG, ""), tags.get(SIGNATURE_TAG, "")
            said = read_tag(tag)
            if said is None:
                words.append(f"version {number} waits" + (f"; its tag {TAG} says {tag!r}: {_HOW}" if tag else ""))
                continue
            request = Request(spec.name, number, *said)
            try:
                self._approvers.by_signature(request, signature, time.time())
            except UnprovenError as error:
                self._notifications.send(self._tables, unproven(request, tag, signature, self._notifications))
                words.append(f"version {number} waits; {error.message}")
                continue
            config = {"decision": said[0], "version": number, "by": said[1], "reason": said[2], "signature": signature}
            words.append(f"version {number} is decided on: {tag}")
            requests.append(
                dg.RunRequest(
                    run_key=":".join(filter(None, (spec.name, str(number), tag, signature))),
                    job_name=job_name(spec, DECIDE),
                    run_config={"ops": {step_name(spec.name, CHAMPION): {"config": config}}},
                    tags={FORECAST: spec.name, REASON: f"tag {TAG} in MLflow: {tag}"},
                )
            )
        return Turn("; ".join(words), requests, again=True)


def read_tag(text: str) -> tuple[Literal["approve", "reject"], str, str] | None:
    """Read the tag `approval`: the decision (approve or reject), who, and why; None if it says neither."""
    found = _SAID.fullmatch(text)
    if found is None:
        return None
    said, by, reason = found.groups()
    return ("approve" if said.lower() == "approved" else "reject"), by, reason or f"{said.lower()} in MLflow"
