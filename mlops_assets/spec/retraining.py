"""When a model is trained anew, and how: one policy, or several beside each other."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from mlops_assets.forecasting.decisions.rules import CHALLENGE, RETRAINING, PolicyRules
from mlops_assets.forecasting.evaluation.metrics import DEFAULT
from mlops_assets.spec.extensions import MetricName
from mlops_assets.spec.model import Model
from mlops_assets.spec.parts import NAME_PATTERN, Cron, MisfitError, Part


class Window(Part):
    """How many of the latest partitions must be in breach."""

    breaches: int = Field(
        default=3, ge=1, description="So many of the last `window` partitions must breach, the latest too."
    )
    window: int = Field(default=5, ge=1, description="How many of the latest scored partitions are looked at.")

    @model_validator(mode="after")
    def _reachable(self) -> "Window":
        if self.breaches > self.window:
            raise MisfitError("breaches", f"more than the window of {self.window} can hold")
        return self


class Levels(Part):
    """What counts as a breach of the accuracy."""

    metric: MetricName = Field(
        default=DEFAULT, description="Of the forecasts that the partition's actuals allow to score."
    )
    threshold: float | None = Field(default=None, gt=0, description="A higher metric is a breach. Default: off.")
    relative: float | None = Field(
        default=1.25, gt=0, description="So many times the champion's own backtest is a breach. null: off."
    )
    skill: float | None = Field(
        default=None, lt=1, description="A lower skill against seasonal naive is a breach. Default: off."
    )
    coverage: list[Annotated[float, Field(ge=0, le=1)]] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="A share of actuals in the outer interval outside [low, high] is a breach. Default: off.",
    )

    @model_validator(mode="after")
    def _ascending(self) -> "Levels":
        if self.coverage is not None and self.coverage[0] >= self.coverage[1]:
            raise MisfitError("coverage", "give the lowest share first, then the highest")
        return self

    @property
    def levels(self) -> dict[str, Any]:
        """The same in the policy's words."""
        band = tuple(self.coverage) if self.coverage is not None else None
        return {**self.model_dump(include=set(Levels.model_fields)), "coverage": band}


class Age(Part):
    """What makes a champion too old."""

    max_age_days: float | None = Field(
        default=None, gt=0, description="A champion whose data ended longer ago is trained anew. Default: off."
    )
    new_rows: int | None = Field(
        default=None, ge=1, description="So many observations since the training ask for a new one. Default: off."
    )


MATURED = Field(
    default=0.5, ge=0, le=1, description="Share of the fullest partition's rows that one needs to be judged."
)
FUTILITY = Field(
    default=3, ge=1, description="After so many retrainings in vain on one breach: stop, and alert a person."
)


class Retraining(Age, Window, Levels):
    """When what has been seen asks for a new model, and what holds it back (docs/lifecycle.md)."""

    bias: float | None = Field(
        default=None,
        gt=0,
        description="A relative bias further from zero (0.1: forecasts 10 % too high or too low in all) is a breach, "
        "with an alert of its own. Default: off.",
    )
    drift: float | None = Field(default=None, gt=0, description="A higher drift of the data is a breach. Default: off.")
    matured: float = MATURED
    cool_down: int = Field(
        default=5, ge=0, description="Partitions between two retrainings; doubled while they change nothing."
    )
    minimum_new: int = Field(default=3, ge=0, description="Partitions that a new training must add to the last one's.")
    budget: int = Field(
        default=4, ge=1, description="At most so many retrainings in `budget_window` partitions, by all policies."
    )
    budget_window: int = Field(default=30, ge=1, description="See budget.")
    futility: int = FUTILITY
    ladder: list[Literal["reweigh", "grow", "refit"]] = Field(
        default=["refit"],
        min_length=1,
        description="What the first try on a breach does, the second, ...; the last for all further ones.",
    )

    @property
    def rules(self) -> PolicyRules:
        """The same in the policy's words."""
        return PolicyRules(**{**self.model_dump(), **self.levels, "ladder": tuple(self.ladder)})


class Error(Window, Levels):
    """Forecasts that have become too bad."""


class Bias(Window):
    """Forecasts that lie too high, or too low, all in all."""

    limit: float = Field(gt=0, description="A bias further from zero, as a share of the actuals, is a breach.")


class Drift(Window):
    """Data that are not what the champion has learnt from."""

    limit: float = Field(gt=0, description="A higher drift of the data is a breach.")


