"""What goes wrong with MLflow."""

from mlops_assets.errors import MlopsAssetsError, TerminalError, TransientError


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
