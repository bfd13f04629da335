"""A model of our own."""

import numpy as np

from mlops_assets.api.extensions import CalibratedSeries


class Drift(CalibratedSeries):
    """On from the last value along the line between two values of the history."""

    PARAMETERS = ("window",)

    def path(self, values):
        """Return the mean path and the typical size of an error of one step."""
        window = min(self.task.model.parameters.get("window", 26), len(values) - 1)
        slope = (values[-1] - values[-1 - window]) / window
        mean = values[-1] + slope * np.arange(1, self.task.horizon + 1)
        return mean, float(np.abs(np.diff(values) - slope).mean())
