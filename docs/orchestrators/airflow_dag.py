"""A daily forecast under Airflow 3: tried until it is there, and a task behind it that reads how it was made.

Copy the file into the folder of your DAGs. mlops-assets may have a virtual environment of its own on the workers, its
variables (MLOPS_ENV and so on) those of the workers.
"""

import json
import subprocess
from datetime import datetime, timedelta

from airflow.sdk import PokeReturnValue, dag, task
from airflow.sdk.exceptions import AirflowFailException

COMMAND = ["mlops-assets", "run", "nyc_departures", "--json"]  # or /opt/mlops-assets/bin/mlops-assets
NOT_YET = 3


@dag(schedule="0 6 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def nyc_departures():
    """The round of the latest day."""

    @task.sensor(mode="reschedule", poke_interval=timedelta(minutes=10), timeout=timedelta(hours=10))
    def forecast() -> PokeReturnValue:
        """Run the round; between two tries no worker is held."""
        done = subprocess.run(COMMAND, stdout=subprocess.PIPE, text=True, check=False)
        answer = json.loads(done.stdout.splitlines()[-1])
        if done.returncode not in (0, NOT_YET):
            raise AirflowFailException(f"exit code {done.returncode}: {answer['error']}")
        return PokeReturnValue(is_done=done.returncode == 0, xcom_value=answer)

    @task
    def deliver(answer: dict) -> None:
        """Take the forecast on to those who wait for it."""
        print(f"{answer['rows']} rows by {answer['source']} ({answer['delivered_because']})")

    deliver(forecast())


nyc_departures()
