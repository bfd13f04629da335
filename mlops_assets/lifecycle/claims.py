"""The claims of registrations: of several runs that are about to register the same training, one does it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.catalog.log import Log
from mlops_assets.catalog.names import REGISTRATIONS
from mlops_assets.lifecycle.launches import run_state
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

if TYPE_CHECKING:
    import dagster as dg

LONGEST_REGISTRATION = timedelta(minutes=10)
"""Registering takes seconds. Of a run that another Dagster knows, nothing else says that it has died."""
_PAUSE = 1.0
"""Seconds between two looks whether somebody else has ended."""


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

    @contextmanager
    def turn(self, parcel: str, place: str, waiting: Callable[[str], None]) -> Iterator[None]:
        """Take a version over from another environment while nobody else does, on whatever machine.

        Args:
            parcel: the version, known by the checksum of its model.
            place: machine and folder where it is done. Commands of one place come one after another, so that a claim
                of the same place is a killed one's.
            waiting: is told, once, in which place it is done at the moment.
        """
        number, told = 1, False
        while True:
            row = {"fingerprint": parcel, "run_id": place, "takeover": number, "claimed_at": _now()}
            if self._log.add(row, partition := f"{parcel} promotion {number}"):
                break
            held = self._log.rows([partition])
            if len(held) and (held["run_id"].iloc[0] == place or _is_old(held["claimed_at"].iloc[0])):
                number += 1
            elif len(held):
                if not told:
                    waiting(str(held["run_id"].iloc[0]))
                told = True
                time.sleep(_PAUSE)
        try:
            yield
        finally:
            self._log.remove(partition)


def _is_old(claimed_at: pd.Timestamp) -> bool:
    return _now() - claimed_at > LONGEST_REGISTRATION


def _now() -> pd.Timestamp:
    return naive_utc(datetime.now(timezone.utc))
