"""The task of the bundle: one round of a forecast in this process, which has the session of the cluster.

A process of its own, as in docs/orchestrators/databricks, would have no session.
"""

import sys

from mlops_assets.commands.main import main

main(["run", sys.argv[1], "--json"], standalone_mode=False)
