"""Rows that come batch by batch are judged as if they had come together."""

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import pairwise

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given, settings

from mlops_assets.forecasting.data.contract import ROW_SOURCE, Checked, Contract, check, check_batches
from mlops_assets.forecasting.data.numbers import NumberFormat
from mlops_assets_tests.forecasting.data.rows import DAILY, GOOD, MARCH, NOW, RICH, table
from mlops_assets_tests.forecasting.data.test_contract import raw_tables

CONTRACTS = {
    "rich": RICH,
    "hours": replace(RICH, frequency="h", time_zone="America/New_York", timestamp_floor=True),
    "sums": replace(RICH, aggregate="sum", latest_wins=False, timestamp_floor=True),
    "last": replace(RICH, aggregate="last", timestamp_floor=True),
    "latest": replace(RICH, latest_wins=True, future="ignore"),
    "commas": replace(RICH, numbers=NumberFormat(decimal=",", na_values=("1",))),
}


def assert_same(pieces: list[pd.DataFrame], contract: Contract, exact: bool = False) -> Checked:
    """Hold batches against the contract, one by one and together."""
    reads = []

    def read() -> Iterator[pd.DataFrame]:
        reads.append(1)
        return iter([piece.copy() for piece in pieces])

    whole = check(pd.concat(pieces, ignore_index=True), contract, MARCH, NOW, exact)
    found = check_batches(read, contract, MARCH, NOW, exact)
    for one in fields(Checked):
        mine, other = getattr(found, one.name), getattr(whole, one.name)
        if isinstance(other, pd.DataFrame | pd.Series):
            (pd.testing.assert_frame_equal if isinstance(other, pd.DataFrame) else pd.testing.assert_series_equal)(
                mine, other
            )
        else:
            assert mine == other, one.name
    assert len(reads) <= 2
    return found


@settings(max_examples=60)
@given(
    raw_tables(),
    st.lists(st.integers(0, 12), max_size=3),
    st.sampled_from(sorted(CONTRACTS)),
    st.booleans(),
    st.booleans(),
)
def test_rows_of_every_kind_are_judged_as_if_they_had_come_together(
    raw: pd.DataFrame, cuts: list[int], name: str, by_file: bool, exact: bool
):
    raw = raw.astype(dict.fromkeys(GOOD, object))
    edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    pieces = [raw.iloc[a:b].reset_index(drop=True) for a, b in pairwise(edges) if a < b] or [raw]
    if by_file:
        pieces = [piece.assign(**{ROW_SOURCE: f"{n}.csv"}) for n, piece in enumerate(pieces)]
    assert_same(pieces, CONTRACTS[name], exact)


def test_numbers_of_another_writing_in_a_later_batch_are_read_as_its_file_is_written():
    plain, comma = (
        table(item=["a", "b"], day="2024-03-05", sales=values).assign(**{ROW_SOURCE: file})
        for file, values in (("a.csv", ["1.5", "x"]), ("b.csv", ["1,5", "2.345,5"]))
    )
    comma["day"] = "2024-03-06"
    found = assert_same([plain, comma], DAILY)
    assert found.accepted["target"].tolist() == [1.5, 1.5, 2345.5]
    assert found.notes == ["column sales: read with decimal ',' and thousands '.', such as '1,5' in b.csv"]


def test_rows_that_contradict_a_batch_before_are_quarantined_as_they_were_read():
    first, second = (
        table(item="a", day=["2024-03-05", day], sales=[sales, "3"])
        for day, sales in (("2024-03-06", "1"), ("2024-03-07", "2"))
    )
    found = assert_same([first, second], DAILY)
    assert found.reasons == {"conflicting_duplicate": 2}
    assert found.quarantined["record"].tolist() == [
        '{"item": "a", "day": "2024-03-05", "sales": "1"}',
        '{"item": "a", "day": "2024-03-05", "sales": "2"}',
    ]


@pytest.mark.parametrize("sales", [[1.5, None], [None, None], [True, False], ["3", "x4"], [2**60, 1]])
def test_a_column_whose_type_differs_from_batch_to_batch_is_shown_as_it_is_in_the_whole(sales: list):
    whole = table(item=["a", None], day=["2024-03-05", "2024-03-06"], sales=pd.Series([3, 4]))
    other = table(item=["b", None], day=["2024-03-05", "2024-03-06"], sales=pd.Series(sales))
    assert_same([whole, other, whole.assign(item=["c", None])], DAILY)
