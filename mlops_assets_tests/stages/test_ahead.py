"""Known covariates over the horizon: what is missing is counted where it is news, and taken as the spec says."""

import pandas as pd
import pytest

from mlops_assets.catalog.graph import Graph
from mlops_assets.errors import DataError
from mlops_assets.stages import ahead, train
from mlops_assets.stages.predict import Maker
from mlops_assets.tracking.registry import Version
from mlops_assets_tests.stages.origins import forecast
from mlops_assets_tests.worlds import declare, panel, portable

KEY, ORIGIN = "2024-05-10", pd.Timestamp("2024-05-10")
VERSION = Version("demo", 1, "run", {"trained_until": "2024-05-10 00:00:00"})


def graph_of(folder, policy: str) -> Graph:
    return Graph(declare(folder, covariates={"known": ["promo"], "missing_future": policy}, horizon=4))


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    rows = panel(items=2).rename(columns={"day": "timestamp", "shop": "item_id", "sales": "target"})
    rows["promo"] = (rows["timestamp"].dt.day % 5 == 0).astype(float)
    rows["target"] *= 1 + rows["promo"]
    return rows


@pytest.fixture(scope="module")
def forecaster(history, tmp_path_factory):
    graph = graph_of(tmp_path_factory.mktemp("ahead"), "warn")
    return train.fit(train.training_set(graph, history, KEY), train.Fitting(graph.spec.task))[0]


def future_of(history: pd.DataFrame, days: int) -> pd.DataFrame:
    """The known covariates of both items, for so many days after the origin; of one, a day less."""
    rows = history[(history["timestamp"] > ORIGIN) & (history["timestamp"] <= ORIGIN + pd.Timedelta(days=days))]
    rows = rows[~((rows["item_id"] == "shop 0") & (rows["timestamp"] == ORIGIN + pd.Timedelta(days=days)))]
    return rows[["item_id", "timestamp", "promo"]]


def test_an_end_within_the_horizon_is_counted_and_said_in_one_line(history, forecaster, tmp_path):
    made = forecast(
        graph_of(tmp_path, "warn"), KEY, history, future_of(history, 2), Maker(portable(forecaster), VERSION)
    )
    assert made.warnings == [
        "origin 2024-05-10: known covariates are missing over the horizon: promo in 5 of 8 rows from 2024-05-12 on. "
        "Load them and run again, or set covariates.missing_future: last"
    ]
    assert made.missing_ahead is not None
    assert made.missing_ahead["missing"].tolist() == [5]


def test_a_future_without_any_is_said_once(history, forecaster, tmp_path):
    made = forecast(
        graph_of(tmp_path, "warn"), KEY, history, future_of(history, 0), Maker(portable(forecaster), VERSION)
    )
    assert [words.count("missing") for words in made.warnings] == [2], "in one line: that, and what to set"
    assert "promo in 8 of 8 rows from 2024-05-11 on" in made.warnings[0]


def test_a_future_that_is_there_is_no_news(history, forecaster, tmp_path):
    whole = pd.concat([future_of(history, 4), future_of(history, 5)]).drop_duplicates(["item_id", "timestamp"])
    made = forecast(graph_of(tmp_path, "warn"), KEY, history, whole, Maker(portable(forecaster), VERSION))
    assert made.warnings == []
    assert made.missing_ahead is not None
    assert made.missing_ahead.empty


def test_what_is_missing_as_often_as_ever_is_no_news(history, tmp_path):
    spec = graph_of(tmp_path, "warn").spec
    sparse = history.assign(promo=history["promo"].where(history["promo"] == 1))  # a blank means none
    future = future_of(sparse, 5)
    expected = future[["item_id", "timestamp"]]
    assert ahead.missing_ahead(spec, sparse, future, expected).empty
    assert ahead.missing_ahead(spec, history, future, expected)["missing"].tolist() == [8]


def test_an_error_where_the_spec_calls_it_one(history, forecaster, tmp_path):
    with pytest.raises(DataError, match=r"demo: .* promo in 5 of 8 rows from 2024-05-12 on\. Load them and run again"):
        forecast(graph_of(tmp_path, "error"), KEY, history, future_of(history, 2), Maker(portable(forecaster), VERSION))


