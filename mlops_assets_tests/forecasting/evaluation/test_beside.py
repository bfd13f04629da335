"""A service beside our model: only what both have forecast, and neither of them helped by what the other lacks."""

import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.beside import OURS, paired, scored
from mlops_assets_tests.forecasting.evaluation.test_ledger import TASK, actuals, forecasts, matched


def test_both_are_scored_on_the_pairs_that_both_have_made() -> None:
    ours = forecasts().assign(role="delivered", job_key="")
    theirs = ours.assign(source="rest", role="shadow", job_key="k", model_version=0, q50=ours["q50"] + 3)
    theirs = theirs[(theirs["item_id"] != "i8") & (theirs["lead"] < 3)]
    ours = ours[ours["item_id"] != "i0"]
    rows = matched(pd.concat([ours, theirs]), actuals("2024-01-05"))
    both = paired(rows)
    assert set(both["item_id"]) == {f"i{number}" for number in range(1, 8)}
    assert both["lead"].max() == 2
    found = scored(both, TASK).set_index("model")
    assert found["rows"].nunique() == 1
    assert found["rows"].iloc[0] == len(both) / 2
    assert found.loc["rest", "mase"] > found.loc[OURS, "mase"] + 1
    assert found.loc["rest", "naive_mase"] == found.loc[OURS, "naive_mase"], "the same rows, the same yardstick"


def test_whom_a_service_is_compared_with_does_not_depend_on_who_is_delivered() -> None:
    ours = forecasts().assign(role="shadow", job_key="")
    theirs = ours.assign(source="rest", role="delivered", job_key="k", model_version=0, q50=ours["q50"] + 3)
    rows = matched(pd.concat([ours, theirs]), actuals("2024-01-05"))
    found = scored(paired(rows), TASK).set_index("model")
    assert found.loc[OURS, "mase"] == pytest.approx(ledger.summary(ledger.own(rows), TASK)["mase"])


def test_without_a_service_there_is_nothing_to_compare() -> None:
    assert scored(paired(matched(forecasts(), actuals("2024-01-05"))), TASK).empty
