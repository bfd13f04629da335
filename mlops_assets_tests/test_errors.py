"""The tree of errors: one root, builtins that fit, advice that survives a pickle, near names."""

import importlib
import pickle
import pkgutil

import pytest

import mlops_assets
from mlops_assets import errors
from mlops_assets.errors import (
    DataError,
    MissingExtraError,
    MlopsAssetsError,
    TerminalError,
    TransientError,
    UnknownNameError,
    UsageError,
)

INNER = {"MisfitError", "StepBugError"}
"""Exceptions that no caller of the package meets as an expected error."""


def classes() -> list[type[Exception]]:
    """Return all exceptions that the package defines."""
    found = set()
    for module in pkgutil.walk_packages(mlops_assets.__path__, "mlops_assets."):
        if not module.name.startswith("mlops_assets.forecasts") and not module.name.endswith(
            ("__main__", "pyfunc_model")
        ):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, Warning):
                    found |= {value} if value.__module__.startswith("mlops_assets.") else set()
    return sorted(found, key=lambda one: one.__name__)


def test_every_error_is_in_the_tree_and_the_tree_is_drawn_whole():
    expected = [one for one in classes() if issubclass(one, MlopsAssetsError)]
    assert {one.__name__ for one in classes() if one not in expected} <= INNER
    assert len(expected) > 20
    for one in expected:
        assert one.__name__ in (errors.__doc__ or ""), one
        assert not issubclass(one, TransientError) or not issubclass(one, TerminalError)
        forbidden = ("NoChampionError", "UndeliveredError", "DecisionError", "LockedError", "UnprovenError")
        code = {"NotYetError": 3, **dict.fromkeys(forbidden, 4)}.get(one.__name__)
        assert one.exit_code == (code or (2 if issubclass(one, UsageError) else 1))


@pytest.mark.parametrize("one", [one for one in classes() if issubclass(one, MlopsAssetsError)])
def test_an_error_crosses_processes_whole(one):
    error = pickle.loads(pickle.dumps(one("no sales", advice=["mlops-assets list"])))
    assert type(error) is one
    assert (error.message, error.advice) == ("no sales", ("mlops-assets list",))
    assert str(error) == "no sales (try: mlops-assets list)"
    about = error.about("shops.yaml")
    assert (type(about), about.message, about.advice) == (one, "shops.yaml: no sales", error.advice)
    assert error.message == "no sales"


@pytest.mark.parametrize(
    ("name", "message", "advice"),
    [
        ("demi", "no forecast 'demi' in there; did you mean demo? There are: demo, shops", ()),
        ("x", "no forecast 'x' in there. There are: demo, shops", ("mlops-assets list",)),
    ],
)
def test_a_wrong_name_comes_with_the_nearest_right_one(name, message, advice):
    error = UnknownNameError.of("forecast", name, ["demo", "shops"], "there", ["mlops-assets list"])
    assert (error.message, error.advice, error.exit_code) == (message, advice, 2)
    assert isinstance(error, LookupError)
    assert UnknownNameError.of("forecast", "x", []).message == "no forecast 'x'. There is none"


def test_a_missing_library_is_an_import_error_that_says_how_to_install_it():
    assert MissingExtraError.of("tuning", "optuna", "tune").advice == ("pip install 'mlops-assets[tune]'",)
    other = MissingExtraError.of("oracle://h", "oracledb", None)
    assert isinstance(other, ImportError)
    assert str(other) == "oracle://h needs the module oracledb (try: pip install oracledb)"


def test_errors_are_the_builtins_that_fit():
    assert issubclass(DataError, ValueError)
    assert issubclass(UsageError, ValueError)