class Trigger(Part):
    """What asks for a retraining; exactly one."""

    schedule: Cron | None = Field(default=None, description="Cron line in the spec's zone; a tick missed is made up.")
    error: Error | None = Field(default=None, description="Forecasts that have become too bad.")
    bias: Bias | None = Field(default=None, description="Forecasts that lie too high or too low, all in all.")
    drift: Drift | None = Field(default=None, description="Data that are not what the champion has learnt from.")
    age: Age | None = Field(default=None, description="A champion that is too old, or data that wait.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Trigger":
        given = [name for name in Trigger.model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            names = ", ".join(Trigger.model_fields)
            raise ValueError(f"exactly one is needed of {names}; for another, add a policy")
        if self.age is not None and self.age == Age():
            raise MisfitError("age", "max_age_days or new_rows is needed")
        if self.error is not None and not PolicyRules(**self.error.levels).asks:
            raise MisfitError("error", "relative, threshold, skill or coverage is needed")
        return self

    @property
    def rules(self) -> dict[str, Any]:
        """The same in the policy's words: what does not ask is off."""
        found: dict[str, Any] = {"relative": None, "scheduled": self.schedule is not None}
        if self.error is not None:
            found |= self.error.levels
        if self.bias is not None:
            found["bias"] = self.bias.limit
        if self.drift is not None:
            found["drift"] = self.drift.limit
        if self.age is not None:
            found |= self.age.model_dump()
        window = self.error or self.bias or self.drift
        return found | (window.model_dump(include=set(Window.model_fields)) if window is not None else {})


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Strategy = Annotated[
    Annotated[Literal["reweigh", "grow", "refit", "tune"], Tag("[name]")] | Annotated[Model, Tag("[model]")],
    Discriminator(lambda value: "[model]" if isinstance(value, dict | Model) else "[name]"),
]


class Policy(Part):
    """What asks for a retraining, how the model is trained then, and what becomes of the new version."""

    name: str = Field(pattern=NAME_PATTERN, description="Small letters, digits, _; not retraining.")
    trigger: Trigger = Field(description="What asks for a retraining; exactly one.")
    strategy: Annotated[list[Strategy], BeforeValidator(_as_list)] = Field(
        default=["refit"],
        min_length=1,
        description="reweigh: new weights for the members of an ensemble; grow: new trees for the oldest; refit; tune: "
        "with settings that a search finds, for this version; or the fields of `model`: another kind. Of a list, the "
        "first try on a breach does the first, and so on.",
    )
    action: Literal["challenger", "replace", "keep_aside"] = Field(
        default=CHALLENGE,
        description="challenger: the gate decides; replace: the gate, but without a comparison with the champion; "
        "keep_aside: it stands beside the champion until a person approves it.",
    )
    minutes: float = Field(default=10, gt=0, description="What a search (tune) may take.")
    matured: float = MATURED
    cool_down: int | None = Field(
        default=None,
        ge=0,
        description="Partitions between two retrainings of this policy; doubled while they change nothing. Default: 5, "
        "of a schedule 0.",
    )
    minimum_new: int | None = Field(
        default=None,
        ge=0,
        description="Partitions that a new training must add to this policy's last one's. Default: 3, of a schedule 1.",
    )
    futility: int = FUTILITY

    @field_validator("name")
    @classmethod
    def _own(cls, value: str) -> str:
        if value == RETRAINING:
            raise ValueError("that is the policy of the field retraining; take another name")
        return value

    def rules(self, common: Retraining) -> PolicyRules:
        """The same in the policy's words; `common` has the budget of all."""
        scheduled = self.trigger.schedule is not None
        told = {"metric": common.metric, **self.trigger.rules}
        cool_down, minimum_new = (0, 1) if scheduled else (PolicyRules.cool_down, PolicyRules.minimum_new)
        return PolicyRules(
            **told,
            name=self.name,
            ladder=tuple(one.kind if isinstance(one, Model) else one for one in self.strategy),
            becomes=self.action,
            matured=self.matured,
            cool_down=cool_down if self.cool_down is None else self.cool_down,
            minimum_new=minimum_new if self.minimum_new is None else self.minimum_new,
            budget=common.budget,
            budget_window=common.budget_window,
            futility=self.futility,
        )

    def model(self, strategy: str) -> Model | None:
        """Return the model of a strategy that is another kind, by that kind; None for any other strategy."""
        return next((one for one in self.strategy if isinstance(one, Model) and one.kind == strategy), None)
