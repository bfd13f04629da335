"""What readers are told beside forecasts: calibration, changes, what has happened, versions, sums, words."""

import pandas as pd
import pytest

from mlops_assets.adjustments.log import Adjustments, Entry
from mlops_assets.catalog.names import FORECAST_CHANGE, PUBLISHED_FORECASTS, RECONCILED_FORECASTS
from mlops_assets.lifecycle.decisions import Decisions
from mlops_assets.lifecycle.decisions import Entry as Decision
from mlops_assets.reading.questions import QuestionError, UnknownItemError
from mlops_assets_tests.reading.stored import store


def test_calibration_is_the_share_at_or_below_each_quantile(stored):
    found = stored.reader.calibration()
    rows = stored.tables.read(["demo", "forecast_accuracy"])
    rows = rows[~rows["in_sample"]]
    assert found["quantile"].tolist() == [0.1, 0.5, 0.9]
    assert found["share"].tolist() == [(rows["target"] <= rows[name]).mean() for name in ("q10", "q50", "q90")]
    assert set(found["rows"]) == {len(rows)}
    early = stored.reader.calibration(as_of="2024-03-06T12:00")
    assert 0 < early["rows"].max() < len(rows)
    assert early["rows"].tolist() == [stored.reader.accuracy(as_of="2024-03-06T12:00")["rows"].item()] * 3


def test_words_say_how_good_it_is(stored, tmp_path):
    scores = stored.reader.accuracy("period")
    days = pd.date_range("2024-03-02", "2024-03-12").strftime("%Y-%m-%d").tolist()
    assert scores["period"].tolist() == days
    [whole] = stored.reader.accuracy().to_dict("records")
    assert stored.reader.words() == (
        f"The errors of {whole['rows']} forecasts of {days[0]} to {days[-1]} were as large as seasonal naive's "
        f"(MASE {whole['mase']:.2f}, seasonal naive {whole['naive_mase']:.2f})."
    )
    assert store(tmp_path, rounds=1).reader.words() == "No forecast could be scored yet."


def test_changes_are_the_largest_of_an_origin(tmp_path):
    made = store(tmp_path, rounds=2)
    for day in made.days:
        rows = pd.DataFrame({"origin": day, "item_id": made.ids, "change": [1.0, -3.0, 2.0], "undivided": ""})
        made.write(FORECAST_CHANGE, day, rows.assign(previous_origin=day, steps=6, previous_version=1, model_version=1))
    assert made.reader.changes()["item_id"].tolist() == ["shop 1", "shop 2", "shop 0"]
    assert set(made.reader.changes("2024-03-01")["origin"]) == {made.days[0]}
    assert made.reader.changes(items="shop 2", limit=1)["change"].tolist() == [2.0]
    assert made.reader.items(sort="change")["item_id"].tolist() == ["shop 1", "shop 2", "shop 0"]
    with pytest.raises(UnknownItemError):
        made.reader.changes(items="shop 9")


def test_what_has_happened_stands_on_the_axis_of_the_forecast(tmp_path):
    made = store(tmp_path, rounds=3, holidays="US")
    decide = Decision("gate", "promoted", 1, None, 1, "gate", "better", trained_until=made.days[0])
    at = pd.Timestamp("2024-06-01T06:00", tz="UTC")
    Decisions(made.tables, "demo").append(lambda _: decide, at)
    change = Entry(
        "adjust", "shop 1", made.days[1], made.days[2], made.days[0], kind="factor", amount=1.1, reason="fair"
    )
    Adjustments(made.tables, "demo").append(lambda _: change, "ann", at)
    found = made.reader.timeline()
    assert list(found) == ["at", "kind", "title", "detail", "link", "happened_at"]
    assert found[["at", "kind", "title"]].to_numpy().tolist() == [
        [made.days[0], "promotion", "version 1 promoted"],
        [made.days[1], "adjustment", "adjust shop 1 factor 1.1"],
    ]
    assert found["detail"].tolist() == ["better (gate)", "ann: fair"]
    assert set(found["happened_at"]) == {pd.Timestamp("2024-06-01T06:00")}
    assert made.reader.timeline("2024-03-02")["kind"].tolist() == ["adjustment"]
    assert "holiday" in set(made.reader.timeline("2024-01-01", "2024-12-31")["kind"])
    assert made.reader.models()[["version", "outcome", "decided_by"]].to_numpy().tolist() == [[1, "promoted", "gate"]]
    assert made.reader.decisions()["reason"].tolist() == ["better"]
    assert made.reader.importances().empty
    assert made.reader.job_rows().empty


def test_published_is_what_people_have_changed_and_system_is_not(tmp_path):
    made = store(tmp_path, rounds=2)
    system = made.reader.forecasts("shop 1", version="system")
    day, at = made.days[1], made.days[1] + pd.Timedelta(hours=36)
    changed = system.head(2).assign(mean=1.0, adjustment=4, published_at=at, superseded_at=pd.NaT)
    made.write(PUBLISHED_FORECASTS, day, changed)
    found = made.reader.forecasts(["shop 0", "shop 1"])
    assert found["adjustment"].notna().sum() == 2
    own = found[found["item_id"] == "shop 1"]
    assert own["mean"].tolist() == [1.0, 1.0, *system["mean"].iloc[2:]]
    assert made.reader.forecasts("shop 1", version="system").equals(system)
    assert made.reader.forecasts("shop 1", as_of=at - pd.Timedelta(hours=1)).equals(system)


def test_sums_of_a_hierarchy_are_read_as_items_are(tmp_path):
    ids = ["east/a", "east/b", "west/c"]
    columns = {"item_id": ["region", "shop"], "timestamp": "day", "target": "sales"}
    made = store(tmp_path, None, ids, 2, columns=columns, hierarchy={"levels": ["region"], "method": "bottom_up"})
    for day in made.days:
        own = made.tables.read(["demo", "forecasts"], [f"{day:%Y-%m-%d}"])
        own = own[own["item_id"].str.startswith("east")]
        east = own.groupby(["origin", "timestamp", "lead"], as_index=False)[["mean", "q10", "q50", "q90"]].sum()
        east = east.assign(item_id="sum:east", level="region", source="aggregate", model_version=1, run_id="")
        made.write(RECONCILED_FORECASTS, day, east)
    reader = made.reader
    listed = reader.items(sort="name").set_index("item_id")
    levels = {**dict.fromkeys(ids, "item"), "sum:*": "total", "sum:east": "region", "sum:west": "region"}
    assert listed["level"].to_dict() == levels
    assert listed.loc["sum:*", "volume"] == pytest.approx(listed.loc[ids, "volume"].sum())
    found = reader.forecasts(["sum:east", "west/c"])
    assert found["item_id"].tolist() == ["sum:east"] * 7 + ["west/c"] * 7
    assert found["created_at"].nunique() == 1
    whole = reader.forecasts(ids[:2]).groupby("timestamp")["mean"].sum()
    assert found["mean"].iloc[:7].tolist() == pytest.approx(whole.tolist())
    seen = reader.observations("sum:east")
    assert seen["target"].tolist() == pytest.approx(reader.observations(ids[:2]).groupby("timestamp")["target"].sum())
    with pytest.raises(QuestionError, match="no such item") as error:
        reader.forecasts("sum:eats")
    assert error.value.parameter == "item"
    assert "sum:east" in error.value.nearest
