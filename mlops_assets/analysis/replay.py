"""`mlops-assets replay-policy`: what retraining policies would have done, and how the gate would decide today."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import yaml
from pydantic import ValidationError

from mlops_assets.analysis.worlds import ReplayError, StoredWorld, TrainedWorld
from mlops_assets.catalog.names import FORECAST_ACCURACY, OBSERVATIONS
from mlops_assets.catalog.partitions import periods, starts
from mlops_assets.environments import Stores
from mlops_assets.forecasting.decisions import policy
from mlops_assets.forecasting.decisions.evidence import Evidence
from mlops_assets.forecasting.decisions.policy import Answer
from mlops_assets.forecasting.decisions.replay import Play, Policies, World, always, never, play
from mlops_assets.forecasting.decisions.rules import CHALLENGE, PolicyRules
from mlops_assets.forecasting.formatting import plain, plain_rows
from mlops_assets.lifecycle.decisions import Decisions, entry_of
from mlops_assets.lifecycle.launches import Launches
from mlops_assets.lifecycle.retention import Bound, Retained
from mlops_assets.resources.protocols import Tables
from mlops_assets.spec import ForecastSpec, Policy, Retraining
from mlops_assets.spec.messages import describe
from mlops_assets.spec.parts import Part
from mlops_assets.spec.yaml_read import Document
from mlops_assets.stages import judge
from mlops_assets.stages.evidence import drift_history, ticks

PRESENT = "as in the spec"


def changed(spec: ForecastSpec, assignments: Sequence[str]) -> ForecastSpec:
    """Return a spec with some fields of its retraining policies changed.

    Args:
        spec: the forecast.
        assignments: such as `retraining.threshold=0.2`, `policies.monday.cool_down=3` (a policy is called by its name)
            or `policies.monday=null`, without it; the value is read as YAML.

    Raises:
        ReplayError: a field does not exist, or its value is not allowed.
    """
    retraining = spec.retraining.model_dump()
    policies: dict[str, Any] = {one.name: one.model_dump(exclude={"name"}) for one in spec.policies}
    for text in assignments:
        path, equals, value = text.partition("=")
        first, *inner = path.split(".")
        if first == "policies" and inner and equals:
            given = _read(text, value)
            if given is None and inner[0] not in policies:
                raise ReplayError(f"--set {text}: no such policy; there are {', '.join(policies) or 'none yet'}")
            _assign(policies, inner, given, text)
            continue
        name = path.removeprefix("retraining.")
        if not equals or name not in retraining:
            raise ReplayError(
                f"--set {text}: give retraining.FIELD=VALUE; the fields are {', '.join(retraining)}. Or give "
                f"policies.NAME.FIELD=VALUE; there are {', '.join(policies) or 'none yet'}"
            )
        retraining[name] = _read(text, value)
    kept = {name: fields for name, fields in policies.items() if fields is not None}
    if bare := [name for name, fields in kept.items() if not isinstance(fields, dict)]:
        raise ReplayError(f"--set {' '.join(assignments)}: policies.{bare[0]}: fields are needed here, such as trigger")
    try:
        named = [{"name": name, **fields} for name, fields in kept.items()]
        found = _Changed.model_validate({"retraining": retraining, "policies": named})
    except ValidationError as error:
        problems = [describe(problem, Document({}, {}, [])) for problem in error.errors(include_url=False)]
        told = [re.sub(r"^policies\.(\d+)", lambda at: f"policies.{[*kept][int(at[1])]}", one) for one in problems]
        raise ReplayError(f"--set {' '.join(assignments)}: {'; '.join(told)}") from None
    return spec.model_copy(update={"retraining": found.retraining, "policies": found.policies})


class _Changed(Part):
    """The fields of a spec that can be changed."""

    retraining: Retraining
    policies: list[Policy]


def _read(text: str, value: str) -> Any:
    """Read a value as YAML; `text` is the whole assignment."""
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        raise ReplayError(f"--set {text}: {value!r} is no YAML") from None


def _assign(within: dict[str, Any], path: Sequence[str], value: Any, text: str) -> None:
    *parents, last = path
    for name in parents:
        within[name] = within = within.get(name) or {}
        if not isinstance(within, dict):
            raise ReplayError(f"--set {text}: {name} has no fields, it is {within!r}")
    within[last] = value


@dataclass(frozen=True)
class Replay:
    """Variants of the policies over the same stretch of time.

    Attributes:
        plays: name of the variant -> how its policies fared.
        metric: what was watched.
        trained: whether its retrainings were really carried out; else the errors are those that were stored.
        spec: the forecast.
        gate: the recorded decisions of the gate, judged again.
        kept: from when on what is played over is kept, where earlier partitions were removed.
    """

    plays: Mapping[str, Play]
    metric: str
    trained: bool
    spec: ForecastSpec
    gate: Sequence["JudgedAgain"] = ()
    kept: Bound | None = None

    @property
    def span(self) -> tuple[str, str]:
        """The first and the last partition that is played."""
        played = next(iter(self.plays.values())).days["partition"]
        return str(played.min()), str(played.max())

    def to_frame(self) -> pd.DataFrame:
        """Return every partition of every variant: the columns of `Play.days`, and variant."""
        return pd.concat([made.days.assign(variant=name) for name, made in self.plays.items()], ignore_index=True)

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain JSON types."""
        variants = {name: {k: plain(v) for k, v in made.summary().items()} for name, made in self.plays.items()}
        for name, made in self.plays.items():
            variants[name]["retrained"] = plain_rows(made.retrainings[list(TOLD)])
        judged = [{name: plain(value) for name, value in asdict(one).items()} for one in self.gate]
        first, last = self.span
        played = {"first": first, "last": last, "kept": str(self.kept) if self.kept is not None else None}
        return {"metric": self.metric, "really_trained": self.trained, **played, "policies": variants, "gate": judged}

    def picture(self) -> bytes:
        """Return a PNG of the errors and the retrainings."""
        from mlops_assets.forecasting import charts

        days = {
            name: made.days.assign(timestamp=starts(self.spec, made.days["partition"]))
            for name, made in self.plays.items()
        }
        return charts.to_png(charts.policies(days, self.metric, self.trained))


