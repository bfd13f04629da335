"""The logged model, in MLflow's own terms: this file travels with the model and runs without mlops-assets.

Beside it travel the package that it imports (as `code_paths`, see `model_code.py`) and the forecaster's file.
"""

from typing import Any

import mlflow.models
import mlflow.pyfunc
import pandas as pd


class Forecast(mlflow.pyfunc.PythonModel):  # pyright: ignore[reportPrivateImportUsage]
    """Quantile forecasts from a history frame.

    The input is a canonical frame: `item_id`, `timestamp`, `target` and the covariates. Forecasts start after the last
    timestamp that has a target; later rows, with an empty target, carry the covariates known for the future.
    """

    def load_context(self, context: Any) -> None:
        """Load the forecaster, checked."""
        from mlops_assets_model.entry import read  # pyright: ignore[reportMissingImports]

        self.forecaster = read(context.artifacts["forecaster"])

    # The one hint tells MLflow to check inputs by the logged signature; with more it would make up another schema.
    def predict(self, context, model_input: pd.DataFrame, params=None):  # pyright: ignore[reportIncompatibleMethodOverride]
        """Forecast every item of the history.

        Args:
            context: MLflow's; not used.
            model_input: canonical frame.
            params: `horizon`: how many steps ahead, at most the horizon that the model was trained for.
        """
        history = model_input.assign(timestamp=pd.to_datetime(model_input["timestamp"]))
        known = history.loc[history["target"].notna(), "timestamp"]
        if known.empty:
            raise ValueError("the history holds no target, so there is nothing to forecast from")
        origin = known.max()
        horizon = int((params or {}).get("horizon") or self.forecaster.task.horizon)
        future = history[history["timestamp"] > origin]
        names = list(self.forecaster.task.known)
        return self.forecaster.predict(
            history,
            origin,
            horizon=horizon,
            future=future[["item_id", "timestamp", *names]] if names and len(future) else None,
        )


mlflow.models.set_model(Forecast())
