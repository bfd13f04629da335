"""Sensors as tests evaluate them."""

from typing import Any

import dagster as dg

from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.sensors import build_aliases
from mlops_assets.spec import ForecastSpec


def tick(spec: ForecastSpec, name: str, context: dg.SensorEvaluationContext) -> Any:
    """Evaluate one of the sensors that a forecast has for itself alone: its requests, or why there are none.

    The context has the cursor of the next tick then.
    """
    (sensor,) = (made for made in build_aliases(spec, build_jobs(spec)) if made.name == name)
    found = sensor.evaluate_tick(context)
    return found.run_requests or dg.SkipReason(found.skip_message)
