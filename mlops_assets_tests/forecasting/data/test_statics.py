"""Which items have changed a static covariate, and since when."""

import pandas as pd

from mlops_assets.forecasting.data.statics import changes, sentence

DAYS = pd.date_range("2024-01-01", periods=4, unit="us")
FRAME = pd.DataFrame(
    {
        "item_id": ["a"] * 4 + ["b"] * 4 + ["c"] * 4,
        "timestamp": [*DAYS] * 3,
        "region": ["north", "north", "south", "south", None, "east", None, "east", "w", "x", "w", None],
        "brand": "own",
    }
)


def test_a_change_is_one_whatever_the_order_of_rows_and_a_gap_is_none():
    found = changes(FRAME.sample(frac=1, random_state=3), ["region", "brand"])
    assert found.to_numpy().tolist() == [
        ["c", DAYS[1], "region", "w", "x"],
        ["a", DAYS[2], "region", "north", "south"],
        ["c", DAYS[2], "region", "x", "w"],
    ]
    assert sentence(found, 1) == "region of c was w and is x from 2024-01-02 on and 2 more"


def test_without_covariates_or_rows_nothing_has_changed():
    assert changes(FRAME, []).empty
    assert changes(FRAME.iloc[:0], ["region"]).empty
    assert sentence(changes(FRAME, ["brand"])) == ""
