"""What goes wrong with MLflow."""


class TrackingError(RuntimeError):
    """MLflow cannot be reached, or what it holds cannot be used."""
