"""What a retraining policy is played against: the accuracy as it is stored, or models that are really trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from mlops_assets.analysis.recipes import Models, Recipe
from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.names import FORECAST_ACCURACY, OBSERVATIONS
from mlops_assets.catalog.partitions import partitions_of, periods, window_of
from mlops_assets.environments import Stores
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.decisions.evidence import Champion
from mlops_assets.forecasting.decisions.policy import Answer
from mlops_assets.forecasting.decisions.replay import TrainingOutcome
from mlops_assets.forecasting.decisions.rules import CHALLENGE, GROW, REPLACE, REWEIGH
from mlops_assets.forecasting.decisions.triggers import SCHEDULE
from mlops_assets.lifecycle.retention import Retained
from mlops_assets.spec import ForecastSpec
from mlops_assets.stages.known import AsKnown
from mlops_assets.stages.score import latest_origins, version_scores
from mlops_assets.stages.train import history_of


class ReplayError(UsageError):
    """A policy cannot be replayed; the message says why and what helps."""


@dataclass(frozen=True)
class StoredWorld:
    """The accuracy as it is stored: what was asked for changes nothing in it, and who was champion is known.

    A retraining here is a try that changed nothing, unless the stored champion has changed since, so that cool-down
    and futility count it; and it costs what the latest real one did.
    """

    spec: ForecastSpec
    partitions: Sequence[str]
    accuracy: pd.DataFrame
    observed: frozenset[str]
    champions: Mapping[int, Champion]
    cpu_seconds: float

    @classmethod
    def of(cls, spec: ForecastSpec, stores: Stores, last: int | None) -> "StoredWorld":
        """Read it; ReplayError if no forecast has been scored yet, NotKeptError if more is asked for than is kept."""
        accuracy = version_scores(stores.tables, spec)
        bound = Retained(stores.tables, spec).bounds.get(FORECAST_ACCURACY)
        if accuracy.empty:
            none = "no forecast has been scored yet" if bound is None else f"no scored forecast is stored: {bound}"
            raise ReplayError(
                f"{spec.name}: {none}, so there is nothing to replay; --what-if needs only observations",
                advice=[f"mlops-assets run {spec.name}", f"mlops-assets replay-policy {spec.name} --what-if"],
            )
        accuracy = accuracy.merge(latest_origins(stores.tables, spec), on=["partition", "model_version"])
        stored = stores.tables.partitions([spec.name, OBSERVATIONS])
        keys = [key for key in sorted({*stored, *accuracy["partition"]}) if key >= accuracy["partition"].min()]
        if bound is not None and last is not None and last > len(keys):
            raise bound.refuse("--last", last)
        registry = stores.tracking.registry(spec.name)
        champions, costs = {}, []
        for version in registry.versions():
            if version.trained_until is not None:
                metrics = registry.metrics(version)
                champions[version.number] = Champion(version.number, version.trained_until, metrics)
                costs.append(metrics.get("fit_seconds", float("nan")))
        cost = costs[0] if costs else float("nan")
        return cls(spec, keys[-(last or len(keys)) :], accuracy, frozenset(stored), champions, cost)

    def end(self, partition: str) -> pd.Timestamp:
        """Return when a partition ends."""
        return window_of(partitions_of(self.spec), partition).end

    def stored(self, partition: str) -> bool:
        """Return whether observations are stored for it."""
        return partition in self.observed

    def given(self, partition: str) -> Champion | None:
        """Return who had made the latest forecasts that the partition's actuals scored."""
        rows = self.accuracy[self.accuracy["partition"] <= partition]
        if rows.empty:
            rows = self.accuracy.head(1)
        version = int(rows.sort_values(["partition", "origin"])["model_version"].iloc[-1])
        since = pd.Timestamp(self.accuracy.loc[self.accuracy["model_version"] == version, "origin"].min())
        return self.champions.get(version, Champion(version, since))  # the registry may have forgotten it

    def scores(self, champion: Champion, since: str, partition: str) -> Mapping[str, float] | None:
        """Return the stored scores of a champion."""
        rows = self.accuracy[
            (self.accuracy["partition"] == partition) & (self.accuracy["model_version"] == champion.version)
        ]
        return {str(k): v for k, v in rows.iloc[0].to_dict().items()} if len(rows) else None

    def train(self, champion: Champion, partition: str, answer: Answer) -> TrainingOutcome:
        """Return that nobody knows what would have come of it."""
        return TrainingOutcome(None, False, self.cpu_seconds)


