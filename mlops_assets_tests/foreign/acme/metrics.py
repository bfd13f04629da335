"""Metrics of our own."""

import numpy as np

from mlops_assets.api.extensions import Metric


class Shortfall(Metric):
    """Units that were missing, as a share of what was sold."""

    name = "shortfall"
    average = "size"

    def losses(self, rows):
        """Return what is missing in each row."""
        return np.maximum(-rows.error, 0.0)
