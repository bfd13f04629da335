"""What makes a forecast look after itself: jobs, schedules, sensors."""

import dagster as dg

from mlops_assets.automation.arrivals import build_arrivals_sensor
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.polling import build_polling_sensor
from mlops_assets.automation.schedules import build_schedules
from mlops_assets.automation.sensors import build_aliases, build_sensors
from mlops_assets.spec import ForecastSpec

__all__ = ["build_arrivals_sensor", "build_automation", "build_polling_sensor", "build_sensors"]


def build_automation(spec: ForecastSpec) -> dg.Definitions:
    """Return the jobs and schedules of a forecast, and the sensors that earlier releases had for it."""
    jobs = build_jobs(spec)
    return dg.Definitions(jobs=jobs, schedules=build_schedules(spec), sensors=build_aliases(spec, jobs))
