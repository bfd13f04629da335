"""The retrainings that policies asked for: claimed by their runs, so that each is done once however often launched.

A claim is the next numbered partition of the table `<name>/retraining_launches`, which only one run can create. A
second run for the same try finds it and ends, and so does one for another retraining while a first is under way; where
the run that holds a claim has died, the next one takes it over by a claim of its own.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.catalog import run_tags
from mlops_assets.catalog.log import Log, numbered
from mlops_assets.catalog.names import RETRAINING_LAUNCHES
from mlops_assets.forecasting.decisions.rules import CHALLENGE
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables

if TYPE_CHECKING:
    import dagster as dg

STALE = timedelta(hours=4)
"""A run that has not ended by then never will: its process is gone and nobody has noticed."""
_ENDINGS = {
    "promoted": "promoted",
    "rolled back": "promoted",
    "refused": "refused",
    "rejected": "refused",
    "awaiting approval": "awaiting approval",
}


@dataclass(frozen=True)
class Launch:
    """One retraining that was asked for.

    Attributes:
        breach: key of the breach.
        attempt: number of the try on it, from 1.
        champion: version in charge when it was asked for.
        action: how to train, as `forecasting.decisions.policy.Answer` has it.
        reason: why, in words.
        partition: the latest stored partition of observations.
        run_id: Dagster run that does it.
        policy: name of the policy that asked for it; empty: none, the spec has changed or the champion is lost.
        becomes: what becomes of the version.
    """

    breach: str
    attempt: int
    champion: int
    action: str
    reason: str
    partition: str
    run_id: str
    policy: str = ""
    becomes: str = CHALLENGE

    @classmethod
    def of(cls, run: "dg.DagsterRun", partition: str) -> "Launch | None":
        """Read it from the tags of a run; None for a run that no breach has asked for."""
        tags = run.tags
        if not tags.get(run_tags.BREACH):
            return None
        return cls(
            breach=tags[run_tags.BREACH],
            attempt=int(tags.get(run_tags.ATTEMPT, 1)),
            champion=int(tags.get(run_tags.CHAMPION, 0)),
            action=tags.get(run_tags.ACTION, "refit"),
            reason=tags.get(run_tags.REASON, ""),
            partition=partition,
            run_id=run.run_id,
            policy=tags.get(run_tags.POLICY, ""),
            becomes=tags.get(run_tags.BECOMES, CHALLENGE),
        )

    def tags(self) -> dict[str, str]:
        """Return the tags of the run that shall do it."""
        return {
            run_tags.BREACH: self.breach,
            run_tags.ATTEMPT: str(self.attempt),
            run_tags.CHAMPION: str(self.champion),
            run_tags.ACTION: self.action,
            run_tags.REASON: self.reason,
            run_tags.POLICY: self.policy,
            run_tags.BECOMES: self.becomes,
        }


class Launches:
    """The retrainings of one forecast."""

    def __init__(self, tables: Tables, name: str) -> None:
        self._log = Log(tables, name, RETRAINING_LAUNCHES)

    def all(self) -> pd.DataFrame:
        """Return all claims: the fields of `Launch`, takeover (from 1) and claimed_at (UTC), in order."""
        return self._log.rows().sort_values(["partition", "breach", "attempt", "takeover"], ignore_index=True)

    def claim(self, launch: Launch, instance: "dg.DagsterInstance") -> str:
        """Claim a retraining for its run, unless another run does it, or any other retraining.

        Args:
            launch: what is claimed.
            instance: knows which runs are alive.

        Returns:
            An empty text if the run shall do it; else which run does, or did.
        """
        while True:
            rows, now = self.all(), datetime.now(timezone.utc)
            same = (rows["breach"] == launch.breach) & (rows["attempt"] == launch.attempt)
            # The same run, in a step that is tried again, holds its own claim.
            if (same & (rows["run_id"] == launch.run_id)).any():
                return ""
            alive = rows["claimed_at"] > naive_utc(now) - STALE
            for row in rows.assign(same=same)[same | alive].to_dict("records"):
                state = run_state(instance, row["run_id"], row["claimed_at"], now)
                if state == "under way" or (row["same"] and state == "done"):
                    return f"{row['run_id']} ({state})"
            claimed = {**asdict(launch), "takeover": int(same.sum()) + 1, "claimed_at": naive_utc(now)}
            if self._log.add(claimed, numbered(len(rows) + 1)):
                return ""

    def results(self, decisions: pd.DataFrame, instance: "dg.DagsterInstance") -> pd.DataFrame:
        """Return all claims with their `result`, as the policy reads them.

        Args:
            decisions: the log of decisions; says what became of a run's challenger.
            instance: says what became of a run without a decision.
        """
        rows = self.all()
        last = dict(zip(decisions["version"], decisions["outcome"], strict=True))
        version = dict(zip(decisions["run_id"], decisions["version"], strict=True))
        now = datetime.now(timezone.utc)
        results = []
        for run_id, claimed_at in zip(rows["run_id"], rows["claimed_at"], strict=True):
            if run_id and run_id in version:
                outcome = str(last[version[run_id]])
                results.append(_ENDINGS.get(outcome, outcome))
            else:
                state = run_state(instance, run_id, claimed_at, now)
                results.append("unchanged" if state == "done" else state)
        return rows.assign(result=pd.Series(results, index=rows.index, dtype="object"))


def run_state(
    instance: "dg.DagsterInstance", run_id: str, claimed_at: pd.Timestamp, now: datetime, stale: timedelta = STALE
) -> str:
    """Return `under way`, `done` or `failed`: a run that nobody knows, or that is too old, has failed."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.is_finished:
        return "done" if run.is_success else "failed"
    return "failed" if naive_utc(now) - pd.Timestamp(claimed_at) > stale else "under way"