@dataclass(frozen=True)
class JudgedAgain:
    """A recorded decision of the gate beside what the rules of today make of the same numbers.

    Attributes:
        number: of the decision.
        decided_at: when, in UTC.
        version: that was judged.
        recorded: what came of it.
        today: what would come of it now.
        changed: what each rule says now that would end otherwise.
    """

    number: int
    decided_at: pd.Timestamp
    version: int
    recorded: str
    today: str
    changed: tuple[str, ...]


def judged_again(spec: ForecastSpec, tables: Tables) -> list[JudgedAgain]:
    """Judge the recorded decisions of the gate again, oldest first."""
    log, launches = Decisions(tables, spec.name).all(), Launches(tables, spec.name).all()
    becomes = dict(zip(launches["run_id"], launches["becomes"], strict=True))
    found = []
    for _, row in log[(log["kind"] == "gate") & (log["rules"] != "")].iterrows():
        number, entry = entry_of(row)
        was = {rule.name: rule.state for rule in judge.recorded(entry)}
        now = judge.again(spec, entry, becomes.get(entry.run_id, CHALLENGE))
        changed = tuple(
            f"{rule.name}: {was[rule.name]}, now {rule.state}: {rule.message}"
            for rule in now.rules
            if rule.state != was[rule.name]
        )
        found.append(JudgedAgain(number, row["decided_at"], entry.version, entry.outcome, now.outcome, changed))
    return found


TOLD = ("partition", "policy", "rule", "breach", "attempt", "action", "becomes", "promoted", "reason")
"""What is told of a retraining."""


def replay(
    spec: ForecastSpec,
    stores: Stores,
    assignments: Sequence[str] = (),
    really: bool = False,
    last: int | None = None,
    every: int | None = None,
) -> Replay:
    """Play the present policies, changed ones, each alone, never and always over what is stored.

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
    every = every or max(1, periods(spec, spec.horizon) - 1)
    present = _Judges.of(spec, spec.rules_of_retraining, stores)
    variants: dict[str, Policies] = {PRESENT: present}
    if assignments:
        variants[" ".join(assignments)] = _Judges.of(tried, tried.rules_of_retraining, stores)
    if len(present.rules) > 1:
        variants |= {f"{one.name} alone": replace(present, rules=(one,)) for one in present.rules}
    variants |= {"never": never, f"always (every {every})": always(every)}
    # A training asks the world's spec for the strategy of its policy.
    whole = tried.model_copy(update={"policies": [*spec.policies, *tried.policies]})
    world: World = TrainedWorld.of(whole, stores, last) if really else StoredWorld.of(whole, stores, last)
    metric = tried.retraining.metric
    plays = {name: play(world, decide, metric) for name, decide in variants.items()}
    kept = None if really else Retained(stores.tables, spec).bounds.get(FORECAST_ACCURACY)
    return Replay(plays, metric, really, spec, judged_again(spec, stores.tables), kept)


@dataclass(frozen=True)
class _Judges:
    """Policies, with what they would have known of drift, new rows and the clock.

    Attributes:
        spec: the forecast.
        rules: the policies.
        drift: all that was measured; None: nothing.
        times: timestamps of all observations, sorted; None where no policy counts them.
    """

    spec: ForecastSpec
    rules: Sequence[PolicyRules]
    drift: pd.DataFrame | None
    times: np.ndarray | None

    @classmethod
    def of(cls, spec: ForecastSpec, rules: Sequence[PolicyRules], stores: Stores) -> "_Judges":
        drift = times = None
        if any(one.drift is not None for one in rules):
            drift = drift_history(stores.tables, spec.name)
        if any(one.new_rows is not None for one in rules):
            times = stores.tables.read([spec.name, OBSERVATIONS], columns=["timestamp"])["timestamp"].to_numpy()
            times = np.sort(times)
        return cls(spec, rules, drift, times)

    def __call__(self, evidence: Evidence) -> Sequence[Answer]:
        until, champion = evidence.until, evidence.champion
        drift, new_rows = self.drift, None
        if drift is not None:
            drift = drift[drift["partition"] <= max(evidence.stored)]
        if self.times is not None and champion is not None and until is not None:
            seen, there = np.searchsorted(self.times, [champion.trained_until.to_datetime64(), until.to_datetime64()])
            new_rows = int(there - seen)
        known = replace(evidence, drift=drift, new_rows=new_rows)
        if until is not None:
            now = until.tz_localize(self.spec.zone, ambiguous=True, nonexistent="shift_forward")
            known = replace(known, ticks=ticks(self.spec, now.to_pydatetime()))
        return policy.decide_all(known, self.rules)
