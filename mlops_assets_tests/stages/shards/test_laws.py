"""Whatever the number of shards, what comes of the items is equal to the last bit, and so is what is said of them."""

import pickle
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.forecasting.evaluation.ledger import honest, match, scores, vintages
from mlops_assets.forecasting.evaluation.segments import segments
from mlops_assets.forecasting.monitoring.drift import windows
from mlops_assets.io_managers.memory import MemoryModels
from mlops_assets.lifecycle.versions import Versions, keep
from mlops_assets.resources.rows import Only
from mlops_assets.resources.stored import StoredTable
from mlops_assets.scale.engine import Engine
from mlops_assets.scale.shards import Shard, shards
from mlops_assets.stages.predict import Maker, ledger_of
from mlops_assets.stages.shards import accuracy, forecasts
from mlops_assets.stages.shards.origin import Predicted
from mlops_assets.stages.watching import anomalies, change, drift
from mlops_assets.tracking.registry import Version
from mlops_assets_tests.stages.shards.panels import Panel, example, intermittent


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
    version = Version(panel.spec.name, 4, "run", {"trained_until": f"{panel.keys[0]} 00:00:00"})
    found = make(keys, Maker(panel.model, version))
    return {key: one for key, one in found.items() if isinstance(one, Predicted)}


def test_forecasts_and_what_is_said_of_them_do_not_know_their_shards(panel, monkeypatch):
    keys = panel.keys[3:4]
    whole, *others = (made(panel, keys, count, monkeypatch) for count in (1, panel.count))
    assert list(whole) == keys
    for other in others:
        for key in keys:
            pd.testing.assert_frame_equal(other[key].rows, whole[key].rows, check_exact=True)
            assert said(other[key]) == said(whole[key])


