"""The champion asset: the gate's and people's decisions, and whose forecasts are made."""

import json

import pandas as pd
import pytest

from mlops_assets.alerts.notifications import Notifications
from mlops_assets.io_managers.keys import folder
from mlops_assets.lifecycle.lifecycle import Lifecycle
from mlops_assets.tracking.model_code import ModelCode
from mlops_assets_tests.worlds import HISTORY, World, declare, sandbox


def life_of(world: World) -> Lifecycle:
    return Lifecycle(world.tables, world.tracking, world.resources["clock"], "demo")


def person(decision: str, version: int, reason: str = "looked at it") -> dict:
    config = {"decision": decision, "version": version, "by": "Ann", "reason": reason}
    return {"ops": {"demo__champion": {"config": config}}}


@pytest.fixture(scope="module")
def manual(tmp_path_factory, empty_mlflow) -> World:
    """A first version that passed the gate and waits for a person."""
    folder = tmp_path_factory.mktemp("manual")
    made = World(declare(folder / "forecasts", approval="manual"), sandbox(folder, empty_mlflow))
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    return made


def test_a_life_under_manual_approval(manual: World):
    life = life_of(manual)
    row = manual.table("champion").iloc[0]
    assert (row["outcome"], row["decided_by"]) == ("awaiting approval", "gate")
    assert pd.isna(row["champion_version"])
    assert life.champion() is None
    (alert,) = manual.table("alerts").to_dict("records")
    assert (alert["event"], alert["outcome"]) == ("awaiting approval", "delivered")
    assert "mlops-assets approve demo 1" in alert["to_do"]
    waits = manual.metadata(manual.run("forecasts", partition="2024-05-10"), "forecasts")
    assert waits["delivered_because"] == "no_champion"
    assert "version 1 waits for approval: mlops-assets approve demo 1" in waits["delivered_in_place_of_the_champion"]

    result = manual.run("champion", config=person("approve", 1))
    facts = manual.metadata(result, "champion")
    assert (facts["outcome"], facts["champion_version"]) == ("promoted", 1)
    assert "decided by: Ann" in facts["decision"]
    assert life.registry.champion().number == 1
    assert life.log.all()["outcome"].tolist() == ["awaiting approval", "promoted"]

    with pytest.raises(Exception, match="is the champion already"):
        manual.run("champion", config=person("approve", 1))
    unchanged = manual.run("champion")
    assert manual.metadata(unchanged, "champion")["outcome"] == "unchanged"
    assert len(life.log.all()) == 2
    manual.run("forecasts", partition="2024-05-10")
    assert manual.table("forecasts", ["2024-05-10"])["model_version"].unique().tolist() == [1]


def test_the_record_of_a_decision_has_its_evidence(trained: World):
    (row,) = life_of(trained).log.all().to_dict("records")
    assert row["outcome"] == "promoted"
    rules = {rule["name"]: rule for rule in json.loads(row["rules"])["rules"]}
    assert rules["better_than_naive"]["numbers"]["change"] < 0
    assert rules["against_champion"]["state"] == "not applicable"
    assert rules["complete"]["numbers"] == {"rows": 28, "expected": 28}
    assert row["cpu_seconds"] > 0
    assert row["trigger"] == "materialized by hand"
    assert row["data_version"]
    assert row["spec_hash"] == trained.spec.fingerprint()


def test_a_registered_version_is_found_without_mlflow(trained: World):
    models = trained.resources["models"]
    key = ["demo", "model_versions", "000001"]
    told, version = models.info(key), life_of(trained).registry.version(1)
    assert (told["version"], told["spec_hash"]) == (1, trained.spec.fingerprint())
    assert told["git_commit"] == version.tags["git_commit"]
    assert told["spec_commit"] == version.tags["spec_commit"]
    assert told["sha256"] == version.tags["sha256"]
    assert "breach" not in version.tags, "none has asked for it"
    code = ModelCode(models.load(["demo", "model_code", told["code_sha256"]]))
    assert code.digest == version.tags["code_sha256"] == told["code_sha256"]


