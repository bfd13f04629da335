"""What makes a forecast look after itself: jobs, schedules, sensors."""

import dagster as dg

from mlops_assets.automation.alerting import build_broken_sensor
from mlops_assets.automation.arrivals import build_arrivals_sensor
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.polling import build_polling_sensor
from mlops_assets.automation.schedules import build_schedules
from mlops_assets.automation.sensors import build_sensors
from mlops_assets.spec import ForecastSpec

__all__ = ["build_arrivals_sensor", "build_automation", "build_broken_sensor", "build_polling_sensor"]


def build_automation(spec: ForecastSpec) -> dg.Definitions:
    """Return the jobs, schedules and sensors of a forecast."""
    return dg.Definitions(jobs=build_jobs(spec), schedules=build_schedules(spec), sensors=build_sensors(spec))