@pytest.fixture
def ledger(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forecasts of four days are stored; the actuals of the last have come."""
    keys = panel.keys[3:7]
    if "forecasts" not in panel.tables.children([panel.spec.name]):
        found = made(panel, keys, 1, monkeypatch)
        for number, (key, one) in enumerate(found.items()):
            rows = ledger_of(one.rows, f"run {number}", pd.Timestamp(key))
            panel.tables.write(panel.stored("forecasts"), rows, key)
    return keys


def test_accuracy_and_all_its_numbers_do_not_know_their_shards(panel, ledger, monkeypatch):
    def scored(count: int, *keys: str) -> accuracy.Accuracy:
        monkeypatch.setattr(accuracy, "_spans", partial(spans, count))
        seen = panel.table("forecasts", ledger)
        return accuracy.Accuracy(panel.graph, Engine.local(), panel.table("observations", keys), seen, keys)

    earlier = scored(1, ledger[1])
    panel.tables.write(panel.stored("forecast_accuracy"), pd.concat(earlier.batches), ledger[1])
    keys = ledger[2:]
    whole, other = scored(1, *keys), scored(panel.count, *keys)
    assert whole.many != other.many
    assert all(one.rows for one in whole.partitions.values())
    pd.testing.assert_frame_equal(rows_of(other), rows_of(whole), check_exact=True)
    for key, one in whole.partitions.items():
        same = other.partitions[key]
        assert (same.rows, same.in_sample, same.origins) == (one.rows, one.in_sample, one.origins)
        for name in ("scores", "by_lead", "worst"):
            pd.testing.assert_frame_equal(getattr(same, name)(), getattr(one, name)(), check_exact=True)
        for mine, its in zip(other.so_far(key) or (), whole.so_far(key) or (), strict=True):
            pd.testing.assert_frame_equal(mine, its, check_exact=True)


def spans(count: int, forecasts: StoredTable, before: StoredTable | None, within: Only) -> list[Shard]:
    """Cut what is scored into so many shards."""
    return shards(forecasts.tables, forecasts.key, forecasts.partitions, within, count=count)


def rows_of(found: accuracy.Accuracy) -> pd.DataFrame:
    return pd.concat(found.batches, ignore_index=True)


def test_accuracy_is_what_all_the_forecasts_beside_all_the_actuals_give(panel, ledger, monkeypatch):
    monkeypatch.setattr(accuracy, "_spans", partial(spans, 3))
    key, task = ledger[-1], panel.spec.task
    seen = panel.table("forecasts", ledger)
    found = accuracy.Accuracy(panel.graph, Engine.local(), panel.table("observations", [key]), seen, [key])
    one = found.partitions[key]
    forecasts = panel.tables.read(panel.stored("forecasts"), ledger)
    observations = panel.tables.read(panel.stored("observations"), [key])
    rows = match(forecasts, observations, task, panel.spec.fill == "zero")
    pd.testing.assert_frame_equal(rows_of(found), rows)
    parts = segments(rows, observations[["item_id", "timestamp", *panel.spec.covariates.static]])
    if panel.spec.fill != "zero":  # of absent items the statics are looked up
        pd.testing.assert_frame_equal(one.scores(), scores(honest(rows), task, parts), check_exact=True)
    counted = vintages(forecasts, rows, task, one.window.end)
    columns = ["origin", "forecasts", "awaited"]
    by_origin = (found.so_far(key) or (pd.DataFrame(),))[0]
    counted = counted[counted["origin"] < key].reset_index(drop=True)
    pd.testing.assert_frame_equal(by_origin[columns], counted[columns])
    plain = accuracy.Accuracy(panel.graph, Engine.local(), panel.table("observations", [key]), seen, [key], True)
    pd.testing.assert_frame_equal(rows_of(plain), rows_of(found), check_exact=True)
    pd.testing.assert_frame_equal(plain.partitions[key].scores(), one.scores(), check_exact=True)


def test_anomalies_do_not_know_their_shards(panel, ledger, monkeypatch):
    def found(count: int) -> pd.DataFrame:
        monkeypatch.setattr(anomalies, "shards", partial(shards, count=count))
        days = ledger[2:]
        seen = anomalies.detect(
            panel.graph, Engine.local(), panel.observed(days[-1]), panel.table("forecasts", ledger), days
        )
        return pd.concat(seen.values(), ignore_index=True)

    whole, *others = (found(count) for count in (1, panel.count))
    for other in others:
        pd.testing.assert_frame_equal(other, whole, check_exact=True)


def test_the_change_of_forecasts_does_not_know_its_shards(panel, ledger, monkeypatch):
    models = MemoryModels()
    keep(models, panel.spec.name, Version(panel.spec.name, 4, "run", {}), panel.model.state)
    versions = Versions(lambda: pytest.fail("MLflow is not asked"), models, panel.spec.name)

    def explained(count: int) -> pd.DataFrame:
        monkeypatch.setattr(change, "shards", partial(shards, count=count))
        inputs = {"observations": panel.observed(ledger[1]), "forecasts": panel.table("forecasts", ledger)}
        if panel.spec.covariates.all_known:
            inputs["future_covariates"] = panel.table("future_covariates", ledger)
        return change.Explanation(panel.graph, versions, Engine.local(), inputs)(ledger[1])

    whole, *others = (explained(count) for count in (1, panel.count))
    assert (whole["undivided"] == "").all()
    assert whole["new_data"].abs().max() > 0
    for other in others:
        pd.testing.assert_frame_equal(other, whole, check_exact=True)


def test_drift_reads_only_the_items_that_it_looks_at(panel, monkeypatch):
    monkeypatch.setattr(windows, "CELLS", 10 * len(panel.keys))
    monkeypatch.setattr(drift, "CELLS", 10 * len(panel.keys))
    table, end = panel.table("observations", panel.keys), pd.Timestamp(panel.keys[-1])
    rows, whole = drift.observed(table, panel.spec.task, end)
    assert rows["item_id"].nunique() == 10
    laid, every = (
        windows.lay_out(rows, panel.spec.task, end, whole=whole),
        windows.lay_out(table.read(), panel.spec.task, end),
    )
    assert laid.of == every.of > 10
    assert laid.items.tolist() == every.items.tolist()
    np.testing.assert_array_equal(laid.target, every.target)


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