def test_the_last_known_value_goes_on_where_the_spec_says_so(history, forecaster, tmp_path):
    spec = graph_of(tmp_path, "last").spec
    past, future = history[history["timestamp"] <= ORIGIN], future_of(history, 2)
    future.loc[future["item_id"] == "shop 1", "promo"] = [0.0, 7.0]
    filled = ahead.future_of(spec, past, future, ORIGIN)
    assert filled is not None
    by_item = filled.sort_values(["item_id", "timestamp"]).groupby("item_id")["promo"].agg(list)
    assert by_item.to_dict() == {"shop 0": [0.0] * 4, "shop 1": [0.0, 7.0, 7.0, 7.0]}
    made = forecast(graph_of(tmp_path, "last"), KEY, history, future, Maker(portable(forecaster), VERSION))
    told = forecast(graph_of(tmp_path, "warn"), KEY, history, filled, Maker(portable(forecaster), VERSION))
    pd.testing.assert_frame_equal(made.rows, told.rows)
    assert made.warnings == []


def test_the_newest_values_may_come_late_but_a_feed_that_has_stopped_is_said(history, tmp_path):
    graph = Graph(declare(tmp_path, covariates={"past": ["rain"]}, horizon=4))
    forecaster = train.fit(train.training_set(graph, history, KEY), train.Fitting(graph.spec.task))[0]
    late = history.assign(rain=history["rain"].where(history["timestamp"] < ORIGIN))
    made = forecast(graph, KEY, late, None, Maker(portable(forecaster), VERSION))
    assert (made.warnings, made.late) == ([], ["rain"])
    stopped = history.assign(rain=history["rain"].where(history["timestamp"] < "2024-05-04"))
    made = forecast(graph, KEY, stopped, None, Maker(portable(forecaster), VERSION))
    assert made.warnings == [
        "origin 2024-05-10: the past covariate 'rain' is missing in every row. Mend the source, or train again: "
        "mlops-assets run demo --retrain"
    ]
    assert made.late == []


@pytest.mark.parametrize(
    ("policy", "todo"),
    [
        ("warn", "Load them and run again, or set covariates.missing_future: last"),
        ("error", "Load them; until then nothing is forecast, as covariates.missing_future: error says"),
        ("last", "The last known values go on, as covariates.missing_future: last says"),
    ],
)
def test_the_items_that_lack_it_are_named_and_what_is_done_is_what_the_spec_says(history, tmp_path, policy, todo):
    spec = graph_of(tmp_path, policy).spec
    expected = future_of(history, 5)[["item_id", "timestamp"]]
    one = future_of(history, 5).query("item_id == 'shop 1'")
    missing = ahead.missing_ahead(spec, history, one, expected)
    assert ahead.warning(missing, spec) == (
        "known covariates are missing over the horizon: promo in 4 of 9 rows from 2024-05-11 on (of shop 0). " + todo
    )


def with_fair(folder, **fields) -> Graph:
    (folder / "fairs.csv").write_text("date\n2024-04-01\n2024-04-20\n2024-05-12\n")
    return Graph(declare(folder, calendars=[{"name": "fair", "path": "fairs.csv"}], horizon=4, **fields))


def test_a_calendar_that_ends_within_the_horizon_is_told(history, tmp_path):
    graph = with_fair(tmp_path)
    seen = train.history_of(graph.spec, history)
    model = train.fit(train.training_set(graph, seen, KEY), train.Fitting(graph.spec.task))[0]
    made = forecast(graph, KEY, seen, None, Maker(portable(model), VERSION))
    assert made.warnings == [
        "origin 2024-05-10: calendars end within the horizon: fair in 4 of 8 rows from 2024-05-13 on. "
        "Add the later events, or say until which day there are none (calendars.until)"
    ]


def test_a_calendar_goes_on_where_a_covariate_does_and_not_beyond_its_end(history, tmp_path):
    covariates = {"known": ["promo"], "missing_future": "last"}
    spec = with_fair(tmp_path, covariates=covariates).spec
    seen = train.history_of(spec, history[history["timestamp"] <= ORIGIN])
    given = ahead.future_of(spec, seen, future_of(history, 1), ORIGIN)
    assert given is not None
    rows = given[given["item_id"] == "shop 1"]
    assert rows["promo"].tolist() == [0.0] * 4, "known of a day, then going on"
    assert rows["fair"].isna().tolist() == [False, False, True, True]
    assert rows["fair"].tolist()[:2] == [0, 1]


def test_events_are_known_of_days_without_a_row(history, tmp_path):
    spec = with_fair(tmp_path, fill="zero", covariates={"past": ["rain"]}).spec
    closed = history[~((history["timestamp"] == "2024-04-20") & (history["item_id"] == "shop 0"))]
    days = train.history_of(spec, closed).set_index(["item_id", "timestamp"])
    assert days.loc[("shop 0", pd.Timestamp("2024-04-20")), ["target", "fair"]].tolist() == [0, 1]
