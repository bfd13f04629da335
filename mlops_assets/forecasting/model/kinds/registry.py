"""Which class is which kind of model, and what is done with a model whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from .. import features, forecaster, regressors
from ..errors import ModelFileError, UnknownNameError, UsageError, nearest
from ..extensions import FEATURES, MODELS, ExtensionError, is_path, names, package_of, resolve
from ..forecaster import Forecaster
from ..task import Task
from .auto import Auto
from .ensemble import Ensemble
from .naive import NaiveModel
from .protocol import METHODS, Model
from .statistical import Ets, Mstl, Theta, Tsb

KINDS: dict[str, type[Model]] = {
    **dict.fromkeys(regressors.NAMED, Forecaster),
    "theta": Theta,
    "ets": Ets,
    "mstl": Mstl,
    "tsb": Tsb,
    "seasonal_naive": NaiveModel,
    "ensemble": Ensemble,
    "auto": Auto,
}
"""Class of each kind that has a name. What else is a kind: import paths of scikit-learn's regressors
(`regressors.OTHERS`), which `Forecaster` asks, and paths and entry points of classes of others that have the five
methods (see `extensions.resolve`)."""


COMBINING = tuple(kind for kind, made in KINDS.items() if issubclass(made, Ensemble))
"""Kinds that are made of others."""


def class_of(kind: str) -> type[Model]:
    """Return the class of a kind; of a path or an entry point, imported.

    Raises:
        UnknownNameError: there is no kind of that name, or nothing at that path.
        UsageError: the class lacks some of the five methods.
        ExtensionError: its package cannot be imported.
    """
    if kind in KINDS:
        return KINDS[kind]
    if regressors.is_regressor(kind):
        return Forecaster
    if kind.startswith("sklearn.") or (not is_path(kind) and kind not in names(MODELS)):
        raise UnknownNameError(unknown(kind))
    found = resolve(MODELS, kind)
    missing = [method for method in METHODS if not callable(getattr(found, method, None))]
    if missing or not isinstance(found, type):
        words = f"lacks {', '.join(missing)}" if missing else "is no class"
        raise UsageError(f"the model kind {kind!r} {words}; a model is a class with the methods {', '.join(METHODS)}")
    return found


def unknown(kind: str) -> str:
    """Say that there is no such kind, with the nearest right name."""
    named = [*KINDS, *names(MODELS)]
    near = nearest(kind, [*named, *sorted(regressors.OTHERS)])
    hint = f"; did you mean {near[0]}?" if near else "."
    return (
        f"no model kind {kind!r}{hint} There are: {', '.join(named)}, import paths of scikit-learn's regressors that a "
        "model file can hold, such as sklearn.linear_model.Ridge, and of classes with the methods "
        f"{', '.join(METHODS)}"
    )


def is_own(kind: str) -> bool:
    """Whether a kind is a class that is not ours."""
    return kind not in KINDS and not regressors.is_regressor(kind)


def parameters(kind: str) -> tuple[str, ...]:
    """Return the names that `model.parameters` may hold, of a kind that is no regressor."""
    return tuple(getattr(class_of(kind), "PARAMETERS", ()))


def refusal(kind: str, name: str, value: object) -> str:
    """Say what is wrong with the value of a parameter; empty where nothing is, or only a library can judge it."""
    known = getattr(class_of(kind), "PARAMETERS", ())
    return known[name](value) if isinstance(known, Mapping) and name in known else ""


def prove(task: Task) -> None:
    """Check that the task's kind of model can do something with its parameters, as far as can be told without data.

    Raises:
        UsageError: it cannot.
        MissingExtraError: its library is not installed.
    """
    for name, value in task.model.parameters.items():
        if wrong := refusal(task.model.kind, name, value):
            raise UsageError(f"model.parameters.{name}: found {value!r}; {wrong}")
    own = getattr(class_of(task.model.kind), "prove", None)
    if own is not None:
        own(task)


def requires(kind: str) -> tuple[str, ...]:
    """Return the distributions that a model of a kind needs beside those of the engine."""
    if regressors.short_name(kind) == regressors.LIGHTGBM:
        return (regressors.LIGHTGBM,)
    return getattr(class_of(kind), "REQUIRES", ())


def rows(history: pd.DataFrame, task: Task, until: pd.Timestamp | None = None) -> pd.DataFrame:
    """Return what the task's kind of model learns from; see `Model.rows`."""
    return class_of(task.model.kind).rows(history, task, until)


def draws(kind: str) -> bool:
    """Whether a kind learns from feature rows, drawn item by item by a plan for all (`features.Plan`).

    Others know no features, and need all rows at once.
    """
    return issubclass(class_of(kind), Forecaster)


def fit(training: pd.DataFrame, task: Task) -> Model:
    """Fit the task's kind of model on its `rows`.

    Raises:
        UsageError: the kind can do nothing with the parameters.
    """
    prove(task)
    return class_of(task.model.kind).fit(training, task)


def lookback(task: Task) -> int:
    """Steps of history, the origin's included, that a forecast by the task's kind of model rests on."""
    own = getattr(class_of(task.model.kind), "lookback", features.lookback)
    return max(own(task), features.lookback(task))


def lowest(model: object) -> float:
    """Return the lowest target that a model knows of beside the history; 0 where its kind does not say."""
    return getattr(model, "lowest", 0.0)


def importances(model: Model) -> pd.DataFrame | None:
    """Return the importance of each feature (feature, group, importance); None of a kind that has no features."""
    own = getattr(model, "importances", None)
    return None if own is None else own()


def reasons(model: Model) -> list[str]:
    """Say why a model is made of these members; nothing of a kind that has none."""
    own = getattr(model, "reasons", None)
    return [] if own is None else own()


def state_of(model: Model) -> dict[str, Any]:
    """Return a model as `model_file` holds it: its own state with the kind, the task and the version of the engine.

    What others bring is in it by name, with the distributions that it is of.
    """
    settings = model.task.model
    own = {name: package_of(FEATURES, name) for name in settings.features}
    own |= {settings.kind: package_of(MODELS, settings.kind)} if is_own(settings.kind) else {}
    return {
        **model.state(),
        "version": forecaster.STATE_VERSION,
        "kind": settings.kind,
        "task": model.task.to_dict(),
        **({"packages": own} if own else {}),
    }


def rebuild(state: dict[str, Any]) -> Model:
    """Make a model of what `state_of` gave.

    Raises:
        ModelFileError: a release of other features wrote it.
        ModelFileError: its class, or a feature of others, cannot be imported here.
    """
    if state["version"] != forecaster.STATE_VERSION:
        raise ModelFileError(
            f"the model's state has version {state['version']}, this package reads {forecaster.STATE_VERSION}: "
            "use the package's version that trained the model, or retrain"
        )
    task = Task.from_dict(state["task"])
    try:
        kind = class_of(state["kind"])
        for name in task.model.features:
            features.load(name)
    except (ExtensionError, UnknownNameError) as error:
        of = ", ".join(
            sorted({f"{name} ({package})" for name, package in state.get("packages", {}).items() if package})
        )
        raise ModelFileError(f"the model needs {of or 'code of others'}: {error}") from error
    return kind.from_state({**state, "task": task})
