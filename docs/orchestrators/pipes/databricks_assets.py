"""The twin of `subprocess_assets.py`: the same step on a cluster of Databricks. Needs `pip install dagster-databricks`.

`step.py` and the wheel lie in the workspace: `databricks workspace import-dir`, or the bundle in `../databricks`.
"""

import dagster as dg
from dagster_databricks import PipesDatabricksClient
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import SubmitTask

from mlops_assets import build_definitions

NAME = "nyc_departures"
FOLDER = "/Workspace/Shared/mlops_assets"
TASK = {
    "task_key": "outside",
    "spark_python_task": {"python_file": f"{FOLDER}/step.py", "source": "WORKSPACE"},
    "libraries": [{"whl": f"{FOLDER}/mlops_assets.whl"}, {"pypi": {"package": "dagster-pipes"}}],
    "new_cluster": {
        "spark_version": "16.4.x-scala2.12",
        "node_type_id": "Standard_D4ds_v5",
        "num_workers": 0,
        "spark_conf": {"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"},
        "custom_tags": {"ResourceClass": "SingleNode"},
        "spark_env_vars": {"MLOPS_FORECASTS": f"{FOLDER}/forecasts", "MLFLOW_TRACKING_URI": "databricks"},
    },
}


@dg.asset(key=[NAME, "outside"], deps=[[NAME, "observations"]], group_name=NAME, kinds={"databricks"})
def outside(context: dg.AssetExecutionContext, pipes: PipesDatabricksClient) -> dg.MaterializeResult:
    """What the model forecasts and how good it is, from a cluster that lives as long as the step."""
    return pipes.run(
        context=context,
        task=SubmitTask.from_dict(TASK),
        extras={"forecast": NAME, "file": f"/dbfs/mlops_assets/{NAME}.parquet"},
    ).get_materialize_result()


defs = dg.Definitions.merge(
    build_definitions(),
    dg.Definitions(assets=[outside], resources={"pipes": PipesDatabricksClient(WorkspaceClient())}),
)
