"""A service of our own."""

import pandas as pd

from mlops_assets.api.extensions import NotThereError, Status, quantile_column

MADE = {}


class Oracle:
    """The forecasts of another department."""

    def __init__(self, bonus=0.0):
        self.bonus = bonus

    def submit(self, job, inputs):
        asked, past = job.parameters, inputs.history().groupby("item_id")["target"]
        times = pd.date_range(asked["origin"], periods=asked["horizon"] + 1, freq=asked["frequency"])[1:]
        made = pd.DataFrame({"mean": past.last() + self.bonus})
        for level in asked["quantiles"]:
            made[quantile_column(level)] = made["mean"] + 2 * (level - 0.5) * past.std()
        MADE[job.external_name] = made.reset_index().merge(pd.DataFrame({"timestamp": times}), how="cross")
        return job.external_name

    def describe(self, job):
        if job.external_name not in MADE:
            raise NotThereError("no such job")
        return Status("succeeded", job.external_name)

    def collect(self, job):
        return MADE[job.external_name]
