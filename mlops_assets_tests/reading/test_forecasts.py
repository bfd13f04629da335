"""Forecasts as readers see them: the latest of each item and time, of an origin, as of a moment."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.catalog.names import PUBLISHED_FORECASTS
from mlops_assets.reading.questions import QuestionError, TooEarlyError, UnknownItemError, UnknownOriginError
from mlops_assets_tests.reading.stored import store

ROWS = ["item_id", "timestamp", "origin"]


def test_without_a_time_it_is_what_the_latest_origin_looks_ahead_to(stored):
    found = stored.reader.forecasts()
    assert len(found) == 3 * 7
    assert set(found["origin"]) == {stored.days[-1]}
    assert list(found) == [
        "item_id", "origin", "timestamp", "lead", "mean", "q10", "q50", "q90", "naive", "source", "model_version",
        "created_at", "adjustment",
    ]  # fmt: skip
    assert found.equals(found.sort_values(ROWS, ignore_index=True))
    assert found["adjustment"].isna().all()


def test_within_a_time_each_item_and_timestamp_has_its_latest_origin(stored):
    found = stored.reader.forecasts("shop 1", start="2024-03-05", end="2024-03-15")
    assert len(found) == 11
    assert (found["origin"] == found["timestamp"].sub(pd.Timedelta(days=1)).clip(upper=stored.days[-1])).all()


def test_an_item_that_the_latest_origin_lacks_has_the_one_before(tmp_path):
    made = store(tmp_path, rounds=3)
    made.forecast(made.days[2], ids=["shop 0"])
    for items in (None, ["shop 0", "shop 1", "shop 2"]):
        found = made.reader.forecasts(items)
        origins = found.groupby("item_id")["origin"].agg(["min", "max", "size"])
        assert origins.loc["shop 0"].tolist() == [made.days[2], made.days[2], 7]
        assert origins.loc["shop 1"].tolist() == [made.days[1], made.days[1], 6]


def test_of_one_origin_of_all_and_of_some_leads(stored):
    reader = stored.reader
    assert set(reader.forecasts(origin="2024-03-04")["origin"]) == {pd.Timestamp("2024-03-04")}
    assert reader.forecasts(origin="latest").equals(reader.forecasts())
    assert len(reader.forecasts("shop 1", origin="all")) == 12 * 7
    assert len(reader.forecasts("shop 1", origin="all", end="2024-03-03")) == 2 + 1
    seven = reader.forecasts("shop 1", start="2024-03-10", end="2024-03-12", leads=7)
    assert seven["origin"].tolist() == [*pd.date_range("2024-03-03", "2024-03-05")]


@pytest.mark.parametrize("leads", ["7", [1, "7"], 2.5])
def test_leads_are_whole_numbers(stored, leads):
    with pytest.raises(QuestionError, match="not whole numbers of steps; such as 7") as error:
        stored.reader.forecasts(leads=leads)
    assert error.value.parameter == "leads"


def test_an_origin_that_is_none_comes_with_the_nearest(stored):
    with pytest.raises(UnknownOriginError, match="nearest are 2024-03-12"):
        stored.reader.forecasts(origin="2024-04-30")
    with pytest.raises(QuestionError, match="origin='soon' is not a timestamp"):
        stored.reader.forecasts(origin="soon")
    with pytest.raises(QuestionError, match="end=2024-01-01 lies before start=2024-02-01"):
        stored.reader.forecasts(start="2024-02-01", end="2024-01-01")
    with pytest.raises(QuestionError, match="still to come"):
        stored.reader.forecasts(as_of="2030-01-01")


def test_before_the_first_forecast_there_is_nothing_to_tell(stored):
    with pytest.raises(TooEarlyError, match="first forecast was made on 2024-03-02 06:00 UTC"):
        stored.reader.forecasts(as_of="2024-03-02T05:00")


@pytest.mark.parametrize("item", ["shop 4", "", "a/b'\"", "😀", "x" * 10_000])
def test_an_item_that_is_none_comes_with_the_nearest(stored, item):
    with pytest.raises(UnknownItemError, match="shop 0") as error:
        stored.reader.forecasts(["shop 1", item])
    assert len(str(error.value)) < 300
    with pytest.raises(UnknownItemError, match="shop 0"):
        stored.reader.observations(item)


def test_an_item_without_forecasts_in_a_time_has_no_rows(stored):
    assert stored.reader.forecasts("shop 1", start="2023-01-01", end="2023-02-01").empty
    assert stored.reader.observations("shop 1", start="2025-01-01").empty


@settings(max_examples=25)
@given(hours=st.integers(30, 12 * 24), bounded=st.booleans())
def test_as_of_shows_nothing_that_was_made_later(stored, hours, bounded):
    moment = stored.days[0] + pd.Timedelta(hours=hours)
    start = stored.days[2] if bounded else None
    found = stored.reader.forecasts(start=start, as_of=moment.isoformat())
    assert (found["created_at"] <= moment).all()
    every = stored.reader.forecasts(start=start, origin="all")
    known = every[every["created_at"] <= moment]
    if not bounded and len(known):
        known = known[known["timestamp"] > known["origin"].max()]
    latest = known.sort_values("origin").drop_duplicates(["item_id", "timestamp"], keep="last")
    assert found[ROWS].equals(latest.sort_values(ROWS, ignore_index=True)[ROWS])


@settings(max_examples=25)
@given(
    some=st.lists(st.sampled_from(["shop 0", "shop 1", "shop 2"]), unique=True, min_size=1, max_size=2),
    start=st.sampled_from([None, "2024-03-03", "2024-03-14"]),
    origin=st.sampled_from([None, "all", "latest", "2024-03-06"]),
)
def test_the_answer_for_some_items_is_that_of_each(stored, some, start, origin):
    together = stored.reader.forecasts(some, start=start, origin=origin)
    alone = [stored.reader.forecasts(item, start=start, origin=origin) for item in sorted(some)]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True))


def test_a_service_that_answered_later_has_not_been_delivered_before(tmp_path):
    made = store(tmp_path, rounds=2)
    day = made.days[1]
    ours = made.forecast(day, role="shadow")
    late = day + pd.Timedelta(hours=40)
    theirs = ours.assign(source="cloud", job_key="job", role="delivered", created_at=late, mean=1.0)
    made.write("forecasts", day, pd.concat([ours, theirs]))
    assert set(made.reader.forecasts()["source"]) == {"cloud"}
    assert set(made.reader.forecasts(as_of=day + pd.Timedelta(hours=35))["source"]) == {"champion"}
    both = made.reader.forecasts("shop 1", role="shadow")
    assert both["source"].tolist() == ["champion", "cloud"] * 7
    assert set(both["role"]) == {"delivered", "shadow"}


@settings(max_examples=15)
@given(
    rows=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 20)), unique=True, max_size=8),
    origin=st.sampled_from([None, "all", "2024-03-05"]),
    start=st.sampled_from([None, "2024-03-04"]),
)
def test_what_people_change_never_changes_the_systems_forecast(stored, rows, origin, start):
    reader = stored.reader
    system = reader.forecasts(start=start, origin=origin, version="system")
    key = ["demo", PUBLISHED_FORECASTS]
    try:
        for place in sorted({place for place, _ in rows}):
            day = stored.days[place]
            made = stored.tables.read(["demo", "forecasts"], [f"{day:%Y-%m-%d}"])
            changed = made.iloc[[row for at, row in rows if at == place]].assign(mean=-1.0, adjustment=1)
            stored.write(PUBLISHED_FORECASTS, day, changed.assign(published_at=day, superseded_at=pd.NaT))
        assert reader.forecasts(start=start, origin=origin, version="system").equals(system)
        published = reader.forecasts(start=start, origin=origin)
        same = published["adjustment"].isna()
        assert published[same].equals(system[same])
        assert (published.loc[~same, "mean"] == -1.0).all()
        if origin == "all" and start is None:
            assert (~same).sum() == len(rows)
    finally:
        stored.tables.delete(key)
