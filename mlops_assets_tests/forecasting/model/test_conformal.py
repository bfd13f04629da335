from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.model import features, fitting, kinds
from mlops_assets.forecasting.model.conformal import MOST, widths
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets.io_managers.memory import MemoryTables
from mlops_assets.resources.stored import StoredTable
from mlops_assets.stages.register import with_right_intervals
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel
from mlops_assets_tests.worlds import declare

DAYS = 260


def backtest_rows(model: Forecaster, frame: pd.DataFrame, origins: list[int]) -> pd.DataFrame:
    start = frame["timestamp"].min()
    tables = [model.predict(frame, start + pd.Timedelta(days=day)) for day in origins]
    return pd.concat(tables).merge(frame[["item_id", "timestamp", "target"]], on=["item_id", "timestamp"])


def coverage(rows: pd.DataFrame) -> float:
    return float(rows["target"].between(rows["q10"], rows["q90"]).mean())


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return daily_panel(items=12, days=DAYS)


@pytest.fixture(scope="module")
def model(frame) -> Forecaster:
    until = frame["timestamp"].min() + pd.Timedelta(days=150)
    return fitting.fit(features.training_rows(frame, DAILY, until), DAILY)


@pytest.mark.parametrize("planted", [(0.3, 0.5, 0.7), (0.01, 0.5, 0.99)])
def test_planted_miscalibration_is_made_good_on_later_origins(frame, model, planted):
    wrong = replace(model, anchors=planted)
    earlier, later = (backtest_rows(wrong, frame, days) for days in ([152, 165, 178, 191], [205, 218, 231, 244]))
    assert abs(coverage(later) - 0.8) > 0.1
    mended = backtest_rows(wrong.corrected(earlier, 0.05), frame, [205, 218, 231, 244])
    assert coverage(mended) == pytest.approx(0.8, abs=0.05)
    np.testing.assert_array_equal(mended[["mean", "q50"]], later[["mean", "q50"]])
    assert (mended[["q10", "q50", "q90"]].diff(axis=1).iloc[:, 1:] >= 0).all().all()


def test_what_is_right_is_left_alone(frame, model):
    rows = backtest_rows(model, frame, [152, 165, 178, 191])
    off = abs(coverage(rows) - 0.8)
    assert widths(rows, DAILY, off + 0.001) == (1.0, 1.0)
    assert widths(rows.head(50), DAILY, 0.0) == (1.0, 1.0), "too few rows prove nothing"
    same = model.corrected(rows, off + 0.001)
    pd.testing.assert_frame_equal(same.predict(frame), model.predict(frame))


def test_each_side_has_its_own_factor_within_bounds():
    random = np.random.default_rng(0)
    target = random.normal(size=20_000)
    rows = pd.DataFrame({"target": target, "source": "model", "q50": 0.0, "q10": -1.2816 / 2, "q90": 1.2816 / 1.25})
    below, above = widths(rows, DAILY, 0.05)
    assert (below, above) == pytest.approx((2, 1.25), abs=0.05)
    assert widths(rows.assign(q10=-0.01, q90=0.01), DAILY, 0.05) == (MOST, MOST)
    assert widths(rows.assign(source="fallback"), DAILY, 0.05) == (1.0, 1.0)


def test_the_factors_are_part_of_the_stored_model(frame, model):
    wide = replace(model, widths=(1.5, 2.0))
    again = kinds.rebuild(kinds.state_of(wide))
    assert again.widths == (1.5, 2.0)
    pd.testing.assert_frame_equal(again.predict(frame), wide.predict(frame))


def test_a_version_is_corrected_only_where_the_spec_asks_for_it(frame, model, tmp_path):
    wrong = replace(model, anchors=(0.3, 0.5, 0.7))
    value = {"forecaster": kinds.state_of(wrong), "facts": {"action": "refit"}}
    tables = MemoryTables()
    tables.write(["demo", "backtest"], backtest_rows(wrong, frame, [152, 165]).assign(model="challenger"))
    rows = StoredTable(tables, ["demo", "backtest"])
    off = with_right_intervals(declare(tmp_path), value, rows)
    assert off is value
    on = with_right_intervals(declare(tmp_path, backtest={"conformal": 0.05}), value, rows)
    assert min(on["forecaster"]["widths"]) > 1.2
    assert on["facts"] == value["facts"]
