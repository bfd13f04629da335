"""What goes wrong with MLflow."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from mlops_assets.errors import MlopsAssetsError, TerminalError, TransientError
from mlops_assets.resources.secrets import scrub

_NO_ENTRY = ("UNAUTHENTICATED", "PERMISSION_DENIED")
_NO_ANSWER = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")


class TrackingError(MlopsAssetsError, RuntimeError):
    """MLflow cannot be reached, or what it holds cannot be used."""


class TrackingUnavailableError(TrackingError, TransientError):
    """MLflow does not answer now; a later try may succeed."""


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


@contextmanager
def answered(where: str) -> Iterator[None]:
    """Let a server's failure to answer be an error of ours; what MLflow itself answers stays as it is.

    Args:
        where: MLflow is, without a secret.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if not str(error).startswith("API request to"):
            raise
        reason = scrub(" ".join(str(error).split()))[:300]
        if error.error_code in _NO_ENTRY:
            raise TrackingError(f"MLflow at {where} lets nobody in: {reason}; see MLFLOW_TRACKING_URI") from None
        if error.error_code in _NO_ANSWER:
            raise TrackingUnavailableError(
                f"MLflow at {where} does not answer as it should: {reason}; see MLFLOW_TRACKING_URI"
            ) from None
        raise


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
