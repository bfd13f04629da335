"""The published forecast beside the system's: nothing is overwritten, and each moment has its own."""

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.adjustments import publish
from mlops_assets.adjustments.log import WITHDRAW
from mlops_assets.adjustments.published import in_force, revised
from mlops_assets.adjustments.rules import adjusted
from mlops_assets_tests.adjustments.frames import NUMBERS, TASK, log, system

MOMENTS = pd.date_range("2024-05-11 08:00", periods=4, freq="h")
NOTHING = revised(pd.DataFrame(), adjusted(system(), log(), TASK), MOMENTS[0])


def test_without_adjustments_it_is_the_forecast_of_the_system() -> None:
    made = publish(system(), NOTHING)
    pd.testing.assert_frame_equal(made.drop(columns="adjustment"), system())
    assert made["adjustment"].isna().all()


def test_each_moment_has_what_was_published_then_and_a_withdrawal_restores() -> None:
    told = log({"amount": 2}, {"amount": 3, "item_id": "shop 0"}, {"action": WITHDRAW, "replaces": 1})
    stored = NOTHING
    for number in range(3):
        stored = revised(stored, adjusted(system(), told.iloc[: number + 1], TASK), MOMENTS[number + 1])
    factors = [[1, 1, 1], [2, 2, 2], [3, 2, 2], [3, 1, 1]]
    first = system().drop_duplicates("item_id")["q50"]
    for moment, expected in zip(MOMENTS, factors, strict=True):
        made = publish(system(), stored, moment).drop_duplicates("item_id")
        assert (made["q50"] / first).round(9).tolist() == expected
    made = publish(system(), stored).drop_duplicates("item_id")
    assert made["adjustment"].fillna(0).tolist() == [2, 0, 0]
    assert len(in_force(stored)) == 5


def test_nothing_new_leaves_the_table_as_it_is() -> None:
    made = adjusted(system(), log({}), TASK)
    stored = revised(NOTHING, made, MOMENTS[1])
    pd.testing.assert_frame_equal(revised(stored, made, MOMENTS[2]), stored)


def test_the_rows_of_a_shadow_stay_as_they_are() -> None:
    both = pd.concat([system().assign(role="delivered"), system().assign(role="shadow")], ignore_index=True)
    stored = revised(NOTHING, adjusted(system(), log({}), TASK), MOMENTS[0])
    made = publish(both, stored)
    pd.testing.assert_frame_equal(made[NUMBERS].iloc[15:], both[NUMBERS].iloc[15:])
    assert (made["q50"].iloc[:15] > both["q50"].iloc[:15]).all()


@settings(max_examples=20)
@given(st.integers(0, 99), st.floats(0, 5))
def test_the_order_of_rows_says_nothing_and_the_system_stays_as_it_was(seed: int, factor: float) -> None:
    frame, stored = system(), revised(NOTHING, adjusted(system(), log({"amount": factor}), TASK), MOMENTS[0])
    made = publish(frame.sample(frac=1, random_state=seed), stored.sample(frac=1, random_state=seed))
    pd.testing.assert_frame_equal(made.sort_index(), publish(frame, stored))
    pd.testing.assert_frame_equal(frame, system())