def test_a_challenger_whose_file_is_gone_is_refused_by_that_rule(trained: World, monkeypatch):
    life = life_of(trained)
    version = life.registry.version(1)
    lost = life.registry.register(f"models:/{_model_id(trained, version.run_id)}", version.run_id, version.tags, "lost")
    life.registry.set_tags(lost.number, {"sha256": "0" * 64})
    table = trained.table("model_version").assign(version=lost.number)
    trained.tables.write(["demo", "model_version"], table)
    result = trained.run("champion")
    assert trained.metadata(result, "champion")["outcome"] == "refused"
    log = life.log.all()
    rules = {rule["name"]: rule for rule in json.loads(log["rules"].iloc[-1])["rules"]}
    assert rules["model_loads"]["state"] == "missing"
    assert "sha256" in rules["model_loads"]["message"]
    assert life.champion().number == 1


def forget(world: World, number: int) -> None:
    """Take a version out of the store of models, so that only MLflow has it."""
    del world.resources["models"]._models[folder(["demo", "model_versions", f"{number:06d}"])]


def _model_id(world: World, run_id: str) -> str:
    import mlflow

    return mlflow.MlflowClient(world.tracking.uri).get_run(run_id).outputs.model_outputs[0].model_id


def test_a_champion_that_cannot_be_loaded_is_replaced_by_a_challenger_that_can(world):
    made = world(retraining={"metric": "wql"})
    made.run("observations", "quarantine", partition=HISTORY)
    made.train(until="2024-05-01")
    life = life_of(made)
    life.registry.set_tags(1, {"sha256": "0" * 64})
    forget(made, 1)
    made.train()
    row = life.log.all().iloc[-1]
    assert (row["outcome"], row["version"], row["champion_after"]) == ("promoted", 2, 2)
    assert "version 1, the champion, cannot be compared" in row["reason"]


def test_past_origins_are_forecast_by_the_champion_of_then(world):
    made = world(partitions={"kind": "daily", "start": "2024-03-01", "end": "2024-06-01"})
    made.run("observations", "quarantine", partition="2024-03-01...2024-05-20")
    clock = made.resources["clock"]
    made.resources["clock"] = type(clock)(fixed="2024-05-02T04:00:00")
    made.train(until="2024-05-01")
    made.resources["clock"] = type(clock)(fixed="2024-05-12T04:00:00")
    made.train(until="2024-05-11")
    life_of(made).approve(2, "Ann", "the newer one", force=True) if life_of(made).champion().number == 1 else None

    made.resources["clock"] = type(clock)(fixed="2024-05-21T04:00:00")
    made.run("forecasts", partition="2024-05-09...2024-05-12")
    rows = made.table("forecasts")
    by_origin = rows.groupby("origin")["model_version"].unique().map(list).to_dict()
    days = {f"{origin:%m-%d}": versions for origin, versions in by_origin.items()}
    assert days == {"05-09": [1], "05-10": [1], "05-11": [2], "05-12": [2]}
    until = rows.groupby("model_version")["trained_until"].first()
    assert until.tolist() == [pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-11")]

    now = {"ops": {"demo__forecasts": {"config": {"champion": "now"}}}}
    made.run("forecasts", partition="2024-05-09", config=now)
    assert made.table("forecasts", ["2024-05-09"])["model_version"].unique().tolist() == [2]
    exact = {"ops": {"demo__forecasts": {"config": {"version": 1}}}}
    made.run("forecasts", partition="2024-05-20", config=exact)
    assert made.table("forecasts", ["2024-05-20"])["model_version"].unique().tolist() == [1]


def test_an_alert_that_cannot_be_sent_does_not_stop_a_decision(world):
    made = world(approval="manual")
    made.resources["notifications"] = Notifications(channel="json://127.0.0.1:9/")
    made.run("observations", "quarantine", partition=HISTORY)
    made.train()
    assert made.table("alerts")["outcome"].tolist() == ["failed"]
    assert life_of(made).log.all()["outcome"].tolist() == ["awaiting approval"]
