"""From the log to what is published: how quantiles move, how sums are divided, what later rows and locks do."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.adjustments.log import DELTA, FACTOR, LOCK, ORIGIN, UNLOCK, VALUE, WITHDRAW
from mlops_assets.adjustments.rules import adjusted, spread
from mlops_assets_tests.adjustments import frames
from mlops_assets_tests.adjustments.frames import NUMBERS, TASK, log, system

DAY = pd.Timedelta(days=1)
FIRST = frames.ORIGIN + DAY
ONE = {"item_id": "shop 1", "since": FIRST, "until": FIRST}
GROUP = {"item_id": "sum:north", "items": ["shop 0", "shop 2"], "since": FIRST, "until": FIRST + DAY}


def _width(rows: pd.DataFrame) -> np.ndarray:
    return (rows["q90"] - rows["q10"]).to_numpy()


def test_a_factor_multiplies_everything_and_a_delta_shifts_everything() -> None:
    own = system().query("item_id == 'shop 1' and lead == 1")
    made = adjusted(system(), log({**ONE, "kind": FACTOR, "amount": 1.5}), TASK)
    assert len(made) == 1
    np.testing.assert_allclose(made[NUMBERS], own[NUMBERS] * 1.5)
    made = adjusted(system(), log({**ONE, "kind": DELTA, "amount": 3}), TASK)
    np.testing.assert_allclose(made[NUMBERS], own[NUMBERS] + 3)


def test_a_value_is_exactly_where_the_point_lies_and_the_interval_keeps_its_width() -> None:
    own = system().query("item_id == 'shop 1' and lead == 1")
    made = adjusted(system(), log({**ONE, "kind": VALUE, "amount": 120.1}), TASK)
    assert made["q50"].tolist() == [120.1]
    np.testing.assert_allclose(_width(made), _width(own))
    np.testing.assert_allclose(made["mean"] - 120.1, own["mean"] - own["q50"])


@pytest.mark.parametrize(("kind", "amount", "total"), [(VALUE, 90.0, 90.0), (DELTA, 6.0, None)])
def test_a_sum_is_divided_by_the_shares_of_the_system(kind: str, amount: float, total: float | None) -> None:
    made = adjusted(system(), log({**GROUP, "kind": kind, "amount": amount}), TASK)
    own = system()[lambda rows: rows["item_id"].isin(["shop 0", "shop 2"]) & (rows["lead"] <= 2)]
    assert made["item_id"].unique().tolist() == ["shop 0", "shop 2"]
    before, after = own.groupby("timestamp")["mean"].sum(), made.groupby("timestamp")["mean"].sum()
    np.testing.assert_allclose(after, before + amount if total is None else total)
    parts = made.set_index(["timestamp", "item_id"])["mean"] / own.set_index(["timestamp", "item_id"])["mean"]
    assert parts.groupby("timestamp").nunique().max() <= 2
    np.testing.assert_allclose(parts.unstack().std(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(_width(made), _width(own))


def test_nothing_lies_below_zero_or_beyond_what_is_declared() -> None:
    made = adjusted(system(), log({**ONE, "kind": DELTA, "amount": -1e6}), TASK)
    assert (made[NUMBERS] == 0).all(axis=None)
    below = system().assign(q10=-1.0)
    assert (adjusted(below, log({**ONE, "kind": DELTA, "amount": -1e6}), TASK)[NUMBERS] < 0).all(axis=None)
    limits = pd.DataFrame({"low": [np.nan], "high": [20.0]}, index=["shop 1"])
    made = adjusted(system(), log({**ONE, "kind": VALUE, "amount": 50}), TASK, limits=limits)
    assert made[NUMBERS].max(axis=None) == 20.0
    counts = adjusted(system(), log({**ONE, "amount": 1.37}), replace(TASK, whole=True))
    assert (counts[TASK.quantile_columns] % 1 == 0).all(axis=None)


def test_what_a_bound_takes_from_one_item_of_a_sum_the_others_get() -> None:
    limits = pd.DataFrame({"low": [0.0], "high": [9.5]}, index=["shop 0"])
    made = adjusted(system(), log({**GROUP, "kind": VALUE, "amount": 90}), TASK, limits=limits)
    np.testing.assert_allclose(made.groupby("timestamp")["mean"].sum(), 90)
    assert made.query("item_id == 'shop 0'")["mean"].max() <= 9.5


def test_the_later_one_holds_from_the_forecast_of_the_system_on() -> None:
    made = adjusted(system(), log({"amount": 3.0}, {**ONE, "kind": DELTA, "amount": 1}), TASK)
    row = made.query("item_id == 'shop 1' and lead == 1").iloc[0]
    assert row["q50"] == system().query("item_id == 'shop 1' and lead == 1")["q50"].iloc[0] + 1
    assert row["adjustment"] == 2
    assert (made["adjustment"] == 1).sum() == len(system()) - 1


def test_one_of_an_origin_ends_with_it_and_the_others_carry_over_until_their_period_has_passed() -> None:
    later = system(frames.ORIGIN + DAY)
    assert adjusted(later, log({"ends": ORIGIN}), TASK).empty
    assert len(adjusted(later, log({}), TASK)) == len(later)
    assert len(adjusted(later, log({"until": FIRST + 2 * DAY}), TASK)) == 2 * 3
    assert adjusted(later, log({"until": FIRST}), TASK).empty
    assert adjusted(system(frames.ORIGIN - DAY), log({}), TASK).empty, "what was published before stays as it was"


def test_withdrawn_from_then_on_and_not_before() -> None:
    later = frames.ORIGIN + DAY
    told = log({}, {"action": WITHDRAW, "replaces": 1, "origin": later})
    assert len(adjusted(system(), told, TASK)) == len(system())
    assert adjusted(system(later), told, TASK).empty


def test_a_lock_keeps_what_the_origin_before_has_published_until_it_is_lifted() -> None:
    later, lock = frames.ORIGIN + DAY, {**ONE, "action": LOCK, "since": FIRST + DAY, "until": FIRST + 9 * DAY}
    told = log({**ONE, "until": FIRST + DAY}, lock)
    first = adjusted(system(), told, TASK)
    assert first["adjustment"].tolist() == [1, 1]
    held = pd.concat([system(), first]).drop_duplicates(["item_id", "timestamp"], keep="last")
    made = adjusted(system(later, seed=1), told, TASK, held)
    assert made["timestamp"].tolist() == [FIRST + DAY * n for n in (1, 2, 3, 4)], "a fifth day was not published yet"
    assert made["adjustment"].eq(2).all()
    same = held[held["timestamp"].isin(made["timestamp"]) & (held["item_id"] == "shop 1")].sort_values("timestamp")
    np.testing.assert_array_equal(made[NUMBERS], same[NUMBERS])
    lifted = log({**ONE, "until": FIRST + DAY}, lock, {"action": UNLOCK, "replaces": 2, "origin": later})
    assert adjusted(system(later, seed=1), lifted, TASK, held)["adjustment"].tolist() == [1]


amounts = st.one_of(
    st.tuples(st.just(FACTOR), st.floats(0, 100)),
    st.tuples(st.sampled_from([DELTA, VALUE]), st.floats(-1000, 1000)),
)


@settings(max_examples=40)
@given(amounts, st.sampled_from([ONE, GROUP, {}]), st.randoms(use_true_random=False))
def test_quantiles_stay_in_order_and_the_order_of_rows_says_nothing(
    amount: tuple[str, float], about: dict[str, object], random: object
) -> None:
    told = log({**about, "kind": amount[0], "amount": amount[1]})
    rows = system()
    made = adjusted(rows, told, TASK)
    assert (np.diff(made[TASK.quantile_columns], axis=1) >= 0).all()
    shuffled = rows.sample(frac=1, random_state=random.randint(0, 99))  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(adjusted(shuffled, told, TASK), made)
    pd.testing.assert_frame_equal(rows, system())


@settings(max_examples=100)
@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=8),
    st.floats(-1e6, 1e6),
    st.floats(0, 2e6),
)
def test_parts_add_up_wherever_bounds_let_them(mean: list[float], added: float, ceiling: float) -> None:
    parts, low = np.array(mean), np.zeros(len(mean))
    high = np.maximum(parts, ceiling)
    made = parts + spread(parts, added, low, high)
    reached = float(np.clip(parts.sum() + added, low.sum(), high.sum()))
    assert made.sum() == pytest.approx(reached, rel=1e-6, abs=1e-6)
    assert ((made >= low - 1e-9) & (made <= high * (1 + 1e-12) + 1e-9)).all()
