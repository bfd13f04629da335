"""What the stand-in can be told to do wrong, for all jobs or for some."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from mlops_assets.errors import UnknownNameError, UsageError

OF_CALLS = {
    "throttle": "answers that there is too much to do",
    "expired": "answers that it lets nobody in",
    "slow": "answers `seconds` late",
    "lost": "does the work, and closes the connection without an answer",
    "not_json": "answers something that is no JSON",
}
"""Faults of single calls; `times` says of how many."""
OF_JOBS = {
    "hang": "never ends",
    "late": "takes `seconds` longer",
    "fail": "fails",
    "lie": "says that it is done at once, and has no result",
    "unknown_state": "is in a state that nobody knows",
    "short_rows": "has no row for the last step of each item",
    "doubled_rows": "has each row twice",
    "unknown_items": "has rows of an item that it was not given",
    "other_forecast": "has rows of the time after that which was asked for",
}
"""Faults of jobs."""
FAULTS = {**OF_CALLS, **OF_JOBS}


@dataclass
class Fault:
    """One fault.

    Attributes:
        fault: which one.
        job: pattern of the names of the jobs that have it, such as `*shop*`.
        operation: pattern of the calls that have it, such as `forecast.Create*`.
        times: so many calls have it; None: all.
        seconds: of `slow` and `late`: by default longer than a call of ours waits.
    """

    fault: str
    job: str = "*"
    operation: str = "*"
    times: int | None = None
    seconds: float = 60.0

    @classmethod
    def of(cls, values: Any) -> "Fault":
        """Make one of JSON.

        Raises:
            UsageError: it is none.
        """
        known = [one.name for one in fields(cls)]
        if not isinstance(values, dict) or not set(values) <= set(known):
            raise UsageError(f"a fault has the fields {', '.join(known)}")
        if values.get("fault") not in FAULTS:
            raise UnknownNameError.of("fault", str(values.get("fault")), FAULTS)
        return cls(**values)


class Faults:
    """Those that hold at present."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.all = list(faults)

    def of_call(self, fault: str, operation: str, job: str) -> Fault | None:
        """Return a fault if this call has it, and count it."""
        for one in self.all:
            matches = one.fault == fault and fnmatchcase(operation, one.operation) and fnmatchcase(job, one.job)
            if matches and one.times != 0:
                one.times = None if one.times is None else one.times - 1
                return one
        return None

    def of_job(self, fault: str, job: str) -> Fault | None:
        """Return a fault if this job has it."""
        return next((one for one in self.all if one.fault == fault and fnmatchcase(job, one.job)), None)
