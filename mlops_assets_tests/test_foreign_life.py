"""One forecast in one life by all that one foreign package brings; each part is seen to have had its say."""

import io
import json
import logging
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.analysis.explain import explain_model, explain_row
from mlops_assets.analysis.status import sources_of
from mlops_assets.environments import Stores
from mlops_assets.errors import UsageError
from mlops_assets.forecasting.model import kinds, model_file
from mlops_assets.forecasting.model.kinds import FeatureModel
from mlops_assets.report.sections import overview_sections
from mlops_assets.report.state import overview
from mlops_assets.settings import Settings
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.stages.external.collect import look
from mlops_assets.testing import check_model
from mlops_assets_tests.foreign_package import installed
from mlops_assets_tests.worlds import World, declare, sandbox

ACME: dict[str, Any] = {
    "source": {"kind": "erp", "system": "p1", "shops": 3},
    "columns": {"item_id": "shop", "timestamp": "day", "target": "sold"},
    "covariates": None,
    "partitions": {"kind": "daily", "start": "2023-11-01", "end": "2024-06-01"},
    "calendars": [{"name": "market", "events": "market_days", "parameters": {"weekday": 2}}],
    "model": {
        "kind": "acme_ridge",
        "features": ["paydays"],
        "parameters": {"alpha": 3.0},
        "max_training_rows": 2000,
    },
    "external": {"service": "oracle", "parameters": {"bonus": 1.5}},
    "gate": {"metric": "shortfall", "rules": ["acme.rules:no_wild_totals"]},
    "retraining": {"metric": "acme.metrics:Shortfall", "threshold": 0.2, "breaches": 2, "window": 3},
    "approval": "manual",
    "report": {"sections": ["stock"]},
}
APPROVE = {"decision": "approve", "version": 1, "by": "Ann", "reason": "looked at it"}


@dataclass
class Life:
    """What has been made, by whom, and who was told."""

    world: World
    settings: Settings
    told: list[str]

    @property
    def files(self) -> list[Path]:
        """The champion, as MLflow and as our own store of models keep it."""
        data = self.settings.data_folder
        return [*data.glob("mlflow/**/forecaster.skops"), *data.glob("models/demo/model_versions/*/*.skops")]


@pytest.fixture(scope="module")
def life(tmp_path_factory, empty_mlflow):
    """Ingested, trained, told of, approved, forecast by ours and by theirs, and scored a day later."""
    folder, told = tmp_path_factory.mktemp("acme"), logging.getLogger("pager")
    heard = logging.Handler()
    words: list[str] = []
    heard.emit = lambda record: words.append(record.getMessage())
    told.addHandler(heard)
    with installed():
        settings = sandbox(folder, empty_mlflow, "local", MLOPS_NOTIFY="python:pager")
        made = World(declare(folder / "forecasts", **ACME), settings)
        made.run("observations", "quarantine", partition="2023-11-01...2024-05-10")
        made.run("training_set", "model", "backtest", "model_version", "champion")
        made.run("champion", config={"ops": {"demo__champion": {"config": APPROVE}}})
        made.run("forecasts", "external_jobs", partition="2024-05-10")
        (collected,) = look(made.spec, Stores(**made.resources))[1]
        assert (collected.partition, collected.good) == ("2024-05-10", True), collected.words
        made.run("observations", "quarantine", "forecast_accuracy", partition="2024-05-11")
        yield Life(made, settings, words)
    told.removeHandler(heard)


def test_the_rows_are_of_its_source(life):
    rows = life.world.table("observations", ["2024-05-10"])
    assert list(rows["item_id"]) == ["s0", "s1", "s2"]


def test_its_model_has_learnt_from_its_feature_and_its_calendar(life):
    assert {"own_days_to_payday", "known_market_day"} <= {*life.world.table("training_set").columns}
    model = kinds.rebuild(model_file.load(life.files[0]))
    assert (type(model).__module__, type(model).__name__) == ("acme.regression", "Ridge")
    assert isinstance(model, FeatureModel)
    assert model.task.model.parameters == {"alpha": 3.0}
    weights = dict(zip(model.encoding.names, model.model.point.learnt["weights"], strict=True))
    assert abs(weights["own_days_to_payday"]) > 0.05
    assert {"own_best_of_week", "known_market_day", "known_market_days_to"} <= {*weights}


