"""`mlops-assets replay-policy`: what a retraining policy would have done, over what is stored or really trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import process_time
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml
from pydantic import ValidationError

from mlops_assets.catalog.graph import Graph
from mlops_assets.catalog.partitions import origin_of, periods, window_of
from mlops_assets.environments import Stores
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.policy import GROW, Answer, Champion, Rules
from mlops_assets.forecasting.decisions.replay import Play, Trial, World, always, never, play
from mlops_assets.forecasting.evaluation.ledger import match, summary
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.spec import ForecastSpec, Retraining
from mlops_assets.stages.predict import ledger_rows
from mlops_assets.stages.score import latest_origins, version_scores
from mlops_assets.stages.train import Fitting, history_of

if TYPE_CHECKING:
    from mlops_assets.forecasting.model.forecaster import Forecaster


class ReplayError(UsageError):
    """A policy cannot be replayed; the message says why and what helps."""


def changed(spec: ForecastSpec, assignments: Sequence[str]) -> Rules:
    """Return the rules of a spec with some fields changed.

    Args:
        spec: the forecast.
        assignments: such as `retraining.threshold=0.2`; the value is read as YAML.

    Raises:
        ReplayError: a field does not exist, or its value is not allowed.
    """
    values = spec.retraining.model_dump()
    for text in assignments:
        path, equals, value = text.partition("=")
        name = path.removeprefix("retraining.")
        if not equals or name not in values:
            raise ReplayError(f"--set {text}: give retraining.FIELD=VALUE; the fields are {', '.join(values)}")
        values[name] = yaml.safe_load(value)
    try:
        return Retraining.model_validate(values).rules
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, p['loc'])) or 'retraining'}: {p['msg']}" for p in error.errors()]
        raise ReplayError(f"--set {' '.join(assignments)}: {'; '.join(problems)}") from None


@dataclass(frozen=True)
class Replay:
    """Several policies over the same stretch of time.

    Attributes:
        plays: name of the policy -> how it fared.
        metric: what was watched.
        trained: whether its retrainings were really carried out; else the errors are those that were stored.
    """

    plays: Mapping[str, Play]
    metric: str
    trained: bool

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain JSON types."""
        policies = {name: {k: plain(v) for k, v in made.summary().items()} for name, made in self.plays.items()}
        for name, made in self.plays.items():
            asked = made.retrainings[["partition", "rule", "breach", "attempt", "promoted", "reason"]]
            policies[name]["retrained"] = plain_rows(asked)
        return {"metric": self.metric, "really_trained": self.trained, "policies": policies}

    def picture(self) -> bytes:
        """Return a PNG of the errors and the retrainings."""
        from mlops_assets.forecasting import charts

        days = {name: made.days for name, made in self.plays.items()}
        return charts.to_png(charts.policies(days, self.metric, self.trained))


def replay(
    spec: ForecastSpec,
    stores: Stores,
    assignments: Sequence[str] = (),
    really: bool = False,
    last: int | None = None,
    every: int | None = None,
) -> Replay:
    """Play the present policy, a changed one, never and always over what is stored.

    Args:
        spec: the forecast.
        stores: where observations, accuracy and versions are.
        assignments: changes to try, as `changed` takes them.
        really: train, judge and forecast with each retraining on the stored observations, instead of looking at the
            stored accuracy alone.
        last: only so many of the latest partitions.
        every: partitions between the retrainings of the policy `always`. Default: those of a horizon.

    Raises:
        ReplayError: a change is not allowed, or there is nothing to replay.
    """
    tried = changed(spec, assignments)
    world: World = RealWorld.of(spec, stores, last) if really else StoredWorld.of(spec, stores, last)
    every = every or max(1, periods(spec, spec.horizon) - 1)
    present = spec.retraining.rules
    policies = {"as in the spec": lambda evidence: policy.decide(evidence, present)}
    if assignments:
        policies[" ".join(assignments)] = lambda evidence: policy.decide(evidence, tried)
    policies |= {"never": never, f"always (every {every})": always(every)}
    metric = tried.metric
    return Replay({name: play(world, decide, metric) for name, decide in policies.items()}, metric, really)


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
        """Read it; ReplayError if no forecast has been scored yet."""
        accuracy = version_scores(stores.tables, spec)
        if accuracy.empty:
            raise ReplayError(
                f"{spec.name}: no forecast has been scored yet, so there is nothing to replay; --what-if needs only "
                "observations"
            )
        accuracy = accuracy.merge(latest_origins(stores.tables, spec), on=["partition", "model_version"])
        stored = stores.tables.partitions([spec.name, "observations"])
        keys = [key for key in sorted({*stored, *accuracy["partition"]}) if key >= accuracy["partition"].min()]
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
        return window_of(Graph(self.spec).partitions, partition).end

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

    def train(self, champion: Champion, partition: str, answer: Answer) -> Trial:
        """Return that nobody knows what would have come of it."""
        return Trial(None, False, self.cpu_seconds)


