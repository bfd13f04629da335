"""The sensors of a forecast."""

import dagster as dg

from mlops_assets.automation.alerting import build_alert_sensor
from mlops_assets.automation.approvals import build_approval_sensor
from mlops_assets.automation.rescoring import build_rescore_sensor
from mlops_assets.automation.retraining import build_retraining_sensor
from mlops_assets.spec import ForecastSpec


def build_sensors(spec: ForecastSpec) -> list[dg.SensorDefinition]:
    """Return the sensors of a forecast: `<name>_` and retrain_on_breach, approvals, rescore, alerts."""
    builders = (build_retraining_sensor, build_approval_sensor, build_rescore_sensor, build_alert_sensor)
    return [build(spec) for build in builders]
