"""One reader for all questions to what is stored of a forecast."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from numbers import Integral
from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from mlops_assets.catalog.names import FORECAST_ACCURACY, RECONCILED_FORECASTS
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.reading import accuracy as scoring
from mlops_assets.reading import items as listing
from mlops_assets.reading import observations as observing
from mlops_assets.reading import sums
from mlops_assets.reading.asked import Asked, Moment
from mlops_assets.reading.calibration import calibration
from mlops_assets.reading.forecasts import ALL, LATEST, Forecasts, Role
from mlops_assets.reading.happened.changes import changes
from mlops_assets.reading.happened.service_jobs import service_jobs
from mlops_assets.reading.happened.timeline import Timeline
from mlops_assets.reading.item_ids import require
from mlops_assets.reading.kept import require_forecasts, require_observations, require_scores
from mlops_assets.reading.matched import Matched
from mlops_assets.reading.origins import Origins
from mlops_assets.reading.questions import QuestionError, shown
from mlops_assets.reading.words import words
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec
from mlops_assets.tracking.links import Links

if TYPE_CHECKING:
    from mlops_assets.jobs.resource import Jobs
    from mlops_assets.lifecycle.lifecycle import Lifecycle
    from mlops_assets.tracking.tracking import Tracking

Version = Literal["system", "published"]
Items = str | Collection[str] | None
"""An id, or some; None: all."""


@dataclass(frozen=True)
class Reader:
    """What is stored of one forecast, for those who only read.

    Moments (`as_of`) are in UTC where they name no offset: what was made or known later is not there. Times (`start`,
    `end`, `origin`) are in the spec's zone; a day as `end` is meant until its end. All answers are sorted.

    Attributes:
        spec: the forecast.
        tables: where it is stored; a `snapshot` where much is asked about one moment.
        clock: the present moment.
        tracking: links, models, importances; None: nobody asks for them.
        jobs: of outside services; None: nobody asks for them.
    """

    spec: ForecastSpec
    tables: Tables
    clock: Clock
    tracking: Tracking | None = None
    jobs: Jobs | None = None

    def forecasts(
        self,
        items: Items = None,
        start: Moment | None = None,
        end: Moment | None = None,
        origin: Moment | None = None,
        as_of: Moment | None = None,
        *,
        leads: int | Collection[int] | None = None,
        role: Role = "delivered",
        version: Version = "published",
    ) -> pd.DataFrame:
        """Return forecasts.

        Args:
            items: of which items, or sums of a hierarchy such as `sum:north`; None: all items.
            start: first timestamp. With neither `start` nor `end` nor `origin`: what the latest origin looks ahead to.
            end: last timestamp.
            origin: from where: a timestamp, `latest`, or `all`. None: of each item and timestamp that of the latest
                origin that has it.
            as_of: the moment.
            leads: only so many steps ahead.
            role: `shadow`: with what a service, or our model, has made beside what was delivered.
            version: `system`: what the forecaster delivered; `published`: as people have adjusted it.

        Returns:
            item_id, origin, timestamp, lead, mean, the quantiles, point (with costs), naive, source, model_version,
            created_at (UTC) and adjustment (its number; null where nobody has adjusted); `role` where shadows are asked
            for. The sums of a hierarchy (`sum:north`) have no naive.

        Raises:
            QuestionError: a parameter is none; its children: no such item or origin, nothing was forecast by then.
            NotKeptError: what is asked for was removed, as all questions to the past say; see `lifecycle.retention`.
        """
        for name, given, known in (("version", version, get_args(Version)), ("role", role, get_args(Role))):
            if given not in known:
                raise QuestionError.of(name, given, known)
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        steps = _steps(leads)
        if origin is None or origin in (ALL, LATEST):
            require_forecasts(self.tables, self.spec, asked, self.spec.horizon if origin == ALL else max(steps or (1,)))
        else:
            require_forecasts(self.tables, self.spec, Asked(as_of=asked.as_of))
        origins = Origins(self.tables, self.spec)
        made = Forecasts(origins, role, steps, published=version == "published")
        own, summed = sums.apart(self.spec, asked)
        parts = [] if own is None else [made.of(own, origin)]
        if summed is not None:
            parts.append(replace(made, table=RECONCILED_FORECASTS).of(summed, origin))
        rows = _together(parts)
        if rows.empty:
            origins.require_any(asked.as_of)
        require(self.tables, self.spec, asked, rows["item_id"])
        return rows

    def observations(
        self,
        items: Items = None,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
    ) -> pd.DataFrame:
        """Return observations: item_id, timestamp, target, the covariates, and `known_at` (UTC).

        Args:
            items: of which items.
            start: first timestamp.
            end: last timestamp.
            as_of: as they were known at this moment.

        Raises:
            QuestionError: a parameter is none; UnknownItemError: there is no such item.
        """
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        require_observations(self.tables, self.spec, asked)
        own, summed = sums.apart(self.spec, asked)
        parts = [] if own is None else [observing.observations(self.tables, self.spec, own)]
        if summed is not None:
            parts.append(sums.summed(self.tables, self.spec, summed))
        rows = _together(parts)
        require(self.tables, self.spec, asked, rows["item_id"])
        return rows

    def items(self, search: str = "", sort: listing.Sort = "volume", as_of: Moment | None = None) -> pd.DataFrame:
        """Return the items, one row each; see `items.items`.

        Args:
            search: only ids that hold this text, in whatever case.
            sort: by `name`, or, the largest first, by `volume`, `error` or `change`.
            as_of: the moment.
        """
        asked = Asked.of(self.spec, self.clock, as_of=as_of)
        require_scores(self.tables, self.spec, asked)
        return listing.items(self.tables, self.spec, asked, search, sort)

    def origins(self, as_of: Moment | None = None, most: int | None = None) -> pd.DataFrame:
        """Return from where forecasts were made: origin, partition, created_at, model_version, rows, source.

        Args:
            as_of: by this moment.
            most: so many of the latest; None: all.
        """
        asked = Asked.of(self.spec, self.clock, as_of=as_of)
        require_forecasts(self.tables, self.spec, asked)
        return Origins(self.tables, self.spec).table(asked.as_of, most)

    def accuracy(
        self,
        by: scoring.By = "all",
        items: Items = None,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
    ) -> pd.DataFrame:
        """Return how good the forecasts were, beside seasonal naive.

        Args:
            by: all, item, lead, origin, period, segment or version.
            items: of which items.
            start: first timestamp that was forecast. With neither `start` nor `end`: the latest partitions.
            end: last timestamp that was forecast.
            as_of: the forecasts that were made by this moment, beside the actuals as they were known then.

        Returns:
            What it is by, rows, every metric, naive_mase (of seasonal naive on the same rows), and skill.
        """
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        require_scores(self.tables, self.spec, asked)
        return scoring.accuracy(self.tables, self.spec, asked, by)

    def calibration(
        self,
        items: Items = None,
        start: Moment | None = None,
        end: Moment | None = None,
        as_of: Moment | None = None,
    ) -> pd.DataFrame:
        """Return how often what came lies at or below each quantile: quantile, share, rows.

        Args:
            items: of which items.
            start: first timestamp that was forecast. With neither `start` nor `end`: the latest partitions.
            end: last timestamp that was forecast.
            as_of: the forecasts that were made by this moment, beside the actuals as they were known then.
        """
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        require_scores(self.tables, self.spec, asked)
        return calibration(Matched.of(self.tables, self.spec, asked))

    def changes(self, origin: Moment | None = None, items: Items = None, limit: int | None = 50) -> pd.DataFrame:
        """Return why the forecasts of an origin differ from those before: the table `forecast_change`.

        Args:
            origin: which; None: the latest.
            items: of which items.
            limit: so many of the largest; None: all.
        """
        asked = Asked.of(self.spec, self.clock, items)
        latest = None if origin == LATEST else origin
        partition = None if latest is None else Origins(self.tables, self.spec).at(latest).partition
        rows = changes(self.tables, self.spec, asked, partition, limit)
        require(self.tables, self.spec, asked, rows["item_id"])
        return rows

    def timeline(self, start: Moment | None = None, end: Moment | None = None) -> pd.DataFrame:
        """Return what has happened: at, kind, title, detail, link, happened_at; see `timeline.Mark`.

        Args:
            start: first moment on the forecast's axis of time.
            end: last one.
        """
        links = self.tracking.links if self.tracking is not None else Links()
        return Timeline(self.tables, self.spec, links).of(Asked.of(self.spec, self.clock, None, start, end))

    def decisions(self) -> pd.DataFrame:
        """Return all decisions on versions, the oldest first: the table `decisions`."""
        return Decisions(self.tables, self.spec.name).all()

    def models(self) -> pd.DataFrame:
        """Return the versions of the model, the latest first; see `models.models`.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        from mlops_assets.reading.happened import models

        there = self.tracking is not None and self.tracking.exists()
        return models.models(self.spec, self.tables, self._life() if there else None)

    def importances(self) -> pd.DataFrame:
        """Return how much the champion leans on its features: feature, importance; no rows where nobody can tell.

        Raises:
            TrackingError: MLflow cannot be reached.
        """
        from mlops_assets.reading.happened import models

        return models.importances(self._life() if self.tracking is not None and self.tracking.exists() else None)

    def job_rows(self) -> pd.DataFrame:
        """Return the latest jobs of the forecast's outside service, the latest first; no rows without one.

        Raises:
            DatabaseError: the ledger of jobs cannot be read.
        """
        return service_jobs(self.jobs, self.spec.name)

    def words(self) -> str:
        """Say in a sentence how good the latest forecasts were beside seasonal naive."""
        matched = Matched.of(self.tables, self.spec, Asked())
        counts = self.tables.row_counts([self.spec.name, FORECAST_ACCURACY], matched.partitions)
        scored = [key for key in matched.partitions if counts.get(key)]
        return words(self.spec, scoring.scores(matched, "all"), scored)

    def _life(self) -> Lifecycle:
        assert self.tracking is not None
        from mlops_assets.lifecycle.lifecycle import Lifecycle

        return Lifecycle(self.tables, self.tracking, self.clock, self.spec.name)


def _steps(leads: int | Collection[int] | None) -> tuple[int, ...] | None:
    """Return the steps ahead that are asked for.

    Raises:
        QuestionError: what is given are no whole numbers.
    """
    if leads is None:
        return None
    given = leads if isinstance(leads, Collection) and not isinstance(leads, str | bytes) else [leads]
    if not all(isinstance(lead, Integral) for lead in given):
        raise QuestionError(
            f"leads={shown(leads)!r}: not whole numbers of steps; such as 7, or [1, 7]", parameter="leads"
        )
    return tuple(int(lead) for lead in given)


def _together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Put answers about items and about sums together, sorted by item as each of them is."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return [*some, *parts][0]
    return pd.concat(some, ignore_index=True).sort_values("item_id", kind="stable", ignore_index=True)
