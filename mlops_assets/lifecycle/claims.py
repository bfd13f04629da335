"""The claims of registrations: of several runs that are about to register the same training, one does it."""

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import REGISTRATIONS
from mlops_assets.lifecycle.launches import run_state
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

if TYPE_CHECKING:
    import dagster as dg

LONGEST_REGISTRATION = timedelta(minutes=10)
"""Registering takes seconds. Of a run that another Dagster knows, nothing else says that it has died."""


class Registrations:
    """Trainings that a run is about to register, so that two runs at once make one version of the same training.

    A claim is a partition of the table `<name>/registrations` that only one run can create.
    """

    def __init__(self, tables: Tables, name: str) -> None:
        self._log = Log(tables, name, REGISTRATIONS)

    def claim(self, training: str, run_id: str, instance: "dg.DagsterInstance") -> str:
        """Claim the registration of a training, known by its fingerprint, for a run.

        A run that has ended without a version of it, or whose version was deleted since, holds nobody up: the next
        one takes the claim over under the next number.

        Returns:
            An empty text if the run shall do it; else which run does.
        """
        takeover = 1
        while True:
            now, partition = datetime.now(timezone.utc), f"{training} run {takeover}"
            row = {"fingerprint": training, "run_id": run_id, "takeover": takeover, "claimed_at": naive_utc(now)}
            if self._log.add(row, partition):
                return ""
            holder = self._log.rows([partition]).iloc[0]
            if holder["run_id"] == run_id:
                return ""  # the same run, in a step that is tried again
            state = run_state(instance, holder["run_id"], holder["claimed_at"], now, LONGEST_REGISTRATION)
            if state == "under way":
                return f"{holder['run_id']} ({state})"
            takeover += 1
