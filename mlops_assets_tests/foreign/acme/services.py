"""A service of our own."""

import pandas as pd

from mlops_assets.api.extensions import NotThereError, Status

MADE = {}


class Oracle:
    """The forecasts of another department."""

    def __init__(self, bonus=0.0):
        self.bonus = bonus

    def submit(self, job, inputs):
        asked = job.parameters
        times = pd.date_range(asked["origin"], periods=asked["horizon"] + 1, freq=asked["frequency"])[1:]
        last = inputs.history().groupby("item_id", as_index=False)["target"].last()
        rows = last.merge(pd.DataFrame({"timestamp": times}), how="cross")
        MADE[job.external_name] = rows.assign(mean=rows["target"] + self.bonus)
        return job.external_name

    def describe(self, job):
        if job.external_name not in MADE:
            raise NotThereError("no such job")
        return Status("succeeded", job.external_name)

    def collect(self, job):
        return MADE[job.external_name]
