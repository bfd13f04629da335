"""What no run can tell itself is told to people: that it failed, or that it never came."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone

import dagster as dg

from mlops_assets.alerts import messages
from mlops_assets.alerts.failures import FIRST_SPAN, failed_since
from mlops_assets.alerts.notifications import Notifications
from mlops_assets.automation.turns import Seen, Served, Turn
from mlops_assets.catalog.names import ALERTS
from mlops_assets.report.health import answers, news
from mlops_assets.report.state import Sources, overview
from mlops_assets.resources.protocols import Tables
from mlops_assets.resources.snapshot import remembered
from mlops_assets.spec import BrokenSpec, ForecastSpec
from mlops_assets.stages.watching.telling import late_state, tell_all

OVERLAP = timedelta(minutes=10)
"""Clocks of machines differ; what was told already is not told again."""


class Alerting:
    """Tells people; the table `alerts` says what was told.

    Dagster's own run failure sensor passes over runs of the command line and over failures while telling them.
    """

    name, job, always = "alerts", None, True
    about = (
        "Tells of failed runs, of decisions, of late partitions and of specs that cannot be used, and tries again to "
        "deliver what could not be told. Answers asset checks of which no run can know. Starts no run."
    )
    needs = ("tables", "clock", "notifications", "tracking", "models", "jobs", "prices")

    def __init__(self, context: dg.SensorEvaluationContext, specs: Sequence[Served], seen: Mapping[str, Seen]) -> None:
        self._tables: Tables = context.resources.tables
        self._notifications: Notifications = context.resources.notifications
        self._now = context.resources.clock.now()
        self._context = context
        looked = [seen.get(spec.name, Seen()).at for spec in specs]
        never = datetime.now(timezone.utc) - FIRST_SPAN
        since = [datetime.fromtimestamp(at, timezone.utc) - OVERLAP if at else never for at in looked]
        self._failed = failed_since(context.instance, min(since, default=never))

    def sign(self, spec: Served) -> str:
        """Return which runs have failed, which partitions, decisions and alerts there are, and what is due."""
        if isinstance(spec, BrokenSpec):
            return spec.message
        failed = [one.run.run_id for one in self._failed if one.concerns(spec.name)]
        return "|".join([late_state(spec, self._tables, self._now), *failed])

    def look(self, spec: Served, seen: Seen) -> Turn:
        """Tell what has not been told; while a channel has not taken something, each tick tries whether it is time."""
        if isinstance(spec, BrokenSpec):
            told = int(self._notifications.send(self._tables, messages.broken_spec(spec, self._notifications)))
        else:
            told = tell_all(spec, self._tables, self._notifications, self._failed, self._now)
        again, settled = self._notifications.resend(self._tables, spec.name)
        words = f"{told} new, {again} delivered after all; see the table {spec.name}/alerts"
        undelivered = not settled and bool(self._tables.partitions([spec.name, ALERTS]))
        return Turn(words, events=[] if isinstance(spec, BrokenSpec) else self._news(spec), again=undelivered)

    def _news(self, spec: ForecastSpec) -> list[dg.AssetCheckEvaluation]:
        """Return which checks of a forecast have another answer than Dagster knows, by what is stored."""
        at_hand, instance = self._context.resources, self._context.instance
        tables = remembered(self._tables)
        sources = Sources(
            spec,
            tables,
            at_hand.tracking,
            at_hand.clock,
            self._notifications,
            lambda: nullcontext(instance),
            at_hand.models,
            at_hand.jobs,
            at_hand.prices,
        )
        return news(instance, answers(spec, overview(sources), self._now))
