"""Matched forecasts and what is told of them: nothing twice, nothing lost, the past of the scores kept."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation import ledger
from mlops_assets.forecasting.evaluation.metrics import score
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.model.task import Task

TASK = Task("D", 3, (7,))
NOW = pd.Timestamp("2024-01-10")


def forecasts(origins: int = 4, items: int = 9, horizon: int = 3) -> pd.DataFrame:
    """A ledger: daily origins from 2024-01-01, the same items, made with one model each two origins."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(origins):
        origin = pd.Timestamp("2024-01-01") + pd.Timedelta(days=number)
        for item in range(items):
            for lead in range(1, horizon + 1):
                point = 10.0 * (item + 1) + rng.normal()
                rows.append((f"i{item}", origin, origin + pd.Timedelta(days=lead), lead, point, 1 + number // 2))
    frame = pd.DataFrame(rows, columns=["item_id", "origin", "timestamp", "lead", "q50", "model_version"])
    frame[["q10", "q90", "mean"]] = np.column_stack([frame["q50"] - 1, frame["q50"] + 1, frame["q50"]])
    frame["naive"] = frame["q50"] + 2
    return frame.assign(mase_scale=1.0, rmsse_scale=1.0, source="champion", trained_until=pd.Timestamp("2023-12-31"))


def actuals(until: str, items: int = 9) -> pd.DataFrame:
    days = pd.date_range("2024-01-02", until)
    return pd.DataFrame(
        [(f"i{item}", day, 10.0 * (item + 1)) for item in range(items) for day in days],
        columns=["item_id", "timestamp", "target"],
    )


def matched(made: pd.DataFrame, came: pd.DataFrame) -> pd.DataFrame:
    return ledger.match(made, came, TASK, zero=False)


def test_every_forecast_with_an_actual_is_matched_once_and_the_error_is_forecast_minus_actual():
    rows = matched(forecasts(), actuals("2024-01-05"))
    assert len(rows) == 9 * (3 + 3 + 2 + 1)
    assert not rows.duplicated(["item_id", "origin", "timestamp"]).any()
    assert np.allclose(rows["error"], rows["q50"] - rows["target"])


def test_half_a_horizon_is_counted_as_half_and_what_is_awaited_is_said():
    end = pd.Timestamp("2024-01-05")  # the day itself is still awaited
    made, came = forecasts(), actuals("2024-01-04")
    came = came[~((came["item_id"] == "i0") & (came["timestamp"] == "2024-01-04"))]
    found = ledger.vintages(made, matched(made, came), TASK, end).set_index("origin")
    assert list(found.index) == sorted(found.index, reverse=True)
    assert found["complete"].tolist() == [False, False, False, True]
    assert found["awaited"].tolist() == [27, 18, 9, 0]
    assert found["missing"].tolist() == [0, 1, 1, 1]
    assert (found["scored"] + found["missing"] + found["awaited"] == found["forecasts"]).all()
    assert np.isnan(found["mase"].iloc[0])
    assert found["mase"].iloc[1:].notna().all()
    by_lead = ledger.leads(made, matched(made, came), TASK, end)
    assert by_lead["lead"].tolist() == ["1", "2", "3"]
    assert by_lead["awaited"].tolist() == [9, 18, 27]


def test_many_leads_are_told_in_bands():
    names = ledger.bands(168)
    assert len(set(names.values())) <= ledger.MOST_LEADS
    assert (names[1], names[6], names[7], names[168]) == ("1–6", "1–6", "7–12", "163–168")
    assert list(ledger.bands(14).values()) == [str(lead) for lead in range(1, 15)]


def test_each_scope_splits_the_same_rows():
    rows = matched(forecasts(), actuals("2024-01-05"))
    found = ledger.scores(rows, TASK, segments(rows))
    assert set(found["scope"]) == set(ledger.SCOPES)
    assert (found.groupby("scope")["rows"].sum() == len(rows)).all()
    whole = found[found["scope"] == "all"].iloc[0]
    assert whole["wql"] == score(rows, TASK)["wql"].iloc[0]
    assert whole["skill"] == pytest.approx(1 - whole["mase"] / whole["naive_mase"])
    assert whole["skill"] > 0


def test_a_static_covariate_makes_segments_beside_the_volumes():
    rows = matched(forecasts(), actuals("2024-01-05"))
    static = pd.DataFrame(
        {"item_id": [f"i{n}" for n in range(9)], "timestamp": pd.Timestamp("2024-01-05"), "kind": list("aabbbcccc")}
    )
    names = set(segments(rows, static)["segment"])
    assert names == {"kind=a", "kind=b", "kind=c", "low volume", "middle volume", "high volume"}


def test_scores_are_revised_only_when_something_has_changed():
    made = forecasts()
    rows = matched(made, actuals("2024-01-05"))
    first = ledger.revised(None, ledger.scores(rows, TASK, segments(rows)), NOW)
    assert first is not None
    assert ledger.revised(first, ledger.scores(rows, TASK, segments(rows)), NOW) is None
    corrected = actuals("2024-01-05").assign(target=lambda frame: frame["target"] * 1.5)
    new = matched(made, corrected)
    second = ledger.revised(first, ledger.scores(new, TASK, segments(new)), NOW + pd.Timedelta(days=1))
    assert second is not None
    assert second["revision"].unique().tolist() == [1, 2]
    pd.testing.assert_frame_equal(second[second["revision"] == 1], first)
    assert second.groupby("revision")["rows"].sum().nunique() == 1


def test_what_was_made_beside_the_forecast_changes_no_score():
    ours, came = forecasts(), actuals("2024-01-05")
    service = ours.assign(q50=ours["q50"] + 5, model_version=0, source="service", role="shadow", job_key="k")
    alone, both = matched(ours, came), matched(pd.concat([ours.assign(role="delivered", job_key=""), service]), came)
    assert len(both) == 2 * len(alone)
    pd.testing.assert_frame_equal(
        ledger.scores(both, TASK, segments(alone)), ledger.scores(alone, TASK, segments(alone))
    )


def test_a_service_that_is_delivered_is_the_score_and_our_versions_are_scored_on():
    ours, came = forecasts().assign(role="shadow", job_key=""), actuals("2024-01-05")
    service = ours.assign(q50=ours["q50"] + 5, model_version=0, source="service", role="delivered", job_key="k")
    rows = matched(pd.concat([ours, service]), came)
    found = ledger.scores(rows, TASK, segments(ledger.delivered(rows))).set_index(["scope", "value"])
    assert found.loc[("all", ""), "mase"] > found.loc[("version", "1"), "mase"] + 0.5
    assert {value for scope, value in found.index if scope == "version"} == {"1", "2"}


def test_no_forecast_that_counts_is_a_row_that_says_so():
    seen = forecasts().assign(trained_until=NOW)
    rows = matched(seen, actuals("2024-01-05"))
    assert rows["in_sample"].all()
    found = ledger.scores(ledger.honest(rows), TASK, segments(rows))
    assert found[["scope", "rows"]].to_numpy().tolist() == [["all", 0]]
    vintages = ledger.vintages(seen, rows, TASK, pd.Timestamp("2024-01-06"))
    assert vintages["mase"].isna().all()
    assert (vintages["scored"] > 0).all()


def test_the_worst_items_are_those_whose_errors_weigh_most():
    made = forecasts()
    made.loc[made["item_id"] == "i7", "q50"] += 30
    rows = matched(made, actuals("2024-01-05"))
    worst = ledger.worst_items(rows, TASK, 3)
    assert worst["item_id"].iloc[0] == "i7"
    assert len(worst) == 3
    assert worst["share_of_error"].is_monotonic_decreasing
    assert worst["share_of_error"].sum() < 1


def test_an_item_that_could_not_be_forecast_is_not_among_the_worst():
    made = forecasts(items=3)
    made.loc[made["item_id"] == "i1", ["q10", "q50", "q90", "mean"]] = np.nan
    rows = matched(made, actuals("2024-01-05", 3))
    assert set(ledger.worst_items(rows, TASK)["item_id"]) == {"i0", "i2"}
