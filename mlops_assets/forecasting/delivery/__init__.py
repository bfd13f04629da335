"""What becomes of a model's forecasts before they are delivered: bounds, whole numbers, the point that costs least."""

from mlops_assets.forecasting.delivery.deliver import deliver

__all__ = ["deliver"]
