"""One reader for all questions to what is stored of a forecast."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pandas as pd

from mlops_assets.reading import accuracy as scoring
from mlops_assets.reading import items as listing
from mlops_assets.reading import observations as observing
from mlops_assets.reading.asked import Asked, Moment
from mlops_assets.reading.forecasts import Forecasts, Role
from mlops_assets.reading.item_ids import require
from mlops_assets.reading.origins import Origins
from mlops_assets.resources.clock import Clock
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec

if TYPE_CHECKING:
    from mlops_assets.jobs.resource import Jobs
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
            items: of which items.
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
            created_at (UTC) and adjustment (null where nobody has adjusted); `role` where shadows are asked for.

        Raises:
            QuestionError: a parameter is none; its children: no such item or origin, nothing was forecast by then.
        """
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        steps = None if leads is None else tuple([leads] if isinstance(leads, int) else leads)
        origins = Origins(self.tables, self.spec)
        rows = Forecasts(origins, role, steps).of(asked, origin)
        if rows.empty:
            origins.require_any(asked.as_of)
        require(self.tables, self.spec, asked, rows["item_id"])
        return rows.assign(adjustment=float("nan"))

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
        """
        asked = Asked.of(self.spec, self.clock, items, start, end, as_of)
        rows = observing.observations(self.tables, self.spec, asked)
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
        return listing.items(self.tables, self.spec, asked, search, sort)

    def origins(self, as_of: Moment | None = None) -> pd.DataFrame:
        """Return from where forecasts were made: origin, partition, created_at, model_version, rows, source.

        Args:
            as_of: by this moment.
        """
        asked = Asked.of(self.spec, self.clock, as_of=as_of)
        return Origins(self.tables, self.spec).table(asked.as_of)

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
        return scoring.accuracy(self.tables, self.spec, asked, by)
