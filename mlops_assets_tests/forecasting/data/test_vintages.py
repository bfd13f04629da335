"""Vintages: every past is told as it was, whatever was revised when, and a killed run loses and doubles nothing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.forecasting.data import vintages
from mlops_assets.forecasting.data.grid import KEY

NOW = pd.Timestamp("2024-03-10 06:00")
HOUR = pd.Timedelta(hours=1)
State = dict[tuple[str, int], float | None]


def frame(state: State) -> pd.DataFrame:
    """Rows of a state, the target of (item, day)."""
    rows = [(item, pd.Timestamp("2024-03-01") + pd.Timedelta(days=day), value) for (item, day), value in state.items()]
    made = pd.DataFrame(rows, columns=[*KEY, "target"]).astype({"target": "float64"})
    return made.astype({"timestamp": "datetime64[us]"}).sort_values(KEY, ignore_index=True)


def stored(state: State, now: pd.Timestamp) -> pd.DataFrame:
    return vintages.known_from(frame(state), now)


states = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 2).map(float))
)
stories = st.lists(st.tuples(states, st.booleans(), st.integers(-1, 2)), min_size=1, max_size=6)


def told(
    story: Sequence[tuple[State, bool, int]],
) -> tuple[list[tuple[pd.Timestamp, State]], pd.DataFrame, pd.DataFrame]:
    """Store one state after the other: what was stored when, the current rows, and the superseded ones.

    A run that dies has kept the superseded rows, and stored no others.
    """
    now, current, kept, seen = NOW, stored(story[0][0], NOW), [], [(NOW, story[0][0])]
    for state, dies, hours in story[1:]:
        now += hours * HOUR
        found = vintages.revise(current, frame(state), now)
        kept.append(found.superseded)
        if not dies:
            current = found.rows
            seen.append((now, state))
    superseded = pd.concat([part for part in kept if len(part)] or [stored({}, NOW).assign(superseded_at=NOW)])
    return seen, current, superseded.reset_index(drop=True)


@given(stories)
def test_every_past_is_told_as_it_was(story: Sequence[tuple[State, bool, int]]) -> None:
    story = [(state, dies, 1 + abs(hours)) for state, dies, hours in story]
    seen, current, superseded = told(story)
    for (moment, state), until in zip(seen, [*(m for m, _ in seen[1:]), seen[-1][0] + HOUR], strict=True):
        for at in (moment, until - pd.Timedelta(microseconds=1)):
            found = vintages.as_of(current, superseded, at)
            pd.testing.assert_frame_equal(found[[*KEY, "target"]], frame(state))
    assert vintages.as_of(current, superseded, NOW - HOUR).empty


@given(stories)
def test_no_version_is_lost_or_doubled_however_the_clock_goes(story: Sequence[tuple[State, bool, int]]) -> None:
    _, current, superseded = told(story)
    versions = vintages.all_versions(current, superseded)
    assert not versions.duplicated([*KEY, "known_at"]).any()
    last = versions[versions["superseded_at"].isna()][[*current.columns]].reset_index(drop=True)
    pd.testing.assert_frame_equal(last, current)


def test_what_says_the_same_is_no_revision() -> None:
    first = stored({("a", 0): 1.0, ("a", 1): None, ("b", 0): 2.0}, NOW)
    found = vintages.revise(first, frame({("b", 0): 3.0, ("a", 0): 1.0, ("a", 1): None}), NOW + HOUR)
    assert found.rows.set_index(KEY)["known_at"].tolist() == [NOW, NOW, NOW + HOUR]
    assert found.superseded[["item_id", "target", "known_at", "superseded_at"]].to_numpy().tolist() == [
        ["b", 2.0, NOW, NOW + HOUR]
    ]


def test_rows_that_do_not_say_since_when_they_are_known_go_on_so() -> None:
    first = stored({("a", 0): 1.0, ("a", 1): 1.0}, NOW).assign(known_at=pd.NaT).astype({"known_at": "datetime64[us]"})
    found = vintages.revise(first, frame({("a", 0): 1.0, ("a", 1): 2.0}), NOW)
    assert found.rows["known_at"].isna().tolist() == [True, False]
    assert found.superseded["known_at"].isna().tolist() == [True]


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (["x", None], ["x", np.nan], [True, True]),
        ([1, 2], [1.0, 2.5], [True, False]),
        (["1", "2"], [1.0, 2.0], [False, False]),
        ([True, False], [1.0, 0.0], [True, True]),
    ],
)
def test_values_are_compared_whatever_their_types(before: list, after: list, same: list[bool]) -> None:
    rows = frame({("a", 0): 1.0, ("a", 1): 1.0})
    found = vintages.revise(vintages.known_from(rows.assign(x=before), NOW), rows.assign(x=after), NOW + HOUR)
    assert (found.rows["known_at"] == NOW).tolist() == same


def test_a_covariate_that_was_declared_later_was_not_revised() -> None:
    rows = frame({("a", 0): 1.0})
    found = vintages.revise(vintages.known_from(rows, NOW), rows.assign(rain=0.5), NOW + HOUR)
    assert found.rows["known_at"].tolist() == [NOW]
    assert found.superseded.empty


def test_a_row_stands_for_the_one_before_it_that_meant_something_else() -> None:
    current = stored({("a", 0): 9.0, ("a", 1): 8.0}, NOW + HOUR)
    other = stored({("a", 0): 1.0}, NOW).assign(superseded_at=NOW + HOUR)
    moved, _ = vintages.in_place_of(current, other.iloc[:0], other)
    assert moved["known_at"].tolist() == [NOW, NOW + HOUR]
    again = stored({("a", 0): 10.0}, NOW + 2 * HOUR)
    moved, before = vintages.in_place_of(again, current.assign(superseded_at=NOW + 2 * HOUR), other)
    assert moved["known_at"].tolist() == [NOW + 2 * HOUR]
    assert before["known_at"].tolist() == [NOW, NOW + HOUR]
