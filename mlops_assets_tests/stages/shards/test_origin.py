"""The parts of an origin's forecasts pass by."""

import weakref

import numpy as np
import pandas as pd

from mlops_assets.stages.shards.frames import Frames
from mlops_assets.stages.shards.origin import Origin, Part
from mlops_assets_tests.worlds import declare


def test_of_a_part_that_is_put_down_no_row_is_held(tmp_path):
    spec, day = declare(tmp_path), pd.Timestamp("2024-05-10")
    means = np.arange(2.0)
    columns = {
        "item_id": np.array(["a", "b"], dtype=object),
        "timestamp": np.full(2, np.datetime64(day, "us")),
        "source": np.array(["model", "model"], dtype=object),
        "delivered_because": np.array(["champion", "champion"], dtype=object),
        "model_version": np.array([1, 1]),
        "mean": means,
        spec.task.point_column: means,
    }
    origin, held = Origin(spec, day, Frames("forecasts")), weakref.ref(means)
    newest = pd.DataFrame(True, index=pd.DatetimeIndex([day]), columns=list(spec.covariates.past))
    origin.add(Part(pd.DataFrame(columns, copy=False), day, ["c"], newest))
    del columns, means
    assert held() is None
    found = origin.predicted()
    assert (found.tally.rows, found.left_out) == (2, ["c"])
    assert found.rows["mean"].tolist() == [0.0, 1.0]
