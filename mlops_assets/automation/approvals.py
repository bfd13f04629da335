"""The sensor that carries out what people decide in MLflow's web UI, and repairs what a killed process left behind."""

import re

import dagster as dg

from mlops_assets.catalog.names import CHAMPION, DECIDE, job_name, step_name
from mlops_assets.catalog.run_tags import FORECAST, REASON
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.tracking import Tracking

TAG = "approval"
_SAID = re.compile(r"\s*(approved|rejected)\s+by\s+([^:]*[^:\s])\s*(?::\s*(.*\S))?\s*", re.IGNORECASE | re.DOTALL)
_HOW = "write 'approved by WHO: WHY' or 'rejected by WHO: WHY'"


def build_approval_sensor(spec: ForecastSpec) -> dg.SensorDefinition:
    """Define `<name>_approvals`: a version that waits, with the tag `approval` in MLflow, is decided on."""

    @dg.sensor(
        name=f"{spec.name}_approvals",
        job_name=job_name(spec.name, DECIDE),
        minimum_interval_seconds=60,
        description="Carries out the tag approval ('approved by WHO: WHY' or 'rejected by WHO: WHY') of a version that "
        "waits, and makes MLflow's aliases follow the decisions.",
    )
    def approvals(
        context: dg.SensorEvaluationContext,
        tables: dg.ResourceParam[Tables],
        tracking: dg.ResourceParam[Tracking],
        clock: dg.ResourceParam[Clock],
    ) -> list[dg.RunRequest] | dg.SkipReason:
        life = Lifecycle(tables, tracking, clock, spec.name)
        life.repair()
        tracking.close_orphans(spec.name, context.instance)
        waiting = decisions.waiting(life.log.all())
        if not waiting:
            return dg.SkipReason("no version waits for approval")
        requests, words = [], []
        for number in waiting:
            tag = life.registry.version(number).tags.get(TAG, "")
            said = read_tag(tag)
            if said is None:
                words.append(f"version {number} waits" + (f"; its tag {TAG} says {tag!r}: {_HOW}" if tag else ""))
                continue
            decision, by, reason = said
            config = {"decision": decision, "version": number, "by": by, "reason": reason}
            requests.append(
                dg.RunRequest(
                    run_key=f"{spec.name}:{number}:{tag}",
                    run_config={"ops": {step_name(spec.name, CHAMPION): {"config": config}}},
                    tags={FORECAST: spec.name, REASON: f"tag {TAG} in MLflow: {tag}"},
                )
            )
        return requests or dg.SkipReason("; ".join(words))

    return approvals


def read_tag(text: str) -> tuple[str, str, str] | None:
    """Read the tag `approval`: the decision (approve or reject), who, and why; None if it says neither."""
    found = _SAID.fullmatch(text)
    if found is None:
        return None
    said, by, reason = found.groups()
    return ("approve" if said.lower() == "approved" else "reject"), by, reason or f"{said.lower()} in MLflow"
