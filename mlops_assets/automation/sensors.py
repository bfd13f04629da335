"""The sensor that retrains when the accuracy on arriving actuals breaches the spec's threshold."""

from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.assets.accuracy import summary
from mlops_assets.automation.jobs import retrain_job_name
from mlops_assets.forecasting import policy
from mlops_assets.resources.stores import Tables
from mlops_assets.spec import ForecastSpec


def build_sensors(spec: ForecastSpec) -> list[dg.SensorDefinition]:
    """Define `<name>_retrain_on_breach`; the tables are its memory, so it needs no cursor."""

    @dg.sensor(
        name=f"{spec.name}_retrain_on_breach",
        job_name=retrain_job_name(spec),
        minimum_interval_seconds=60,
        description=f"Requests {retrain_job_name(spec)} when {spec.retraining.metric} breaches its threshold, "
        "once for a partition, and otherwise says why not.",
    )
    def retrain_on_breach(
        context: dg.SensorEvaluationContext, tables: dg.ResourceParam[Tables]
    ) -> dg.RunRequest | dg.SkipReason:
        rules = spec.retraining
        history = accuracy_history(tables, spec, rules.window)
        decision = policy.decide(history, rules.metric, rules.threshold, rules.breaches, rules.window)
        if not decision.retrain:
            return dg.SkipReason(decision.reason)
        return dg.RunRequest(
            run_key=f"{spec.name}:{decision.partition}",
            tags={"mlops/reason": f"breach: {decision.reason}", "mlops/forecast": spec.name},
        )

    return [retrain_on_breach]


def accuracy_history(tables: Tables, spec: ForecastSpec, partitions: int) -> pd.DataFrame:
    """Return the scores of the latest partitions of `forecast_accuracy` that could be scored.

    Args:
        tables: where the accuracy is stored.
        spec: the forecast.
        partitions: how many of the latest.

    Returns:
        A row for each with `partition`, `rows` and the metrics, oldest first. Forecasts whose model had seen the
        actuals do not count, and a partition with none but those is passed over.
    """
    key = [spec.name, "forecast_accuracy"]
    rows: list[dict[str, Any]] = []
    for partition in sorted(tables.partitions(key), reverse=True):
        if len(rows) == partitions:
            break
        scored = tables.read(key, partitions=[partition])
        scores = summary(scored[~scored["in_sample"].astype(bool)], spec.task)
        if scores["rows"]:
            rows.insert(0, {"partition": partition, **scores})
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["partition", "rows", spec.retraining.metric])
