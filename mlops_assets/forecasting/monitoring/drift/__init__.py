"""Drift: whether the newest window of the data is unlike the windows that the model was trained on.

A window of seasonal, autocorrelated data always differs from the pooled training data, by any textbook test: a week of
December is colder than the year. What is asked here is whether it differs *more than the windows of the training differ
among themselves*. So the reference is cut into windows that lie whole seasons before the newest one (the same slots of
the season in each), every window is held against the others, and the newest one's distance against those distances.
No assumption on the dependence within a window is needed, and many rows do not make a small difference significant.
"""

from mlops_assets.forecasting.monitoring.drift.detection import DriftResult, DriftRules, detect
from mlops_assets.forecasting.monitoring.drift.windows import Sheet, Windows, inspected, lay_out, reach

__all__ = ["DriftResult", "DriftRules", "Sheet", "Windows", "detect", "inspected", "lay_out", "reach"]
