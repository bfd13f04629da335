"""Whatever the number of shards, what comes of the items is equal to the last bit, and so is what is said of them."""

import pickle
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import pytest

from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import shards
from mlops_assets.stages.predict import Maker
from mlops_assets.stages.shards import forecasts
from mlops_assets.stages.shards.origin import Predicted
from mlops_assets.tracking.registry import Version
from mlops_assets_tests.stages.shards.panels import Panel, example, intermittent

COUNTS = [1, 3, 17]


@pytest.fixture(scope="module", params=["example", "intermittent"])
def panel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    one = example() if request.param == "example" else intermittent(tmp_path_factory.mktemp("shards"))
    return replace(one, model=pickle.loads(pickle.dumps(one.model)))


def made(panel: Panel, keys: list[str], count: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, Predicted]:
    """Forecast by so many shards, with the model as a worker gets it."""
    monkeypatch.setattr(forecasts, "shards", partial(shards, count=count))
    future = panel.table("future_covariates", keys) if panel.spec.covariates.all_known else None
    make = forecasts.Forecasts(panel.graph, Engine.local(), panel.observed(keys[-1]), future, keys)
    assert make.many == (count > 1)
    version = Version(panel.spec.name, 4, "run", {"trained_until": "2013-06-01 00:00:00"})
    found = make(keys, Maker(panel.model, version))
    return {key: one for key, one in found.items() if isinstance(one, Predicted)}


def test_forecasts_and_what_is_said_of_them_do_not_know_their_shards(panel, monkeypatch):
    keys = panel.keys[3:4]
    whole, *others = (made(panel, keys, count, monkeypatch) for count in COUNTS)
    assert list(whole) == keys
    for other in others:
        for key in keys:
            pd.testing.assert_frame_equal(other[key].rows, whole[key].rows, check_exact=True)
            assert said(other[key]) == said(whole[key])
            pd.testing.assert_frame_equal(other[key].pictured, whole[key].pictured)
            pd.testing.assert_frame_equal(other[key].history, whole[key].history)


def said(one: Predicted) -> dict[str, Any]:
    """Return all that a run tells of an origin."""
    assert one.odd is not None
    missing = None if one.missing_ahead is None else one.missing_ahead.to_dict("records")
    return {
        "tally": {name: value for name, value in vars(one.tally).items() if name != "mean"},
        "warnings": one.warnings,
        "left_out": one.left_out,
        "late": one.late,
        "missing": missing,
        "odd": (one.odd.sentences(), one.odd.facts()),
    }
