"""The clock, so that the present can be replayed."""

from datetime import datetime, timezone

import dagster as dg


class Clock(dg.ConfigurableResource):
    """Says what time it is.

    Attributes:
        fixed: an ISO 8601 moment to stand still at; empty: the real time. Without an offset it is UTC.
    """

    fixed: str = ""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        if not self.fixed:
            return datetime.now(timezone.utc)
        moment = datetime.fromisoformat(self.fixed)
        return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
