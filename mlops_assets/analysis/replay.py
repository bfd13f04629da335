"""`mlops-assets replay-policy`: what a retraining policy would have done, over what is stored or really trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml
from pydantic import ValidationError

from mlops_assets.analysis.worlds import ReplayError, StoredWorld, TrainedWorld
from mlops_assets.catalog.partitions import periods, starts
from mlops_assets.environments import Stores
from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.policy import PolicyRules
from mlops_assets.forecasting.decisions.replay import Play, World, always, never, play
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.spec import ForecastSpec, Retraining


def changed(spec: ForecastSpec, assignments: Sequence[str]) -> PolicyRules:
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
        spec: the forecast.
    """

    plays: Mapping[str, Play]
    metric: str
    trained: bool
    spec: ForecastSpec

    def to_frame(self) -> pd.DataFrame:
        """Return every partition of every policy: policy, and the columns of `Play.days`."""
        return pd.concat([made.days.assign(policy=name) for name, made in self.plays.items()], ignore_index=True)

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

        days = {
            name: made.days.assign(timestamp=starts(self.spec, made.days["partition"]))
            for name, made in self.plays.items()
        }
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
    world: World = TrainedWorld.of(spec, stores, last) if really else StoredWorld.of(spec, stores, last)
    every = every or max(1, periods(spec, spec.horizon) - 1)
    present = spec.retraining.rules
    policies = {"as in the spec": lambda evidence: policy.decide(evidence, present)}
    if assignments:
        policies[" ".join(assignments)] = lambda evidence: policy.decide(evidence, tried)
    policies |= {"never": never, f"always (every {every})": always(every)}
    metric = tried.metric
    return Replay({name: play(world, decide, metric) for name, decide in policies.items()}, metric, really, spec)
