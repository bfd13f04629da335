"""Which partitions the schedule asked for in vain."""

from datetime import datetime, timezone

import pandas as pd
import pytest

from mlops_assets.definitions import build_environment
from mlops_assets.stages.holes import unforecast
from mlops_assets_tests.worlds import declare, sandbox


@pytest.mark.parametrize("schedule", ["0 6 * * *", "0 * * * *", "*/10 * * * *"])
def test_a_schedule_that_ticks_often_makes_up_for_as_many_partitions(tmp_path, empty_mlflow, schedule):
    spec = declare(tmp_path / "forecasts", schedule=schedule, partitions={"start": "2024-03-01", "end": "2024-06-01"})
    tables = build_environment(sandbox(tmp_path, empty_mlflow)).resources["tables"]
    made = pd.DataFrame({"lead": [1], "delivered_because": "champion", "role": "delivered", "job_key": ""})
    for key in ("2024-05-01", "2024-05-04"):
        tables.write(["demo", "forecasts"], made, key)
    now = datetime(2024, 5, 11, 6, tzinfo=timezone.utc)
    days = [f"2024-05-{day:02}" for day in (2, 3, 5, 6, 7, 8, 9)]
    assert unforecast(spec, tables, "2024-05-10", now) == days
