"""All that begins by itself: schedules, the sensors that serve forecasts, and the jobs that both ask for."""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.automation.arrivals import build_arrivals_sensor
from mlops_assets.automation.jobs import build_jobs
from mlops_assets.automation.polling import build_polling_sensor
from mlops_assets.automation.schedules import build_schedules
from mlops_assets.automation.sensors import build_aliases, build_sensors
from mlops_assets.spec import BrokenSpec, ForecastSpec


def build_automation(specs: Sequence[ForecastSpec], broken: Sequence[BrokenSpec] = ()) -> dg.Definitions:
    """Return jobs, schedules and sensors of forecasts, also those sensors that earlier releases had for each."""
    own = {spec.name: build_jobs(spec) for spec in specs}
    jobs = [job for some in own.values() for job in some]
    sensors = [
        *build_arrivals_sensor(specs, jobs),
        *build_polling_sensor(specs, jobs),
        *build_sensors(specs, broken, jobs),
        *(sensor for spec in specs for sensor in build_aliases(spec, own[spec.name])),
    ]
    schedules = [schedule for spec in specs for schedule in build_schedules(spec)]
    return dg.Definitions(jobs=jobs, schedules=schedules, sensors=sensors)