@dataclass(frozen=True)
class TrainedWorld:
    """The stored observations, with every model really trained, judged and asked for its forecasts.

    The first model learns from the first half of the partitions (or from all before the latest `last`). A challenger
    meets the champion on the latest stretch that neither has learnt from, at most a horizon: after a breach it must be
    better by the gate's margin, else no worse than its tolerance allows. One that is to replace the champion need not
    meet it, and one that is kept aside does not.

    Attributes:
        spec: the forecast.
        models: makes the models.
        observed: keys of all stored partitions, oldest first.
        last: how many of them are played.
        recipes: version -> how it is made.
    """

    spec: ForecastSpec
    models: Models
    observed: Sequence[str]
    last: int
    recipes: dict[int, Recipe] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ForecastSpec, stores: Stores, last: int | None) -> "TrainedWorld":
        """Read the observations; ReplayError if there are too few partitions."""
        keys = stores.tables.partitions([spec.name, OBSERVATIONS])
        last = last or len(keys) // 2
        if not 0 < last < len(keys):
            raise ReplayError(
                f"{spec.name}: {len(keys)} partitions of observations are stored, of which the first model needs some: "
                "ingest history first, or ask for fewer with --last",
                advice=[f"mlops-assets run {spec.name}"],
            )
        stored = stores.tables.read([spec.name, OBSERVATIONS])
        past = AsKnown.wanted(Graph(spec), stores.tables, stored)
        return cls(spec, Models(spec, history_of(spec, stored), past), sorted(keys), last)

    @property
    def partitions(self) -> Sequence[str]:
        """Keys of the partitions that are played, oldest first."""
        return self.observed[-self.last :]

    def end(self, partition: str) -> pd.Timestamp:
        """Return when a partition ends."""
        return self.models.end(partition)

    def stored(self, partition: str) -> bool:
        """Return whether observations are stored for it."""
        return partition in self.observed

    def given(self, partition: str) -> Champion | None:
        """Return the first model, at the first partition."""
        if partition != self.partitions[0]:
            return None
        return self._champion(1, Recipe(self.observed[-self.last - 1]))

    def scores(self, champion: Champion, since: str, partition: str) -> Mapping[str, float] | None:
        """Forecast with a champion from each origin since it came in, and score what falls into the partition."""
        position = self.observed.index(partition)
        first = max(self.observed.index(since), position - periods(self.spec, self.spec.horizon))
        recipe = self.recipes[champion.version]
        made = [self.models.forecasts(recipe, origin) for origin in self.observed[first:position]]
        window = window_of(partitions_of(self.spec), partition)
        forecasts = pd.concat(made, ignore_index=True)
        forecasts = forecasts[forecasts["timestamp"].between(window.start, window.end, inclusive="left")]
        return self.models.scores(forecasts)

    def train(self, champion: Champion, partition: str, answer: Answer) -> TrainingOutcome:
        """Train a challenger up to a partition, and judge it."""
        present = self.recipes[champion.version]
        recipe = Recipe(
            partition, present.until if answer.action in (REWEIGH, GROW) else None, answer.policy, answer.action
        )
        challenger = self._champion(max(self.recipes) + 1, recipe)
        cost = self.models.cpu_seconds(recipe)
        origin = self._trial_origin(present, partition)
        if origin is None:
            return TrainingOutcome(challenger, answer.becomes == REPLACE, cost)
        metric, gate = self.spec.retraining.metric, self.spec.gate
        theirs = self._scores_from(origin, present)
        ours = self._scores_from(origin, replace(recipe, until=origin))
        limit = 1 - gate.margin if answer.breach and answer.rule != SCHEDULE else 1 + gate.tolerance
        better = ours.get(metric, float("inf")) <= limit * theirs.get(metric, float("-inf"))
        promoted = {CHALLENGE: better, REPLACE: True}.get(answer.becomes, False)
        return TrainingOutcome(replace(challenger, backtest=ours or challenger.backtest), promoted, cost)

    def _trial_origin(self, present: Recipe, partition: str) -> str | None:
        """Return the partition to forecast from in a trial: a horizon ago, or since the champion's training."""
        keys = [key for key in self.observed if key <= partition]
        first = max(0, len(keys) - periods(self.spec, self.spec.horizon))
        return next((key for key in keys[first:-1] if key >= present.until), None)

    def _champion(self, version: int, recipe: Recipe) -> Champion:
        """Make a model, and score the like of it on the latest horizon that it could have been judged on."""
        self.recipes[version] = recipe
        self.models.forecaster(recipe)
        origin = next((key for key in reversed(self._horizon_before(recipe.until)) if key < recipe.until), None)
        scores = self._scores_from(origin, replace(recipe, until=origin, base=None)) if origin is not None else {}
        return Champion(version, self.models.trained_until(recipe), scores)

    def _horizon_before(self, partition: str) -> list[str]:
        """Return the partitions up to a horizon before one, oldest first."""
        keys = [key for key in self.observed if key <= partition]
        return keys[: max(0, len(keys) - periods(self.spec, self.spec.horizon) + 1)]

    def _scores_from(self, origin: str, recipe: Recipe) -> dict[str, float]:
        return self.models.scores(self.models.forecasts(recipe, origin)) or {}
