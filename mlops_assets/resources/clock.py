"""The clock, so that the present can be replayed."""

from dataclasses import dataclass
from datetime import datetime, timezone

import pandas as pd

from mlops_assets.settings import Settings, moment


@dataclass(frozen=True)
class Clock:
    """Says what time it is.

    Attributes:
        fixed: an ISO 8601 moment to stand still at; empty: the real time. Without an offset it is UTC.
    """

    fixed: str = ""

    @classmethod
    def of(cls, settings: Settings) -> "Clock":
        """Return the clock that the settings ask for."""
        return cls(fixed=settings.now or "")

    @property
    def pinned(self) -> bool:
        """Whether it stands still: what a source holds of later moments has not come yet."""
        return bool(self.fixed)

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return moment(self.fixed) if self.fixed else datetime.now(timezone.utc)


def naive_utc(at: datetime) -> pd.Timestamp:
    """Return an aware moment as tables keep it: in UTC, without its zone."""
    return pd.Timestamp(at).tz_convert("UTC").tz_localize(None)
