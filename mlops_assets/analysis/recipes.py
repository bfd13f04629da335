"""Models made from stored observations, as a replayed policy asks for them: each model and each forecast once."""

from dataclasses import dataclass, field
from time import process_time
from typing import TYPE_CHECKING

import pandas as pd

from mlops_assets.catalog.partitions import origin_of, partitions_of, window_of
from mlops_assets.forecasting.decisions.rules import REFIT
from mlops_assets.forecasting.delivery import deliver
from mlops_assets.forecasting.evaluation.ledger import match, summary
from mlops_assets.forecasting.model import kinds
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.predict import ledger_rows
from mlops_assets.stages.train import Fitting

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.kinds import Model


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Attributes:
        until: key of the last partition that it learns from.
        base: key of the last partition that the model had learnt from that is renewed; None: it is fitted anew.
        policy: name of the policy that asks for it; empty: none does.
        strategy: of that policy.
    """

    until: str
    base: str | None = None
    policy: str = ""
    strategy: str = REFIT

    @property
    def renews(self) -> bool:
        """Whether there is anything that the base has not learnt."""
        return self.base is not None and self.base < self.until


@dataclass(frozen=True)
class Models:
    """Makes models and forecasts, and keeps them.

    Attributes:
        spec: the forecast.
        history: canonical frame of all that is stored.
        past: what was known at the origins; None: what the history says of the time up to them.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    past: AsKnown | None = None
    _made: "dict[Recipe, tuple[Model, float]]" = field(default_factory=dict, repr=False)
    _forecasts: dict[tuple[Recipe, str], pd.DataFrame] = field(default_factory=dict, repr=False)

    def end(self, partition: str) -> pd.Timestamp:
        """Return when a partition ends."""
        return window_of(partitions_of(self.spec), partition).end

    def trained_until(self, recipe: Recipe) -> pd.Timestamp:
        """Return the last timestamp that a model has learnt from."""
        times = self.history["timestamp"]
        return times[times < self.end(recipe.until)].max()

    def forecaster(self, recipe: Recipe) -> "Model":
        """Return a model: fitted on all up to the end of a partition, or made of the model of an earlier one."""
        return self._make(recipe)[0]

    def cpu_seconds(self, recipe: Recipe) -> float:
        """Return what making a model has cost."""
        return self._make(recipe)[1]

    def forecasts(self, recipe: Recipe, partition: str) -> pd.DataFrame:
        """Return the rows of the ledger that a model makes from the origin of a partition."""
        if (recipe, partition) not in self._forecasts:
            origin = origin_of(self.spec, window_of(partitions_of(self.spec), partition))
            known = self.history if self.past is None else self.past.at(origin)
            past = known[known["timestamp"] <= origin]
            made = deliver(self.forecaster(recipe), self.spec.task, known, origin)
            self._forecasts[recipe, partition] = ledger_rows(made, past, self.spec.task, origin)
        return self._forecasts[recipe, partition]

    def scores(self, forecasts: pd.DataFrame) -> dict[str, float] | None:
        """Return the scores of rows of the ledger, or None where no actual is known."""
        actuals = self.history[["item_id", "timestamp", "target"]]
        scored = summary(match(forecasts, actuals, self.spec.task, zero=False), self.spec.task)
        return scored if scored["rows"] else None

    def _make(self, recipe: Recipe) -> "tuple[Model, float]":

        if recipe not in self._made:
            seen = self.history[self.history["timestamp"] < self.end(recipe.until)]
            began = process_time()
            task = self.spec.task_by(recipe.policy, recipe.strategy)
            if self.past is None:
                rows = kinds.rows(seen, task)
            else:
                rows = self.past.learnt(origin_of(self.spec, window_of(partitions_of(self.spec), recipe.until)), task)
            fit = Fitting(task)
            if recipe.base is not None and recipe.renews:
                base = self.forecaster(Recipe(recipe.base))
                fit = Fitting(task, base, 0, self.end(recipe.base), recipe.strategy)
            self._made[recipe] = fit(rows), process_time() - began
        return self._made[recipe]
