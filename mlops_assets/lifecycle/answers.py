"""The log of what the retraining policies have said: their answers to something new, once."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import RETRAINING_DECISIONS
from mlops_assets.forecasting.decisions.evidence import Evidence
from mlops_assets.forecasting.decisions.policy import Answer, as_row
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables


class Answers:
    """The policies' answers on one forecast: the table `<name>/retraining_decisions`."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._log = Log(tables, name, RETRAINING_DECISIONS)

    def all(self) -> pd.DataFrame:
        """Return all answers, a row for each policy and time that it was asked, oldest first."""
        return self._log.rows().sort_values("number", kind="stable", ignore_index=True)

    def add(self, log: pd.DataFrame, answers: Sequence[Answer], evidence: Evidence, state: str, now: datetime) -> bool:
        """Add the answers of all policies; False if somebody else has written meanwhile.

        Args:
            log: all answers that there were before anything was looked at.
            answers: what the policies said, in their order.
            evidence: on which grounds.
            state: all on which the answers depend; as long as it is the same, there is nothing new to judge.
            now: the present moment, aware.
        """
        number = int(log["number"].max()) + 1 if len(log) else 1
        said = {"number": number, "at": naive_utc(now), "until": max(evidence.stored, default=""), "state": state}
        return self._log.add_all(
            [{**as_row(answer, evidence.champion), **said} for answer in answers], numbered(number)
        )


def latest(log: pd.DataFrame) -> pd.DataFrame:
    """Return the answers of the last time that the policies were asked, in the order of the policies."""
    return log[log["number"] == log["number"].max()]
