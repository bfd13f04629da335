"""Registered versions without a training: a small model file, a run, and the tags a registration writes."""

from pathlib import Path
from typing import Any

import mlflow

from mlops_assets.forecasting.model import model_file
from mlops_assets.forecasting.model.forecaster import STATE_VERSION
from mlops_assets.tracking.logged_model import FORECASTER
from mlops_assets.tracking.registry import Version
from mlops_assets.tracking.tracking import Tracking


def plant(tracking: Tracking, folder: Path, name: str = "demo", **tags: Any) -> Version:
    """Register the next version of a model; further tags as keyword arguments."""
    registry = tracking.registry(name)
    client = mlflow.MlflowClient(tracking.uri)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    number = len(registry.versions()) + 1
    file = folder / name / str(number) / "artifacts" / FORECASTER
    file.parent.mkdir(parents=True)
    sha256 = model_file.save({"version": STATE_VERSION, "number": number}, file)
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name, str(folder / "runs"))
    run = client.create_run(experiment_id)
    client.set_terminated(run.info.run_id)
    said = {"sha256": sha256, "data_version": f"data {number}", "spec_hash": "spec", "stage": "Staging"}
    source = str(file.parent.parent)
    made = client.create_model_version(name, source, run.info.run_id, tags={**said, **tags})
    return registry.version(int(made.version))
