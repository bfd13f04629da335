"""Who may replace what is stored: of two writers, the one that began later."""

import time
from abc import ABC
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

from mlops_assets.io_managers.errors import AlreadyStoredError, StaleWriteError

if TYPE_CHECKING:
    import dagster as dg

FIRST = -1
"""The claim of a writer that must find nothing there: it never replaces, and everybody else may replace it."""
OUT_OF_STEP = 60_000_000_000
"""Nanoseconds by which the clocks of two machines may differ."""


class Claiming(BaseModel, ABC):
    """Knows when its run (in a process of its own: its step) began, which decides who is the later writer.

    It has the methods of Dagster's IO managers and is none by itself: who only reads does not import Dagster (`steps`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    _began: int | None = PrivateAttr(default=None)

    def __reduce__(self) -> tuple[Any, ...]:
        """Let nothing but its configuration be sent to another process; secrets in it are references."""
        return _made, (type(self), {name: getattr(self, name) for name in type(self).model_fields})

    def begin(self) -> None:
        """Note when the work began whose results will be written."""
        self._began = time.time_ns()

    def handle_output(self, context: "dg.OutputContext", obj: Any) -> None:
        """Store what an asset returned."""
        from mlops_assets.io_managers import steps

        steps.store(self, context, obj, self._claim())

    def load_input(self, context: "dg.InputContext") -> Any:
        """Load what an asset depends on."""
        from mlops_assets.io_managers import steps

        return steps.load(self, context)

    def _claim(self) -> int:
        return self._began or time.time_ns()


def _made(store: "type[Claiming]", configuration: dict[str, Any]) -> Claiming:
    return store(**configuration)


def refuse_older(claim: int, present: int, what: str) -> None:
    """Raise if what is stored must stay: it was written by somebody who began later, or nothing was to be there.

    A beginning that has not come yet is nobody's: the clock that it was taken from has been set back since, and whoever
    writes now began later.

    Args:
        claim: when the writer began, in ns since 1970, or `FIRST`.
        present: the claim of what is stored.
        what: table or model, for the message.
    """
    if claim == FIRST:
        raise AlreadyStoredError(f"{what} is there already, and is not replaced.")
    if claim < present <= time.time_ns() + OUT_OF_STEP:
        raise StaleWriteError(
            f"{what} was not replaced: it was written by a run that began at {_moment(present)}, "
            f"this one began earlier, at {_moment(claim)}. The stored one stays. If this one is right all the same, "
            "run it again."
        )


def _moment(claim: int) -> str:
    return datetime.fromtimestamp(claim / 1e9, timezone.utc).isoformat(timespec="milliseconds")
