"""The MLflow run of one training, open for what is to be logged."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from mlops_assets.tracking.logged_model import log_forecaster, without_advice
from mlops_assets.tracking.pictures import png_file

if TYPE_CHECKING:
    import dagster as dg
    from matplotlib.figure import Figure


class Step(Protocol):
    """What is asked of the step that trains: Dagster's context is one."""

    @property
    def run(self) -> "dg.DagsterRun":
        """The run that it is a step of."""
        ...

    @property
    def instance(self) -> "dg.DagsterInstance":
        """Knows which runs live."""
        ...

    @property
    def log(self) -> Any:
        """A logger."""
        ...


class TrainingRun:
    """The open MLflow run of one training."""

    def __init__(self, mlflow: Any, run_id: str) -> None:
        self._mlflow = mlflow
        self.run_id = run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters; they cannot be changed afterwards."""
        self._mlflow.log_params(dict(params))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics in one call; those that are not finite are left out, because MLflow cannot plot them."""
        self._mlflow.log_metrics({k: float(v) for k, v in metrics.items() if v is not None and isfinite(v)})

    def log_table(self, frame: pd.DataFrame, file: str) -> None:
        """Keep a frame as a CSV artifact."""
        self._mlflow.log_text(frame.to_csv(index=False), file)

    def log_figure(self, draw: "Callable[[], Figure]", file: str) -> None:
        """Draw a picture and keep it as a PNG artifact."""
        with png_file(draw(), file) as (path, folder):
            self._mlflow.log_artifact(path, folder)

    def log_dataset(self, frame: pd.DataFrame, source: str, name: str) -> None:
        """Say what was learnt from: schema, size and digest; the rows themselves stay where they are."""
        from mlflow.data.code_dataset_source import CodeDatasetSource

        with without_advice():
            dataset = self._mlflow.data.from_pandas(
                frame, source=CodeDatasetSource({"table": source}), targets="target", name=name
            )
            self._mlflow.log_input(dataset, context="training")

    def log_forecaster(
        self, state: Mapping[str, Any], history: pd.DataFrame, forecasts: pd.DataFrame, horizon: int
    ) -> tuple[str, str]:
        """Keep the model so that a stranger can load it without this package (see `logged_model.py`).

        Args:
            state: the forecaster's state.
            history: a short canonical frame, as input example and signature.
            forecasts: what the model makes of it, for the signature.
            horizon: default and upper bound of the `horizon` parameter.

        Returns:
            MLflow's address of the model and the sha256 of its file.
        """
        return log_forecaster(state, history, forecasts, horizon)
