"""Tables on their way to a service and back: no item, time or name is lost or made another's."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.forecasting.data.grid import steps_after
from mlops_assets.jobs.providers.amazon_tables import amazon_stamps, item_metadata, related_series, target_series
from mlops_assets.jobs.providers.exchange import Exchange, as_forecasts, table_of
from mlops_assets.jobs.providers.placeholders import fill
from mlops_assets.jobs.providers.service_errors import WrongAnswerError
from mlops_assets.jobs.providers.spans import span_of

DAYS = st.datetimes(pd.Timestamp("1990-01-01").to_pydatetime(), pd.Timestamp("2060-01-01").to_pydatetime())
NAMES = st.lists(st.text(min_size=1, max_size=70), min_size=1, max_size=6, unique=True)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one, max_size=3))


@given(DAYS, st.sampled_from(["D", "W-SUN", "W-WED", "W-MON", "MS", "ME", "YS", "YE", "h", "15min"]))
def test_each_step_of_ours_is_one_of_amazons(day: Any, frequency: str):
    ours = pd.Series(steps_after(pd.Timestamp(day).normalize(), 60, frequency))
    theirs = amazon_stamps(ours, frequency)
    assert theirs.is_unique
    assert theirs.is_monotonic_increasing
    assert ((theirs <= ours) & (ours - theirs < pd.Timedelta(days=366))).all()
    if frequency.startswith("W"):
        assert set(theirs.dt.weekday) == {0}


@settings(max_examples=20)
@given(NAMES)
def test_covariates_get_names_that_amazon_takes_and_stay_apart(names: list[str]):
    names = [name for name in names if name not in ("item_id", "timestamp", "target")]
    history = pd.DataFrame({"item_id": ["a"], "timestamp": pd.to_datetime(["2026-01-01"]), "target": [1.0]})
    history = history.assign(**dict.fromkeys(names, 1.0))
    for table, schema in (related_series(history, None, names, "D"), item_metadata(history, names)):
        told = [one["AttributeName"] for one in schema]
        assert len(set(told)) == len(told) == len(table.columns)
        assert all(re.fullmatch("[a-zA-Z][a-zA-Z0-9_]{0,62}", name) for name in told)


def test_types_of_attributes_are_those_of_the_columns():
    history = pd.DataFrame({"item_id": [7], "timestamp": pd.to_datetime(["2026-01-01"]), "target": [1], "event": ["x"]})
    assert [one["AttributeType"] for one in target_series(history, "D")[1]] == ["string", "timestamp", "float"]
    assert [one["AttributeType"] for one in related_series(history, None, ["event"], "D")[1]] == [
        "string",
        "timestamp",
        "string",
    ]


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_ids_stay_text_and_times_stay_times_through_the_exchange(tmp_path, name: str):
    rows = pd.DataFrame(
        {
            "item_id": ["007", "NA", "a,b\n", "1e3"],
            "timestamp": pd.to_datetime(["2026-01-01 10:30"] * 4),
            "mean": [1.0, 2.5, 0.1 + 0.2, 1e-300],
            "q97_5": [1.0, 2.0, 3.0, np.nan],
        }
    )
    exchange = Exchange(str(tmp_path))
    exchange.write_table(f"job/{name}", rows)
    back = as_forecasts(exchange.read_table(f"job/{name}"), name)
    pd.testing.assert_frame_equal(back, rows, check_dtype=False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no table of forecasts"),
        (b"\x00\xff\xfe", "no table of forecasts|no column"),
        (b"item_id,timestamp\na,2026-01-01\n", "no column mean or q50"),
        (b"item_id,mean\na,1\n", "no column timestamp"),
        (b"item_id,timestamp,mean\na,soon,1\n", "not times and numbers"),
        (b"item_id,timestamp,mean\na,2026-01-01,many\n", "not times and numbers"),
        (b"<html><body>log in</body></html>", "no column"),
    ],
)
def test_what_is_no_forecast_is_said(content: bytes, message: str):
    with pytest.raises(WrongAnswerError, match=message):
        as_forecasts(table_of(content, "result.csv"), "result.csv")


@given(JSON)
def test_what_is_no_placeholder_stays(value: Any):
    assert fill(value, {"no such name": lambda: 1}) == value


def test_a_placeholder_alone_keeps_its_type_and_within_a_text_becomes_text():
    values = {"horizon": lambda: 7, "name": lambda: "a{horizon}"}
    assert fill({"h": "{horizon}", "t": ["in {horizon}", "{other}", "${horizon}"], "n": "{name}"}, values) == {
        "h": 7,
        "t": ["in 7", "{other}", "${horizon}"],
        "n": "a{horizon}",
    }


@pytest.mark.parametrize(
    ("every", "one", "other"),
    [
        ("day", "2026-03-01", "2026-03-02"),
        ("week", "2026-12-31", "2027-01-04"),
        ("month", "2026-01-31", "2026-02-01"),
    ],
)
def test_a_span_ends_where_the_next_begins(every: Any, one: str, other: str):
    assert span_of(every, pd.Timestamp(one)) != span_of(every, pd.Timestamp(other))
    assert span_of(every, pd.Timestamp(one)) == span_of(every, pd.Timestamp(one) + pd.Timedelta(hours=23))
    assert span_of("week", pd.Timestamp("2026-12-28")) == span_of("week", pd.Timestamp("2027-01-03"))
    assert span_of("never", pd.Timestamp(one)) == span_of("never", pd.Timestamp("2099-01-01"))
