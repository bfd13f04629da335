"""What is odd about rows and forecasts that are right by the contract, in sentences."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.analysis.evaluate import evaluate
from mlops_assets.settings import Settings
from mlops_assets.stages.remarks import Remarks, silent_point
from mlops_assets_tests.worlds import declare, panel


def forecasts(zeros: int, mean: float = 0.3) -> pd.DataFrame:
    """A hundred forecasts, so many of them with a median of zero."""
    return pd.DataFrame({"mean": mean, "q50": [0.0] * zeros + [1.0] * (100 - zeros)})


def test_a_default_point_of_zero_nearly_everywhere_is_told(tmp_path):
    assert silent_point(declare(tmp_path), forecasts(96)).startswith("the median is 0 in 96% of the forecasts: ")


@pytest.mark.parametrize(
    ("changes", "made"),
    [
        ({}, forecasts(89)),
        ({}, forecasts(96, mean=0.0)),
        ({}, forecasts(96).head(0)),
        ({"point": "median"}, forecasts(96)),
        ({"point": "mean"}, forecasts(96)),
        ({"costs": {"under": 3, "over": 1}}, forecasts(96)),
    ],
    ids=["seldom", "nothing sells", "no forecast", "chosen", "mean", "costs"],
)
def test_no_word_where_the_point_says_something_or_was_chosen(tmp_path, changes, made):
    assert silent_point(declare(tmp_path, **changes), made) == ""


def test_evaluate_says_that_the_point_is_silent(tmp_path):
    rows = panel(items=3, odd_days=False)
    rows["sales"] = np.random.default_rng(0).binomial(3, 0.05, len(rows))
    remarks = evaluate(declare(tmp_path, rows, covariates=None), Settings.read({})).remarks
    assert "point: mean says how much is to be expected" in remarks[-1]
    assert "point: mean?" not in " ".join(remarks), "once"


def test_observations_beyond_the_declared_bounds_are_told(tmp_path):
    days = pd.date_range("2024-03-01", periods=3)
    rows = pd.DataFrame({"item_id": "a", "timestamp": days, "target": [5.5, 9.0, -2.0]})
    spec = declare(tmp_path, maximum=8, minimum=0, whole=True, covariates=None)
    assert Remarks.of(spec, rows).sentences() == [
        "3 observations beyond what the spec allows: a on 2024-03-01: 5.5, no whole number, a on 2024-03-02: 9, above "
        "the maximum of 8, a on 2024-03-03: -2, below the minimum of 0. No forecast will be: mend the source, or "
        "minimum, maximum or whole"
    ]


def test_items_without_costs_are_told(tmp_path):
    days = pd.date_range("2024-03-01", periods=2)
    costs = {"dear": 3.0, "free": 0.0, "unknown": np.nan}
    rows = pd.concat(
        [pd.DataFrame({"item_id": name, "timestamp": days, "under": cost}) for name, cost in costs.items()]
    )
    rows = rows.assign(target=1.0)
    spec = declare(tmp_path, covariates={"static": ["under"]}, costs={"under": "under", "over": 1})
    remarks = Remarks.of(spec, rows)
    assert remarks.sentences() == [
        "costs that are missing or not above zero, of 2 items: free, unknown. The point of such an item is its median, "
        "and the metric cost leaves it out: mend the source"
    ]
    parts = [Remarks.of(spec, part) for _, part in rows.groupby("item_id")]
    assert Remarks.together(spec, parts).sentences() == remarks.sentences()
    assert remarks.within(days[0], days[1]).sentences() == []
    same = declare(tmp_path, covariates={"static": ["under"]}, costs={"under": 2, "over": 1})
    assert Remarks.of(same, rows).sentences() == []
