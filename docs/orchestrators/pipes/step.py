"""A step that runs outside of Dagster: how good the model is, and what it forecasts. Started by `subprocess_assets.py`.

It needs `mlops_assets` and `dagster-pipes`, and none of Dagster's storage: what it reports goes back through Pipes.
"""

import os
from pathlib import Path

from dagster_pipes import PipesDbfsContextLoader, PipesDbfsMessageWriter, open_dagster_pipes

from mlops_assets import evaluate, forecast

DBFS = {"context_loader": PipesDbfsContextLoader(), "message_writer": PipesDbfsMessageWriter()}
ON_DATABRICKS = "DATABRICKS_RUNTIME_VERSION" in os.environ

with open_dagster_pipes(**(DBFS if ON_DATABRICKS else {})) as pipes:
    name, file = pipes.get_extra("forecast"), Path(pipes.get_extra("file"))
    backtest = evaluate(name).to_frame().iloc[0]  # trained anew at each origin; the first row is the spec's own model
    made = forecast(name)  # by the champion's model; without one it is fitted here
    pipes.log.info(f"forecast by {made.model}")
    file.parent.mkdir(parents=True, exist_ok=True)
    made.to_frame().to_parquet(file)
    pipes.report_asset_materialization(
        metadata={
            "file": {"raw_value": str(file), "type": "path"},
            "rows": len(made.to_frame()),
            "wql": float(backtest["wql"]),
            "mase": float(backtest["mase"]),
        },
    )
