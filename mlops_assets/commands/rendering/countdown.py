"""How far a run is and how long it goes on: from what was planned, and from how that went so far."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.rounds.runner import Step

TRUST = 4.0
"""Seconds of work that is done after which its pace counts as much as what was thought of it before."""


@dataclass
class Countdown:
    """Counts the steps of a run down. All moments are seconds of a monotonic clock.

    Attributes:
        steps: that have not begun, as (job, step, seconds that it takes, about).
        planned: how many there are, with those that nobody has planned; 0 where nobody has planned any.
        begun: how many have begun, or were passed over.
        running: the step that runs; empty between steps.
        expected: seconds of all that is done, as they were planned.
        taken: seconds of the same, as they were.
    """

    steps: list[tuple[str, str, float]] = field(default_factory=list)
    planned: int = 0
    begun: int = 0
    running: str = ""
    expected: float = 0.0
    taken: float = 0.0
    _seconds: float = 0.0
    _since: float = 0.0

    def hear(self, step: "Step", now: float) -> None:
        """Take note of news of a step."""
        if step.state == "planned":
            self.steps.append((step.job, step.asset, step.seconds or 0.0))
            self.planned += 1
        elif step.state == "started":
            self.running, self._seconds, self._since = step.asset, self._begin(step), now
        elif step.state in ("done", "failed") and self.running:
            self.running, self.expected, self.taken = "", self.expected + self._seconds, self.taken + now - self._since

    def left(self, now: float) -> float:
        """Return the seconds that are left, about."""
        pace = (self.taken + TRUST) / (self.expected + TRUST)
        present = max(0.0, self._seconds * pace - (now - self._since)) if self.running else 0.0
        return present + pace * sum(seconds for _, _, seconds in self.steps)

    def share(self, now: float) -> float:
        """Return how much is done, from 0 to 1."""
        gone = self.taken + (now - self._since if self.running else 0.0)
        whole = gone + self.left(now)
        return gone / whole if whole else 0.0

    def _begin(self, step: "Step") -> float:
        """Return the planned seconds of a step that begins; runs before its own were passed over."""
        if not self.planned:
            return 0.0
        self.begun += 1
        if (step.job, step.asset) not in [one[:2] for one in self.steps]:
            self.planned += 1
            return 0.0
        place = next(place for place, one in enumerate(self.steps) if one[:2] == (step.job, step.asset))
        passed = next(place for place, one in enumerate(self.steps) if one[0] == step.job)
        seconds = self.steps[place][2]
        self.steps = [one for at, one in enumerate(self.steps) if at >= passed and at != place]
        self.begun += passed
        return seconds
