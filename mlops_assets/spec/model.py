"""Which regressor is trained, with what."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from mlops_assets.errors import MlopsAssetsError, UnknownNameError
from mlops_assets.forecasting.model import extensions, kinds, regressors
from mlops_assets.forecasting.model.task import ModelSettings
from mlops_assets.spec.extensions import Features, named
from mlops_assets.spec.parts import MisfitError, Part, choice

FOREST_PARAMETERS = (
    "n_estimators",
    "criterion",
    "max_depth",
    "min_samples_split",
    "min_samples_leaf",
    "min_weight_fraction_leaf",
    "max_features",
    "max_leaf_nodes",
    "min_impurity_decrease",
    "bootstrap",
    "oob_score",
    "n_jobs",
    "verbose",
    "warm_start",
    "ccp_alpha",
    "max_samples",
    "monotonic_cst",
)
"""Parameters of RandomForestRegressor, the seed aside: importing scikit-learn to ask would cost seconds."""
BOOSTING_PARAMETERS = (
    "loss",
    "quantile",
    "learning_rate",
    "max_iter",
    "max_leaf_nodes",
    "max_depth",
    "min_samples_leaf",
    "l2_regularization",
    "max_features",
    "max_bins",
    "categorical_features",
    "monotonic_cst",
    "interaction_cst",
    "warm_start",
    "early_stopping",
    "scoring",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "verbose",
)
"""The same of HistGradientBoostingRegressor."""
LIGHTGBM_PARAMETERS = (
    "boosting_type",
    "num_leaves",
    "max_depth",
    "learning_rate",
    "n_estimators",
    "subsample_for_bin",
    "objective",
    "class_weight",
    "min_split_gain",
    "min_child_weight",
    "min_child_samples",
    "subsample",
    "subsample_freq",
    "colsample_bytree",
    "reg_alpha",
    "reg_lambda",
    "n_jobs",
    "importance_type",
)
"""The same of LGBMRegressor."""
_PARAMETERS = {
    **dict.fromkeys([*regressors.FORESTS, *regressors.FORESTS.values()], FOREST_PARAMETERS),
    "hist_gradient_boosting": BOOSTING_PARAMETERS,
    "lightgbm": LIGHTGBM_PARAMETERS,
    **{kind: kinds.parameters(kind) for kind in kinds.KINDS if not regressors.is_regressor(kind)},
}
"""Parameters by kind; of an import path that is not here, its class says them."""


def _parameters_schema(kinds: Iterable[str], names: Collection[str]) -> dict[str, Any]:
    allowed = {"propertyNames": {"enum": list(names)}} if names else {"maxProperties": 0}
    said = {"properties": {"kind": {"enum": list(kinds)}}}
    return {
        "if": said if ModelSettings.kind in said["properties"]["kind"]["enum"] else {**said, "required": ["kind"]},
        "then": {"properties": {"parameters": allowed}},
    }


class Model(Part):
    """Which model is trained, with what."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                _parameters_schema([kind for kind in _PARAMETERS if _PARAMETERS[kind] == names], names)
                for names in dict.fromkeys(_PARAMETERS.values())
            ]
        }
    )

    kind: Annotated[str, WithJsonSchema(named(extensions.MODELS, [*kinds.KINDS, *sorted(regressors.OTHERS)]))] = Field(
        default=ModelSettings.kind,
        description=f"{', '.join(kinds.KINDS)}; the import path of another of scikit-learn's regressors, such as "
        "sklearn.linear_model.Ridge; or the path or entry point of a class of your own with the methods of a model.",
    )
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Keyword arguments of the regressor, or parameters of the kind.",
    )
    members: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Kinds that an ensemble averages, or that auto chooses among. null: the engine's, by which extras "
        "are installed.",
    )
    features: Features = Field(
        default_factory=list,
        description="Features of your own beside the engine's, by path or entry point: for kinds that learn from "
        "feature rows.",
    )
    max_training_rows: int = Field(
        default=ModelSettings.max_training_rows,
        ge=100,
        description="Upper bound of sampled (item, origin, lead) rows.",
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Of the sampling and of the regressor.")
    recency: float | None = Field(
        default=None,
        gt=0,
        description="Half-life of an origin's chance to be sampled, in steps of the frequency: the model learns more "
        "from what is recent. null: all origins alike.",
    )
    accelerator: Literal["intelex"] | None = Field(
        default=None,
        description="intelex: the forest is fitted by scikit-learn-intelex, which has to be installed. null: by "
        "scikit-learn.",
    )

    @property
    def settings(self) -> ModelSettings:
        """The same in the engine's words."""
        own = {"parameters": dict(self.parameters), "members": tuple(self.members or ())}
        own |= {"features": tuple(self.features)}
        return ModelSettings(**{**self.model_dump(), **own})

    @field_validator("kind")
    @classmethod
    def _storable(cls, value: str) -> str:
        try:
            kinds.class_of(value)
        except UnknownNameError as error:
            if extensions.is_path(value) and not value.startswith("sklearn."):
                raise ValueError(str(error)) from None
            own = [*kinds.KINDS, *extensions.names(extensions.MODELS)]
            known = choice(value, [*own, *sorted(regressors.OTHERS)] if "." in value else own)
            raise ValueError(
                f"{known}, or the import path of another of scikit-learn's regressors that a model file can hold, such "
                "as sklearn.linear_model.Ridge, or of a class of your own"
            ) from None
        except MlopsAssetsError as error:
            raise ValueError(error.message) from None
        return value

    @field_validator("members")
    @classmethod
    def _single_kinds(cls, value: list[str] | None) -> list[str] | None:
        for number, kind in enumerate(value or []):
            if kind in (value or [])[:number]:
                raise MisfitError(str(number), "stands there twice: give each kind once")
            try:
                known = kind not in kinds.COMBINING and kinds.class_of(kind) is not None
            except UnknownNameError as error:
                if extensions.is_path(kind):
                    raise MisfitError(str(number), str(error)) from None
                known = False
            except MlopsAssetsError as error:
                raise MisfitError(str(number), error.message) from None
            if not known:
                own = extensions.names(extensions.MODELS)
                raise MisfitError(
                    str(number), choice(kind, [*(k for k in kinds.KINDS if k not in kinds.COMBINING), *own])
                )
        return value

    @model_validator(mode="after")
    def _known_parameters(self) -> "Model":
        if "random_state" in self.parameters:
            raise MisfitError("parameters.random_state", "the field for it is model.seed")
        if self.accelerator is not None and not regressors.is_forest(self.kind):
            raise MisfitError("accelerator", f"only forests can be accelerated, and the kind is {self.kind}")
        if self.members is not None and self.kind not in kinds.COMBINING:
            raise MisfitError(
                "members", f"only {' and '.join(sorted(kinds.COMBINING))} have members, and the kind is {self.kind}"
            )
        if self.features and not (kinds.draws(self.kind) or self.kind in kinds.COMBINING):
            raise MisfitError("features", f"belong to kinds that learn from feature rows, and the kind is {self.kind}")
        known = parameters_of(self.kind) if self.parameters else ()
        for name in self.parameters:
            if name not in known:
                raise MisfitError(f"parameters.{name}", f"unknown parameter; {choice(name, known)}")
            if wrong := kinds.refusal(self.kind, name, self.parameters[name]):
                raise MisfitError(f"parameters.{name}", wrong)
        return self


def parameters_of(kind: str) -> tuple[str, ...]:
    """Return the names that `model.parameters` may hold for a kind of model."""
    if kind in _PARAMETERS:
        return _PARAMETERS[kind]
    if regressors.is_regressor(kind):
        return tuple(name for name in regressors.parameters(kind) if name != "random_state")
    return kinds.parameters(kind)
