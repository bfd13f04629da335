"""A search for settings in MLflow: one run for the study, and a run nested in it for each trial."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from time import time
from typing import Any

from mlops_assets.tracking.tracking import Tracking


class Study:
    """The open MLflow run of a study."""

    def __init__(self, client: Any, experiment_id: str, run_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self.run_id = run_id

    def log(self, name: str, params: Mapping[str, Any], metrics: Mapping[str, float]) -> str:
        """Keep one trial as a finished run below the study's, and return its id."""
        tags = {"mlflow.parentRunId": self.run_id, "mlflow.runName": name}
        run_id = self._client.create_run(self._experiment_id, tags=tags).info.run_id
        self._write(run_id, params, metrics)
        self._client.set_terminated(run_id, "FINISHED")
        return run_id

    def conclude(self, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Keep what the study has found."""
        self._write(self.run_id, params, metrics)

    def _write(self, run_id: str, params: Mapping[str, Any], metrics: Mapping[str, float]) -> None:

        from mlflow.entities import Metric, Param

        now = int(time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(k, float(v), now, 0) for k, v in metrics.items() if isfinite(v)],
            params=[Param(k, str(v)) for k, v in params.items()],
        )


@contextmanager
def open_study(tracking: Tracking, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Study]:
    """Open a study; its run ends FINISHED, or FAILED when the block raises.

    Raises:
        TrackingError: MLflow cannot be reached.
    """
    client, experiment_id = tracking.experiment(experiment)
    run = client.create_run(experiment_id, tags={**tags, "mlflow.runName": name})
    status = "FAILED"
    try:
        yield Study(client, experiment_id, run.info.run_id)
        status = "FINISHED"
    finally:
        client.set_terminated(run.info.run_id, status)
