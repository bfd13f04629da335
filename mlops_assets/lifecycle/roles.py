"""What an external service's forecasts are for: the spec says how it begins, people switch it, the log remembers."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mlops_assets.lifecycle.decisions import ROLE, DecisionError, Decisions, Entry, champion_of
from mlops_assets.resources.clock import naive_utc
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

SHADOW, CHAMPION = "shadow", "champion"


@dataclass(frozen=True)
class Role:
    """What a service's forecasts are for.

    Attributes:
        service: which.
        role: `shadow`: scored beside ours; `champion`: delivered.
        declared: what the spec says.
        since: when it was switched, in UTC; None: the spec's word holds.
        decided_by: who has switched it.
        reason: why.
    """

    service: str
    role: str
    declared: str
    since: pd.Timestamp | None = None
    decided_by: str = ""
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether people have decided otherwise than the spec begins."""
        return self.role != self.declared


class Roles:
    """The roles of a forecast's external service, as the log of decisions has them."""

    def __init__(self, tables: Tables, spec: ForecastSpec) -> None:
        """Look at a forecast that declares a service.

        Raises:
            DecisionError: it declares none.
        """
        if spec.external is None:
            raise DecisionError(f"{spec.name} has no external service: its spec has no block external")
        self._spec, self._external, self.log = spec, spec.external, Decisions(tables, spec.name)

    def of(self, at: datetime | pd.Timestamp | None = None) -> Role:
        """Return the role at a moment (aware, or naive in UTC), by default the last one.

        A word that was said of another service does not count.
        """
        rows = self.switched()
        if at is not None:
            rows = rows[rows["decided_at"] <= (naive_utc(at) if at.tzinfo else pd.Timestamp(at))]
        service, declared = self._external.service, self._external.role
        if rows.empty:
            return Role(service, declared, declared)
        last = rows.iloc[-1]
        return Role(service, last["outcome"], declared, last["decided_at"], last["decided_by"], last["reason"])

    def switched(self) -> pd.DataFrame:
        """Return the switches of the present service, the oldest first, in the columns of `decisions`."""
        rows = self.log.roles()
        return rows[rows["trigger"] == self._external.service]

    def switch(self, role: str, by: str, reason: str, now: datetime, proof: str = "") -> tuple[int, Entry]:
        """Give the service a role; from the next forecast on it holds.

        Args:
            role: `shadow` or `champion`.
            by: who switches it.
            reason: why.
            now: the present moment, aware.
            proof: how they have proven who they are; see `approvers.Person`.

        Raises:
            DecisionError: it has that role already, or nobody says why.
        """
        if not reason.strip():
            raise DecisionError("a decision has to say why (--reason)")

        def entry(log: pd.DataFrame) -> Entry:
            if self.of().role == role:
                raise DecisionError(
                    f"{self._external.service} is {role} of {self._spec.name} already",
                    advice=[f"mlops-assets external {self._spec.name}"],
                )
            present = champion_of(log)
            return Entry(ROLE, role, 0, present, present, by, reason, trigger=self._external.service, proof=proof)

        made = self.log.append(entry, now)
        assert made is not None, "a person's decision is always written down"
        return made

    def before(self) -> str:
        """Return the role before the last switch.

        Raises:
            DecisionError: it was never switched.
        """
        rows = self.switched()
        if rows.empty:
            raise DecisionError(
                f"{self._external.service} of {self._spec.name} was never switched: nothing to take back"
            )
        earlier: Sequence[str] = [self._external.role, *rows["outcome"]]
        return next((one for one in reversed(earlier) if one != earlier[-1]), self._external.role)


def myself() -> str:
    """Return who is at the keyboard, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
