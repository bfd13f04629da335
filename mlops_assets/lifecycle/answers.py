"""The log of what the retraining policy has said: each answer to something new, once."""

from datetime import datetime

import pandas as pd

from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import RETRAINING_DECISIONS
from mlops_assets.forecasting.decisions.policy import Answer, Evidence, as_row
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables


class Answers:
    """The policy's answers on one forecast: the table `<name>/retraining_decisions`."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._log = Log(tables, name, RETRAINING_DECISIONS)

    def all(self) -> pd.DataFrame:
        """Return all answers, one row each, oldest first; `number` counts from 1."""
        return self._log.rows().sort_values("number", ignore_index=True)

    def add(self, number: int, answer: Answer, evidence: Evidence, state: str, now: datetime) -> bool:
        """Add an answer; False if somebody else has written this row meanwhile.

        Args:
            number: of the row: one more than there were before anything was looked at.
            answer: what the policy said.
            evidence: on which grounds.
            state: all on which the answer depends; as long as it is the same, there is nothing new to judge.
            now: the present moment, aware.
        """
        row = {
            "number": number,
            "at": naive_utc(now),
            **as_row(answer, evidence.champion),
            "until": max(evidence.stored, default=""),
            "state": state,
        }
        return self._log.add(row, numbered(number))
