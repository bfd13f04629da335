"""The sensors of a forecast."""

import dagster as dg

from mlops_assets.automation.approvals import build_approval_sensor
from mlops_assets.automation.retraining import build_retraining_sensor
from mlops_assets.spec import ForecastSpec


def build_sensors(spec: ForecastSpec) -> list[dg.SensorDefinition]:
    """Return the sensors of a forecast: `<name>_retrain_on_breach` and `<name>_approvals`."""
    return [build_retraining_sensor(spec), build_approval_sensor(spec)]
