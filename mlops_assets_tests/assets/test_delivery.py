"""Each round delivers a forecast, whatever has become of the champion, and says who made it and why."""

import mlflow
import pandas as pd
import pytest

from mlops_assets.alerts.overdue import tell_lost
from mlops_assets.lifecycle import decisions
from mlops_assets.lifecycle.decisions import DecisionError
from mlops_assets.lifecycle.history import history_of
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.lifecycle.lost import champion_failed
from mlops_assets.stages.score import version_scores
from mlops_assets.tracking.tracking import Tracking
from mlops_assets_tests.assets.test_promotion import forget
from mlops_assets_tests.worlds import HISTORY, World

DAY, NEXT = "2024-05-10", "2024-05-11"
AWAY = Tracking(uri="http://127.0.0.1:9")
FORECAST = ["item_id", "timestamp", "lead", "mean", "q10", "q50", "q90", "source", "model_version", "delivered_because"]


def life_of(world: World) -> Lifecycle:
    kept = world.resources
    return Lifecycle(world.tables, world.tracking, kept["clock"], "demo", kept["models"])


def delivered(world: World, day: str = DAY) -> tuple[pd.DataFrame, dict]:
    """Forecast from a day; return the rows of the ledger, and the metadata."""
    facts = world.metadata(world.run("forecasts", partition=day), "forecasts")
    return world.table("forecasts", [day]), facts


def told_of_a_loss(world: World) -> str:
    """Look for a loss twice; return what has happened by the alert that is told then, once."""
    notifications = world.resources["notifications"]
    told = [tell_lost("demo", world.tables, notifications) for _ in range(2)]
    assert told in ([1, 0], [0, 0])
    rows = world.table("alerts").sort_values("at") if told[0] else None
    assert rows is None or "mlops-assets run demo --retrain" in rows["to_do"].iloc[-1]
    return "" if rows is None else rows["what"].iloc[-1].partition(". Another forecasts")[0]


def test_without_any_model_seasonal_naive_is_delivered_scored_and_explained(world):
    made = world()
    made.run("observations", "quarantine", partition="2024-04-20...2024-05-11")
    rows, facts = delivered(made)
    assert len(rows) == 4 * 7
    assert (rows["source"] == "seasonal_naive").all()
    assert (rows["delivered_because"] == "no_champion").all()
    assert (rows["model_version"] == 0).all()
    last_week = made.table("observations").set_index(["item_id", "timestamp"])["target"]
    week = pd.Timedelta(days=7)
    assert rows["q50"].tolist() == [
        last_week[item, time - week] for item, time in zip(rows["item_id"], rows["timestamp"], strict=True)
    ]
    assert facts["seasonal_naive_rows"] == 28
    assert "model_version" not in facts
    assert (
        "no version of demo has been judged yet: mlops-assets run demo" in facts["delivered_in_place_of_the_champion"]
    )
    made.run("forecast_accuracy", partition=NEXT)
    assert made.table("forecast_accuracy", [NEXT])["source"].tolist() == ["seasonal_naive"] * 4
    scores = version_scores(made.tables, made.spec)
    assert scores["model_version"].tolist() == [0], "no champion's score"
    delivered(made, NEXT)
    made.run("forecast_change", partition=NEXT)
    change = made.table("forecast_change", [NEXT])
    assert change["undivided"].eq("").all()
    assert change["new_model"].abs().max() == change["revised_history"].abs().max() == 0


def test_mlflow_away_changes_nothing(trained, monkeypatch):
    before, _ = delivered(trained)
    assert (before["delivered_because"] == "champion").all()
    monkeypatch.setitem(trained.resources, "tracking", AWAY)
    after, facts = delivered(trained)
    pd.testing.assert_frame_equal(before[FORECAST], after[FORECAST], check_exact=True)
    assert "delivered_in_place_of_the_champion" not in facts
    trained.run("forecast_change", partition=DAY)
    assert life_of(trained).champion().number == 1
    assert [row["version"] for row in history_of(life_of(trained)).champions] == [1]


def test_a_champion_that_nothing_can_load_gives_way_to_seasonal_naive(trained, monkeypatch):
    models = dict(trained.resources["models"]._models)
    forget(trained, 1)
    monkeypatch.setitem(trained.resources, "tracking", AWAY)
    rows, facts = delivered(trained)
    assert set(rows["source"]) == {"seasonal_naive"}
    assert set(rows["delivered_because"]) == {"unloadable"}
    assert "version 1 cannot forecast: MLflow at http://127.0.0.1:9 does not answer" in str(facts)
    assert "mlops-assets run demo --retrain trains a new one" in facts["delivered_in_place_of_the_champion"]
    assert champion_failed(trained.tables, "demo")
    assert told_of_a_loss(trained) == "version 1, the champion, could not make the latest forecasts"
    monkeypatch.undo()
    rows, _ = delivered(trained)
    assert not champion_failed(trained.tables, "demo")
    assert told_of_a_loss(trained) == ""
    assert set(rows["delivered_because"]) == {"champion"}, "fetched from MLflow once, then kept"
    assert trained.resources["models"].exists(["demo", "model_versions", "000001"])
    trained.resources["models"]._models.update(models)


def test_a_version_that_is_deleted_in_mlflow_is_a_state_and_trained_anew(trained):
    """The last test of this world."""
    before, _ = delivered(trained)
    life = life_of(trained)
    mlflow.MlflowClient(trained.tracking.uri).delete_model_version("demo", "1")
    assert life.missing() == 1
    life.repair()
    life.repair()
    (gone,) = life.log.all().tail(-1).to_dict("records")
    assert (gone["kind"], gone["outcome"], gone["version"], gone["decided_by"]) == ("loss", "gone", 1, "MLflow")
    assert "version 1 is gone from MLflow" in gone["reason"]
    assert life.champion() is None
    with pytest.raises(DecisionError, match="version 1 of demo is gone from MLflow; there are: none"):
        life.rollback("Ann", "why", to=1)
    rows, facts = delivered(trained)
    same = [name for name in FORECAST if name != "delivered_because"]
    pd.testing.assert_frame_equal(rows[same], before[same], check_exact=True)
    assert set(rows["delivered_because"]) == {"no_champion"}
    assert "version 1 forecasts in place of a champion: version 1 is gone from MLflow" in str(facts)
    assert told_of_a_loss(trained) == gone["reason"]
    trained.train()
    assert told_of_a_loss(trained) == ""
    life = life_of(trained)
    assert life.champion().number == 2
    reigns = decisions.reigns(life.log.all())
    assert reigns["version"].tolist() == [1, 2]
    assert reigns["until"].iloc[0] == gone["decided_at"]
    rows, _ = delivered(trained)
    assert (set(rows["model_version"]), set(rows["delivered_because"])) == ({2}, {"champion"})


def test_an_mlflow_that_begins_anew_gives_no_number_twice(world, tmp_path, empty_mlflow):
    made = world()
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    (tmp_path / "data" / "mlflow" / "mlflow.db").write_bytes(empty_mlflow.read_bytes())
    made.train()
    life = life_of(made)
    assert life.log.all()["outcome"].tolist() == ["promoted", "gone", "promoted"]
    assert life.champion().number == life.registry.champion().number == 2
