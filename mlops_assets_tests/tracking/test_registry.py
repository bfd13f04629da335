"""Registered versions of a real training: what is recorded, what is refused, by which code they are run."""

import dataclasses

import pandas as pd
import pytest

from mlops_assets.errors import UsageError
from mlops_assets.forecasting.model import forecaster
from mlops_assets.tracking.errors import ModelCodeError
from mlops_assets.tracking.model_code import own_code
from mlops_assets.tracking.registry import CODE


def test_a_version_is_registered_as_challenger_with_its_stage(trained):
    registry = trained.tracking.registry("demo")
    challenger, champion = registry.by_alias("challenger"), registry.champion()
    assert challenger.number == champion.number == 1
    assert champion.tags["stage"] == "Production"
    assert len(champion.tags["sha256"]) == 64
    assert registry.by_alias("previous") is None


def test_what_is_measured_later_joins_the_metrics_of_the_training(trained):
    registry = trained.tracking.registry("demo")
    before = registry.metrics(registry.version(1))
    registry.add_metrics(1, {"beside/rest/mase": 0.9})
    assert registry.metrics(registry.version(1)) == {**before, "beside/rest/mase": 0.9}


def test_a_tampered_model_file_is_refused(trained, tmp_path):
    from mlops_assets.forecasting.model.model_file import ModelFileError

    registry = trained.tracking.registry("demo")
    version = registry.champion()
    registry.load(version)
    forged = type(version)(version.name, version.number, version.run_id, {**version.tags, "sha256": "0" * 64})
    with pytest.raises(ModelFileError):
        registry.load(forged)


def test_under_a_later_release_a_version_is_run_by_the_code_that_was_registered_with_it(trained, monkeypatch):
    registry = trained.tracking.registry("demo")
    version = registry.champion()
    assert version.tags[CODE] == own_code().digest
    history = trained.table("observations")
    ours = registry.forecaster(version)
    assert type(ours) is forecaster.Forecaster
    monkeypatch.setattr(forecaster, "STATE_VERSION", forecaster.STATE_VERSION + 1)
    own = registry.forecaster(version)
    assert type(own).__module__ == f"{own_code().name}_checked.forecaster"
    pd.testing.assert_frame_equal(own.predict(history), ours.predict(history), check_exact=True)
    with pytest.raises(UsageError, match="horizon 99"):
        own.predict(history, horizon=99)
    forged = dataclasses.replace(version, tags={**version.tags, CODE: "0" * 64})
    with pytest.raises(ModelCodeError, match="recorded was 0000"):
        registry.forecaster(forged)
