"""A Dagster code location with all forecasts, and one asset whose work is done in a process outside.

dagster dev -f docs/orchestrators/pipes/subprocess_assets.py
"""

import sys
from pathlib import Path

import dagster as dg

from mlops_assets import Settings, build_definitions

NAME = "nyc_departures"
STEP = Path(__file__).with_name("step.py")
OUTSIDE = Settings.read().data_folder / "outside"


@dg.asset(key=[NAME, "outside"], deps=[[NAME, "observations"]], group_name=NAME, kinds={"python"})
def outside(context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient) -> dg.MaterializeResult:
    """What the model forecasts and how good it is, from another process."""
    return pipes.run(
        context=context,
        command=[sys.executable, str(STEP)],  # or the Python of another virtual environment
        extras={"forecast": NAME, "file": str(OUTSIDE / "forecast.parquet")},
        # Never Dagster's own home: two processes that begin on one SQLite can break it.
        env={"DAGSTER_HOME": str(OUTSIDE / "dagster")},
    ).get_materialize_result()


defs = dg.Definitions.merge(
    build_definitions(),
    dg.Definitions(assets=[outside], resources={"pipes": dg.PipesSubprocessClient()}),
)
