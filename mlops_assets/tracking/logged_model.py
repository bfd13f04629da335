"""A forecaster as an MLflow model that a stranger can load without this package."""

import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.forecasting.model import kinds, model_file
from mlops_assets.forecasting.model.features import load
from mlops_assets.tracking.model_code import own_code

FORECASTER = "forecaster.skops"


def log_forecaster(
    state: Mapping[str, Any], history: pd.DataFrame, forecasts: pd.DataFrame, horizon: int
) -> tuple[str, str]:
    """Keep the model so that a stranger can load it without this package (see `pyfunc_model.py`).

    Args:
        state: the forecaster's state.
        history: a short canonical frame, as input example and signature.
        forecasts: what the model makes of it, for the signature.
        horizon: default and upper bound of the `horizon` parameter.

    Returns:
        MLflow's address of the model and the sha256 of its file.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ParamSchema, ParamSpec

    with tempfile.TemporaryDirectory() as folder, without_advice(), _without_bytecode():
        file = Path(folder) / FORECASTER
        sha256 = model_file.save(dict(state), file)
        python_model, code = own_code().write(Path(folder))
        own = Needs.of(state["kind"], *state.get("members", ()), features=state["task"]["model"].get("features", ()))
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(python_model),
            artifacts={"forecaster": str(file)},
            code_paths=[str(code), *own.code],
            pip_requirements=[*_requirements(), *own.requirements],
            signature=ModelSignature(
                _schema(history), _schema(forecasts), ParamSchema([ParamSpec("horizon", "long", horizon)])
            ),
            input_example=(history, {"horizon": horizon}),
        )
    return info.model_uri, sha256


@dataclass(frozen=True)
class Needs:
    """What a kind of model needs beside the engine to be loaded by a stranger.

    Attributes:
        requirements: of pip, each with its version.
        code: paths of source that no distribution brings, to travel with the model.
    """

    requirements: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    @classmethod
    def of(cls, *named: str, features: Sequence[str] = ()) -> "Needs":
        """Find out what kinds and features need; of one's own its distribution or, without one, its package or file."""
        names: list[str] = []
        code: list[str] = []
        own: list[type] = [type(load(name)) for name in features]
        for kind in named:
            names += kinds.requires(kind)
            own += [kinds.class_of(kind)] if kinds.is_own(kind) else []
        for made in own:
            if any(base.__module__.startswith("mlops_assets.") for base in made.__mro__):
                names.append("mlops-assets")
            module = made.__module__.partition(".")[0]
            installed = packages_distributions().get(module, [])
            names += installed[:1]
            file = Path(str(import_module(module).__file__))
            code += [] if installed else [str(file.parent if file.name == "__init__.py" else file)]
        return cls(tuple(f"{name}=={version(name)}" for name in dict.fromkeys(names)), tuple(dict.fromkeys(code)))


@contextmanager
def without_advice() -> Iterator[None]:
    """Silence MLflow's advice on type hints and whole numbers: the signature is given explicitly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Let Python write no bytecode beside sources: MLflow tries the model out in the folder that it then keeps."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _schema(frame: pd.DataFrame) -> Any:
    """Return the frame's columns in MLflow's types; whole numbers only where NumPy holds them, so never missing."""
    from mlflow.types import ColSpec, Schema

    kinds = {"M": "datetime", "f": "double", "b": "boolean", "i": "long", "u": "long"}
    return Schema([ColSpec(kinds.get(frame[name].dtype.kind, "string"), name) for name in frame.columns])


def _requirements() -> list[str]:

    names = ["mlflow", "numpy", "pandas", "scikit-learn", "skops", "holidays"]
    return [f"{name}=={version(name)}" for name in names]
