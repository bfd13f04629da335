"""One foreign package brings all that can be brought, and its forecast is trained, promoted, scored and explained."""

import json
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.analysis.status import sources_of
from mlops_assets.environments import Stores
from mlops_assets.errors import ModelFileError
from mlops_assets.forecasting.model import kinds
from mlops_assets.forecasting.model.kinds.ensemble import Ensemble
from mlops_assets.report.sections import overview_sections
from mlops_assets.report.state import overview
from mlops_assets.settings import Settings
from mlops_assets.sources.calendars import with_calendars
from mlops_assets.stages.external.collect import look
from mlops_assets.testing import check_model
from mlops_assets_tests.worlds import HISTORY

DOCUMENT = Path(__file__).parents[1] / "docs" / "extending.md"
FOREIGN = Path(__file__).parent / "foreign" / "acme"
ACME = {
    "source": {"kind": "erp", "system": "p1", "shops": 3},
    "columns": {"item_id": "shop", "timestamp": "day", "target": "sold"},
    "covariates": None,
    "calendars": [{"name": "market", "events": "market_days", "parameters": {"weekday": 2}}],
    "model": {
        "kind": "ensemble",
        "members": ["random_forest", "acme_drift"],
        "features": ["paydays"],
        "max_training_rows": 2000,
    },
    "external": {"service": "oracle", "parameters": {"bonus": 1.5}},
    "gate": {"metric": "shortfall", "rules": ["acme.rules:no_wild_totals"]},
    "retraining": {"metric": "acme.metrics:Shortfall"},
    "report": {"sections": ["stock"]},
}


def test_a_forecast_lives_by_what_a_foreign_package_brings(acme, world, tmp_path):
    import mlflow

    made = world(**ACME)
    made.run("observations", "quarantine", partition=HISTORY)
    trained = made.run("training_set", "model", "backtest", "model_version", "champion")
    assert made.metadata(trained, "model_version")["shortfall"] >= 0
    decided = made.table("decisions").iloc[-1]
    (own,) = [rule for rule in json.loads(decided["rules"])["rules"] if rule["name"] == "acme.rules:no_wild_totals"]
    assert re.fullmatch(r"the total is \d+% of what came", own["message"])
    assert decided["outcome"] == "promoted", decided["reason"]

    made.run("forecasts", "external_jobs", partition="2024-05-10")
    stores = Stores(**made.resources)
    (collected,) = look(made.spec, stores)[1]
    assert (collected.partition, collected.good) == ("2024-05-10", True), collected.words
    made.run("observations", "quarantine", "forecast_accuracy", partition="2024-05-11")
    assert set(made.table("forecasts")["source"]) == {"champion", "oracle"}
    assert made.table("accuracy_scores").query("scope == 'all'")["shortfall"].notna().all()

    version = made.tracking.registry("demo").version(1)
    state, _ = made.tracking.registry("demo").fetch(version)
    assert set(state["packages"].values()) == {"acme-forecasting==1.2.0"}
    ensemble = kinds.rebuild(state)
    assert isinstance(ensemble, Ensemble)
    assert {"random_forest", "acme_drift"} <= {*ensemble.record["member"]}, (
        "both were tried; who is of no use is left out"
    )
    (explained,) = filter(lambda one: one is not None, map(kinds.importances, ensemble.members.values()))
    assert "own" in set(explained["group"])

    sources = sources_of(made.spec, stores, Settings(MLOPS_DATA=tmp_path / "data"))
    (stock,) = [one for one in overview_sections(sources, overview(sources)) if one.title == "Stock"]
    assert stock.sentences == ["Order for demo until 2024-05-10."]
    assert len(stock.tables[0].rows) == 3

    ahead = pd.DataFrame({"timestamp": pd.date_range("2024-05-12", periods=7, unit="us")})
    ahead = made.table("observations")[["item_id"]].drop_duplicates().merge(ahead, how="cross")
    history = with_calendars(made.spec, pd.concat([made.table("observations"), ahead], ignore_index=True))
    loaded = mlflow.pyfunc.load_model("models:/demo/1")
    forecasts = loaded.predict(history[["item_id", "timestamp", "target", *made.spec.calendar_columns]])
    assert set(forecasts["source"]) <= {"model"}
    needs = Path(mlflow.artifacts.download_artifacts("models:/demo/1/requirements.txt")).read_text()
    assert "acme-forecasting==1.2.0" in needs


def test_a_model_is_not_loaded_where_the_package_of_its_features_is_missing(monkeypatch):
    task = {"frequency": "D", "horizon": 1, "season_lengths": [7], "quantiles": [0.5]}
    task["model"] = {"kind": "random_forest", "features": ["paydays"], "parameters": {}}
    state = {"version": kinds.registry.forecaster.STATE_VERSION, "kind": "random_forest", "task": task}
    state["packages"] = {"paydays": "acme-forecasting==1.2.0"}
    with pytest.raises(ModelFileError, match=r"the model needs paydays \(acme-forecasting==1.2.0\): no feature"):
        kinds.rebuild(state)


def test_a_model_of_an_entry_point_keeps_its_promises(acme):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_model("acme_drift")


def test_the_examples_of_the_document_are_those_of_the_package():
    """What is tested is what is printed: each block stands in a module of the foreign package, docstrings aside."""
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    modules = [_code(file.read_text(encoding="utf-8")) for file in FOREIGN.glob("*.py")]
    strange = [block for block in blocks if "# shop/" not in block and _code(block) not in modules]
    assert strange == []


def _code(text: str) -> str:
    return re.sub(r'\s+|"""[^"]*"""', "", text)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"b": [1.0]}, "gives no 'a'"),
        ({"a": [1.0, 2.0]}, r"has shape \(2,\), not \(1,\)"),
        ({"a": [float("inf")]}, "has an infinite value"),
        ({"a": ["text"]}, "failed: ValueError"),
    ],
)
def test_a_feature_that_is_none_is_told(monkeypatch, values, words):
    from mlops_assets.forecasting.model.extensions import ExtensionError
    from mlops_assets.forecasting.model.features import own
    from mlops_assets.forecasting.model.task import ModelSettings, Task

    class Odd:
        names = ("a",)

        def values(self, rows, past):
            return values

    monkeypatch.setattr(own, "load", lambda _: Odd())
    task = Task("D", 1, (7,), model=ModelSettings(features=("odd",)))
    with pytest.raises(ExtensionError, match=words):
        dict(own.columns(task, pd.DataFrame({"lead": [1]}), {}))
