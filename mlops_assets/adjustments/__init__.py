"""What people change of a forecast: the log, and the published forecast that comes of it and the system's."""

from mlops_assets.adjustments.published import publish

__all__ = ["publish"]
