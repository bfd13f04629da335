"""Stored models forecast what they always did, whatever later releases do to features.

These tests pin `STATE_VERSION`. Whoever changes what a stored model would forecast raises it and adds the fixture of a
release that writes it; fixtures that are there are never edited, and their models go on with their own numbers.

Numbers are equal to 1e-9, not to the last bit: sums of floating-point numbers may be taken in another order on another
processor.
"""

import dataclasses
import hashlib
import json
import pickle
import shutil

import pandas as pd
import pytest

from mlops_assets.forecasting.model import entry, features, forecaster, kinds, model_file
from mlops_assets.forecasting.model.errors import ModelFileError
from mlops_assets.forecasting.model.forecaster import Forecaster
from mlops_assets.lifecycle.versions import Versions
from mlops_assets.stages.register import fingerprint
from mlops_assets.stages.train import data_hash
from mlops_assets.tracking.errors import ModelCodeError
from mlops_assets.tracking.model_code import ModelCode
from mlops_assets.tracking.registry import CODE
from mlops_assets_tests.releases.unpacked import RELEASES, Deployment, expected, unpack

# Warnings of code that is imported from memory have classes that no other process can import.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

ORIGIN = "2024-04-20"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory) -> Deployment:
    return unpack("0.1.0", "files", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def inputs(deployment) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The history, and what was known of the days to come."""
    with deployment.opened() as stores:
        known = stores.tables.read(["shops", "future_covariates"], partitions=[ORIGIN])
        return stores.tables.read(["shops", "observations"]), known[["item_id", "timestamp", "promotion"]]


@pytest.fixture
def registry(deployment):
    with deployment.opened() as stores:
        yield stores.tracking.registry("shops")


def forecast(model: Forecaster, inputs: tuple[pd.DataFrame, pd.DataFrame]) -> pd.DataFrame:
    history, future = inputs
    return model.predict(history, pd.Timestamp(ORIGIN), future=future)


def assert_same(found: pd.DataFrame, model: str, release: str = "0.1.0") -> None:
    pd.testing.assert_frame_equal(found, expected(release, model), rtol=1e-9, atol=0)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_old_version_forecasts_what_it_did(registry, inputs, number):
    assert_same(forecast(registry.forecaster(registry.version(number)), inputs), f"version {number}")


def test_an_old_version_forecasts_on_a_worker_by_the_code_that_travels_with_it(registry, inputs):
    sent = Versions(lambda: registry, None, "shops").portable(registry.version(1))
    there = pickle.loads(pickle.dumps(sent))
    assert there.sources == sent.sources is not None
    assert_same(forecast(there.model, inputs), "version 1")


def test_an_old_model_that_is_no_forest_too(registry, inputs):
    state = model_file.load(RELEASES / "0.1.0" / "ridge.skops")
    assert_same(forecast(registry.code(registry.version(1), state).rebuild(state), inputs), "ridge")


def test_todays_code_takes_no_state_of_another_version():
    with pytest.raises(ModelFileError, match="the model's state has version 1, this package reads 2"):
        kinds.rebuild(model_file.load(RELEASES / "0.1.0" / "ridge.skops"))


@pytest.mark.parametrize("model", ["forest", "ridge", "naive"])
@pytest.mark.parametrize("travelling", [False, True])
def test_a_model_of_these_features_forecasts_what_it_did(model, travelling, inputs):
    """By today's code, while its features are today's, and by the code that travels with it in any case."""
    state = model_file.load(RELEASES / "0.2.0" / f"{model}.skops")
    code = ModelCode(model_file.load(RELEASES / "0.2.0" / "code.skops")).run() if travelling else entry
    assert_same(forecast(code.rebuild(state), inputs), model, "0.2.0")


def test_the_version_of_the_features_has_a_fixture():
    written = {model_file.load(RELEASES / forecaster.STATE_RELEASE / "forest.skops")["version"]}
    assert forecaster.STATE_VERSION in written, "raised without the fixture of a release that writes it: add one"


def test_the_same_training_is_known_again(deployment, inputs):
    """The same spec and the same data, under a later release with the same features, are no new version."""
    history, _ = inputs
    known = json.loads((RELEASES / forecaster.STATE_RELEASE / "training.json").read_text())
    until = pd.Timestamp(ORIGIN) + pd.Timedelta(hours=23)
    data_version = data_hash(features.training_rows(history, deployment.spec.task, until=until))
    assert data_version == known["data_version"], "features or the hash of rows have changed"
    assert fingerprint(deployment.spec.fingerprint(), data_version) == known["fingerprint"], "the spec's has changed"


@pytest.mark.parametrize("release", ["0.1.0", "0.2.0"])
def test_nobody_has_edited_the_fixture(release):
    folder = RELEASES / release
    recorded = dict(line.split()[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in recorded} == recorded


def test_its_recipe_is_refitted_by_its_own_code(registry, inputs):
    version = registry.version(1)
    state = registry.load(version)
    code = registry.code(version, state)
    history, _ = inputs
    again = code.refit(code.rebuild(state), history[history["timestamp"] <= version.trained_until])
    assert again.state()["version"] == 1
    assert (again.model.mean == state["trees"]["mean"]).all()


def test_questions_to_the_champion_are_answered_by_its_own_code(deployment):
    day = "2024-04-21"
    whatever = json.loads(deployment.call(day, "forecast", "shops", "--set", "promotion=1", "--json").stdout)
    rows = pd.DataFrame(whatever["rows"])
    then = expected("0.1.0", "version 1")
    assert rows[whatever["point"]].to_numpy() == pytest.approx(then[whatever["point"]].to_numpy(), abs=1e-3)
    assert "version 1" in deployment.call(day, "explain", "shops").stdout
    with pytest.raises(AssertionError, match="features of another release, so no training row of this one"):
        deployment.call(day, "explain", "shops", "--item", "south/shop 3", "--timestamp", "2024-04-22")


def test_code_that_is_not_what_was_registered_is_not_run(tmp_path):
    ran = tmp_path / "ran"
    with unpack("0.1.0", "files", tmp_path).opened() as stores:
        registry = stores.tracking.registry("shops")
        for file in tmp_path.rglob("code/forecasting/task.py"):
            file.write_text(f"open({str(ran)!r}, 'w')\n{file.read_text()}")
        with pytest.raises(ModelCodeError, match=r"the sha256 of the code beside it is"):
            registry.forecaster(registry.version(1))
        for folder in tmp_path.rglob("artifacts/code"):
            shutil.rmtree(folder)
        with pytest.raises(ModelCodeError, match="trained on features of another release") as error:
            registry.forecaster(registry.version(1))
        assert error.value.advice == ("mlops-assets run shops --retrain",)
    assert not ran.exists()


def test_a_recorded_digest_counts_even_for_code_that_is_known(registry):
    version = registry.version(3)
    forged = dataclasses.replace(version, tags={**version.tags, CODE: "0" * 64})
    with pytest.raises(ModelCodeError, match="recorded was 0000"):
        registry.forecaster(forged)


def test_a_later_release_trains_its_own_challenger_and_judges_it_against_the_old_champion(tmp_path):
    deployment = unpack("0.1.0", "files", tmp_path)
    deployment.call("2024-04-22", "run", "shops", "--retrain")
    with deployment.opened() as stores:
        registry = stores.tracking.registry("shops")
        assert [registry.load(registry.version(number))["version"] for number in (1, 4)] == [1, 2]
        backtest = stores.tables.read(["shops", "backtest"])
        decided = stores.tables.read(["shops", "decisions"]).sort_values("number").iloc[-1]
        day = stores.tables.read(["shops", "forecasts"], partitions=["2024-04-21"])
    assert backtest.loc[backtest["model"] == "champion", "version"].unique().tolist() == [1]
    assert (decided["version"], decided["champion_before"]) == (4, 1)
    (rule,) = (rule for rule in json.loads(decided["rules"])["rules"] if rule["name"] == "against_champion")
    assert rule["state"] in ("passed", "failed"), rule
    assert day["model_version"].unique().tolist() == [decided["champion_after"]]