@dataclass(frozen=True)
class RealWorld:
    """The stored observations, with every model really trained, judged and asked for its forecasts.

    The first model learns from the first half of the partitions (or from all before the latest `last`). A challenger
    meets the champion on the latest stretch that neither has learnt from, at most a horizon: after a breach it must be
    better by the gate's margin, else no worse than its tolerance allows.
    """

    spec: ForecastSpec
    history: pd.DataFrame
    partitions: Sequence[str]
    before: str
    observed: frozenset[str]
    models: dict[tuple[str, str], "Forecaster"] = field(default_factory=dict)
    costs: dict[tuple[str, str], float] = field(default_factory=dict)
    recipes: dict[int, tuple[str, str]] = field(default_factory=dict)
    made: dict[tuple[tuple[str, str], str], pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: ForecastSpec, stores: Stores, last: int | None) -> "RealWorld":
        """Read the observations; ReplayError if there are too few partitions."""
        keys = stores.tables.partitions([spec.name, "observations"])
        last = last or len(keys) // 2
        if not 0 < last < len(keys):
            raise ReplayError(
                f"{spec.name}: {len(keys)} partitions of observations are stored, of which the first model needs some: "
                f"ingest history first (mlops-assets run {spec.name}), or ask for fewer with --last"
            )
        history = history_of(spec, stores.tables.read([spec.name, "observations"]))
        return cls(spec, history, keys[-last:], keys[-last - 1], frozenset(keys))

    def end(self, partition: str) -> pd.Timestamp:
        """Return when a partition ends."""
        return window_of(Graph(self.spec).partitions, partition).end

    def stored(self, partition: str) -> bool:
        """Return whether observations are stored for it."""
        return partition in self.observed

    def given(self, partition: str) -> Champion | None:
        """Return the first model, at the first partition."""
        if partition != self.partitions[0]:
            return None
        return self._champion(1, (self.before, ""))

    def scores(self, champion: Champion, since: str, partition: str) -> Mapping[str, float] | None:
        """Forecast with a champion from each origin since it came in, and score what falls into the partition."""
        keys = sorted(self.observed)
        place = keys.index(partition)
        first = max(keys.index(since), place - periods(self.spec, self.spec.horizon))
        window = window_of(Graph(self.spec).partitions, partition)
        recipe = self.recipes[champion.version]
        forecasts = pd.concat([self._forecasts(recipe, origin) for origin in keys[first:place]], ignore_index=True)
        forecasts = forecasts[forecasts["timestamp"].between(window.start, window.end, inclusive="left")]
        return self._scores(forecasts)

    def train(self, champion: Champion, partition: str, answer: Answer) -> Trial:
        """Train a challenger up to a partition, and judge it."""
        base = self.recipes[champion.version]
        origin = self._trial_origin(champion, partition)
        recipe = (partition, base[0] if answer.action == GROW else "")
        number = max(self.recipes) + 1
        model = self._champion(number, recipe)
        if origin is None:
            return Trial(model, False, self.costs[recipe])
        metric, gate = self.spec.retraining.metric, self.spec.gate
        theirs = self._scores(self._forecasts(base, origin)) or {}
        ours = self._scores(self._forecasts((origin, recipe[1]), origin)) or {}
        limit = 1 - gate.margin if answer.breach else 1 + gate.tolerance
        promoted = ours.get(metric, float("inf")) <= limit * theirs.get(metric, float("-inf"))
        return Trial(replace(model, backtest=ours or model.backtest), promoted, self.costs[recipe])

    def _trial_origin(self, champion: Champion, partition: str) -> str | None:
        """Return the partition to forecast from in a trial: a horizon ago, or since the champion's training."""
        keys = [key for key in sorted(self.observed) if key <= partition]
        trained = self.recipes[champion.version][0]
        first = max(0, len(keys) - periods(self.spec, self.spec.horizon))
        return next((key for key in keys[first:-1] if key >= trained), None)

    def _champion(self, number: int, recipe: tuple[str, str]) -> Champion:
        self.recipes[number] = recipe
        self._model(recipe)
        until = self.history.loc[self.history["timestamp"] < self.end(recipe[0]), "timestamp"].max()
        origin = next((key for key in reversed(self._back(recipe[0])) if key < recipe[0]), None)
        scores = self._scores(self._forecasts((origin, ""), origin)) if origin is not None else None
        return Champion(number, until, scores or {})

    def _back(self, partition: str) -> list[str]:
        """Return the partitions up to a horizon before one, oldest first."""
        keys = [key for key in sorted(self.observed) if key <= partition]
        return keys[: max(0, len(keys) - periods(self.spec, self.spec.horizon) + 1)]

    def _model(self, recipe: tuple[str, str]) -> "Forecaster":
        """Fit on all up to the end of a partition, or grow from the model of an earlier one; each once."""
        from mlops_assets.forecasting.model.features import training_rows

        if recipe not in self.models:
            until, base = recipe
            seen = self.history[self.history["timestamp"] < self.end(until)]
            began = process_time()
            rows = training_rows(seen, self.spec.task)
            fit = Fitting(self.spec.task)
            if base and base < until:
                fit = Fitting(self.spec.task, self._model((base, "")), 0, self.end(base))
            self.models[recipe] = fit(rows)
            self.costs[recipe] = process_time() - began
        return self.models[recipe]

    def _forecasts(self, recipe: tuple[str, str], partition: str) -> pd.DataFrame:
        """Return the rows of the ledger that a model makes from a partition; each once."""
        if (recipe, partition) not in self.made:
            origin = origin_of(self.spec, window_of(Graph(self.spec).partitions, partition))
            past = self.history[self.history["timestamp"] <= origin]
            made = self._model(recipe).predict(self.history, origin)
            self.made[recipe, partition] = ledger_rows(made, past, self.spec.task, origin)
        return self.made[recipe, partition]

    def _scores(self, forecasts: pd.DataFrame) -> dict[str, float] | None:
        actuals = self.history[["item_id", "timestamp", "target"]]
        scored = summary(match(forecasts, actuals, self.spec.task, zero=False), self.spec.task)
        return scored if scored["rows"] else None
