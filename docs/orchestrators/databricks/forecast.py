"""The task of the bundle: one round of a forecast; its exit code and answer are values that later tasks branch on."""

import json
import subprocess
import sys

from databricks.sdk.runtime import dbutils

DONE, NOT_YET = 0, 3

done = subprocess.run(
    [sys.executable, "-m", "mlops_assets", "run", sys.argv[1], "--json"], stdout=subprocess.PIPE, text=True, check=False
)
answer = json.loads(done.stdout.splitlines()[-1])
dbutils.jobs.taskValues.set("exit_code", done.returncode)
dbutils.jobs.taskValues.set("answer", answer)
if done.returncode not in (DONE, NOT_YET):
    raise RuntimeError(f"exit code {done.returncode}: {answer['error']}")
