"""What goes wrong with MLflow."""

from mlops_assets.errors import MlopsAssetsError, TransientError


class TrackingError(MlopsAssetsError, RuntimeError):
    """MLflow cannot be reached, or what it holds cannot be used."""


class TrackingUnavailableError(TrackingError, TransientError):
    """MLflow does not answer now; a later try may succeed."""