@pytest.mark.parametrize("kept", [0, 1])
def test_its_model_is_stored_without_pickle_and_nothing_of_the_package_is_in_the_file(life, kept):
    file = life.files[kept]
    with zipfile.ZipFile(file) as archive:
        schema = json.loads(archive.read("schema.json"))
        for name in {*archive.namelist()} - {"schema.json"}:
            assert np.load(io.BytesIO(archive.read(name)), allow_pickle=False) is not None
    modules = {node["__module__"].partition(".")[0] for node in model_file._dicts(schema) if "__module__" in node}
    assert modules <= {"builtins", "numpy", "sklearn", "_loss"}
    code = f"import sys; from {model_file.__name__} import load; load({str(file)!r}); print('acme' in sys.modules)"
    read = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert read.stdout.strip() == "False", "rebuilding it imports nothing of others"


def test_the_gate_went_by_its_metric_and_its_rule_and_its_channel_was_told_that_a_person_is_asked(life):
    asked, approved = life.world.table("decisions").to_dict("records")
    found = {rule["name"]: rule for rule in json.loads(asked["rules"])["rules"]}
    assert re.fullmatch(r"the total is \d+% of what came", found["acme.rules:no_wild_totals"]["message"])
    assert "shortfall" in found["better_than_naive"]["message"]
    assert (asked["outcome"], approved["outcome"]) == ("awaiting approval", "promoted")
    assert [re.sub(r": version 1: .*", "", words) for words in life.told] == ["demo: awaiting approval"]
    (alert,) = life.world.table("alerts").to_dict("records")
    assert (alert["event"], alert["outcome"]) == ("awaiting approval", "delivered")


def test_champion_and_service_forecast_and_are_scored_by_its_metric(life):
    forecasts = life.world.table("forecasts")
    assert forecasts.groupby("source").size().to_dict() == {"champion": 21, "oracle": 21}
    assert set(forecasts.loc[forecasts["source"] == "champion", "model_version"]) == {1}
    accuracy = life.world.table("forecast_accuracy", ["2024-05-11"])
    assert set(accuracy["source"]) == {"champion", "oracle"}
    scores = life.world.table("accuracy_scores").query("scope == 'all'")
    assert scores["shortfall"].notna().all()


def test_it_is_explained(life):
    made = explain_model(life.world.spec, life.settings)
    assert made.model.startswith("version 1 (acme_ridge) of demo, the champion")
    assert made.metric == "shortfall"
    assert made.groups.set_index("group")["importance"]["own"] > 0
    assert "own" in set(made.permutation["group"])
    with pytest.raises(UsageError, match="only forests rest on training rows; acme_ridge does not"):
        explain_row(life.world.spec, life.settings, "s1", "2024-06-01")


def test_its_section_stands_in_the_report(life):
    sources = sources_of(life.world.spec, Stores(**life.world.resources), life.settings)
    (stock,) = [one for one in overview_sections(sources, overview(sources)) if one.title == "Stock"]
    assert stock.sentences == ["Order for demo until 2024-05-10."]
    assert len(stock.tables[0].rows) == 3


def test_mlflow_loads_it_and_it_says_what_was_delivered(life):
    import mlflow

    made = life.world
    ahead = pd.DataFrame({"timestamp": pd.date_range("2024-05-11", periods=7, unit="us")})
    known = made.table("observations").query("timestamp < '2024-05-11'")
    ahead = known[["item_id"]].drop_duplicates().merge(ahead, how="cross")
    history = with_calendars(made.spec, pd.concat([known, ahead], ignore_index=True))
    given = history[["item_id", "timestamp", "target", *made.spec.calendar_columns]]
    loaded = mlflow.pyfunc.load_model("models:/demo/1").predict(given)
    assert set(loaded["source"]) == {"model"}
    delivered = made.table("forecasts").query("source == 'champion'")
    np.testing.assert_allclose(
        loaded.sort_values(["item_id", "timestamp"])["mean"], delivered.sort_values(["item_id", "timestamp"])["mean"]
    )
    needs = Path(mlflow.artifacts.download_artifacts("models:/demo/1/requirements.txt")).read_text()
    assert re.search(r"^acme-forecasting==1\.2\.0$", needs, re.MULTILINE)


@pytest.mark.parametrize("members", [(), ("random_forest", "acme_drift", "acme_ridge")])
def test_its_models_keep_their_promises_alone_and_as_members(life, members):
    for kind in ("ensemble",) if members else ("acme_ridge", "acme_drift"):
        check_model(kind, members=members)
