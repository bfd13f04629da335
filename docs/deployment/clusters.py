"""Openers of clusters: MLOPS_ENGINE=dask://clusters:kubernetes?workers=4, with this file on PYTHONPATH.

What an opener returns is given to Dask's client, and closed after the run. Others are ready made:

    dask://coiled:Cluster?n_workers=10&region=eu-central-1
    dask://dask_jobqueue:SLURMCluster?n_workers=10&cores=1&memory=2GiB
    dask://dask_gateway:GatewayCluster
"""

import os
from typing import Any


def kubernetes(workers: int = 2, memory: str = "2Gi") -> Any:
    """Open a cluster of the Dask operator whose workers have our image, one thread each, and the tables' secrets."""
    from dask_kubernetes.operator import KubeCluster, make_cluster_spec

    spec = make_cluster_spec(
        name=f"forecast-{os.getpid()}-{os.uname().nodename[-12:]}".lower(),
        image=os.environ["MLOPS_IMAGE"],
        n_workers=workers,
        resources={"requests": {"cpu": "1", "memory": memory}, "limits": {"memory": memory}},
        worker_command=["dask", "worker", "--nthreads", "1", "--no-dashboard"],
    )
    (container,) = spec["spec"]["worker"]["spec"]["containers"]
    container["envFrom"] = [{"secretRef": {"name": "mlops-assets"}}]
    return KubeCluster(custom_cluster_spec=spec, shutdown_on_close=True)
