"""What goes wrong with MLflow."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from mlops_assets.errors import MlopsAssetsError, TerminalError, TransientError
from mlops_assets.resources.refusals import refusal
from mlops_assets.resources.secrets import scrub

_NO_ENTRY = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_LOGIN = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
_ABOUT_LOGIN = re.compile(r"unauthori[sz]ed|forbidden|denied|credential|\b40[13]\b", re.IGNORECASE)
_REQUEST = re.compile(r"API request to .*? failed with error code (\d+) != 200\. Response body: ")
_NO_ANSWER = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")


class TrackingError(MlopsAssetsError, RuntimeError):
    """MLflow cannot be reached, or what it holds cannot be used."""


class TrackingUnavailableError(TrackingError, TransientError):
    """MLflow does not answer now; a later try may succeed."""


class VersionGoneError(TrackingError, TerminalError):
    """A registered version is not in MLflow any more: it was deleted, or MLflow's database is another."""


class ModelCodeError(TrackingError, TerminalError):
    """A version has to be run by the code that travels with it, and that cannot be."""

    @classmethod
    def of(cls, name: str, number: int, why: str) -> "ModelCodeError":
        """Make the error.

        Args:
            name: of the model.
            number: of the version.
            why: the code cannot be run.
        """
        return cls(
            f"version {number} of {name} was trained on features of another release, and the code that travels with "
            f"it cannot be run: {why}; a new model needs none",
            advice=[f"mlops-assets run {name} --retrain"],
        )


def refused_entry(where: str, reason: str) -> TrackingError:
    """Return the error of a server that wants another login, with the variables that it is given by."""
    given = [name for name in _LOGIN if os.environ.get(name)]
    reason = _REQUEST.sub(r"\1, ", reason)  # every path is refused: what was asked for does not matter
    login = f"the login of {' and '.join(given)} is refused" if given else "no login is set"
    return TrackingError(
        f"MLflow at {where} lets nobody in ({reason}): {login}; set MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    )


def code_of(error: BaseException) -> str:
    """Return the code that MLflow gives an error, empty for other errors: to ask for the class would import MLflow."""
    return str(getattr(error, "error_code", ""))


@contextmanager
def answered(where: str) -> Iterator[None]:
    """Let the failure of a server, a database or a disk be an error of ours; what MLflow itself says stays as it is.

    Args:
        where: MLflow is, without a secret.
    """
    try:
        yield
    except Exception as error:
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException

        # What dagster-mlflow's resource meets, Dagster wraps.
        raised = error.__cause__ if type(error).__module__.startswith("dagster.") else error
        known = isinstance(raised, MlflowException | RequestException)
        expected = _expected(raised, where) if known else None
        if expected is None:
            raise
        raise expected from None


def _expected(error: BaseException, where: str) -> MlopsAssetsError | None:
    """Return the error of ours that stands for one of MLflow's client; None for an answer of MLflow itself."""
    text = str(error)
    reason = scrub(" ".join(text.split()))[:300]
    refused = refusal(text)
    if refused is not None:
        return refused
    if "out-of-date database schema" in text:
        return TrackingError(
            f"MLflow's database at {where} was written by another release of MLflow ({reason.partition('. ')[0]}). "
            "Of an older one: back it up, then run mlflow db upgrade with its address; of a newer one: install that"
        )
    code = getattr(error, "error_code", None)
    # JSON without the code of an error was answered by somebody on the way to MLflow.
    on_the_way = text.startswith("API request to") or "error_code" not in getattr(error, "json", {"error_code": ""})
    if code in _NO_ENTRY or (on_the_way and _ABOUT_LOGIN.search(text)):
        return refused_entry(where, reason)
    # Of a database, MLflow says what SQLAlchemy said.
    if code is None or (on_the_way and code in _NO_ANSWER) or code == "TEMPORARILY_UNAVAILABLE":
        return TrackingUnavailableError(
            f"MLflow at {where} does not answer as it should: {reason}; see MLFLOW_TRACKING_URI"
        )
    return None


class Client:
    """MLflow's client, with a server's failure to answer as an error of ours; see `answered`."""

    def __init__(self, client: Any, where: str) -> None:
        self._client, self._where = client, where

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if not callable(value):
            return value

        @wraps(value)
        def call(*arguments: Any, **named: Any) -> Any:
            with answered(self._where):
                return value(*arguments, **named)

        return call
