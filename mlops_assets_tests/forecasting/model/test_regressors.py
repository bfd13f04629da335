"""Regressors by name: what is known, quantiles that hold, and a model file that holds them."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from threadpoolctl import threadpool_limits

from mlops_assets.errors import MissingExtraError, UsageError
from mlops_assets.forecasting.model import features, fitting, kinds, model_file, regressors
from mlops_assets.forecasting.model.task import ModelSettings, Task
from mlops_assets_tests.forecasting.panels import DAILY, daily_panel, with_gaps

BOOSTING = replace(
    DAILY, model=ModelSettings("hist_gradient_boosting", {"max_iter": 30, "learning_rate": 0.2}, max_training_rows=1500)
)
LIGHTGBM = replace(DAILY, model=ModelSettings("lightgbm", {"n_estimators": 30, "n_jobs": 1}, max_training_rows=1500))
RIDGE = replace(DAILY, model=ModelSettings("sklearn.linear_model.Ridge", max_training_rows=3000))


def forecast(task, frame, origin=None) -> pd.DataFrame:
    return fitting.fit(features.training_rows(frame, task, origin), task).predict(frame, origin)


@pytest.mark.parametrize("task", [BOOSTING, LIGHTGBM, RIDGE], ids=["boosting", "lightgbm", "ridge"])
def test_any_regressor_forecasts_through_the_model_file_with_ordered_quantiles(task):
    frame = with_gaps(daily_panel())
    model = fitting.fit(features.training_rows(frame, task), task)
    levels = [0.05, 0.2, 0.5, 0.8, 0.95]
    table = model.predict(frame, quantiles=levels)
    assert (np.diff(table[["q5", "q20", "q50", "q80", "q95"]], axis=1) >= 0).all()
    assert (table["q95"] > table["q5"]).all()
    assert (table["source"] == "model").all()
    again = kinds.rebuild(model_file.loads(model_file.dumps(kinds.state_of(model))))
    pd.testing.assert_frame_equal(again.predict(frame, quantiles=levels), table)
    assert again.importances()["importance"].sum() == pytest.approx(1)


def test_lightgbm_is_stored_as_its_own_text():
    model = fitting.fit(features.training_rows(daily_panel(), LIGHTGBM), LIGHTGBM)
    assert kinds.state_of(model)["regressor"]["point"].startswith("tree\n")


def test_intervals_hold_on_what_comes_after():
    frame = daily_panel(items=12, days=260, seed=3)
    came = frame[["item_id", "timestamp", "target"]]
    inside = []
    for back in (10, 30, 50):
        origin = frame["timestamp"].max() - pd.Timedelta(days=back)
        both = forecast(RIDGE, frame, origin).merge(came, on=["item_id", "timestamp"])
        inside.append(both["target"].between(both["q10"], both["q90"]).mean())
    assert 0.72 < np.mean(inside) < 0.9


def test_errors_are_of_rows_that_the_fit_had_not_seen():
    """Where the target is noise that a tree can learn by heart, only held-out errors show its size."""
    frame = daily_panel(items=8, days=200)
    frame["target"] = 10 + np.random.default_rng(0).normal(size=len(frame))
    task = replace(DAILY, model=ModelSettings("sklearn.tree.DecisionTreeRegressor", max_training_rows=3000))
    table = forecast(task, frame)
    width = (table["q90"] - table["q10"]).mean()
    assert width > 2 * 1.28  # a perfect model's; in-sample errors would be zero


def test_errors_come_from_rows_after_those_learnt_from():
    rows = features.training_rows(daily_panel(), DAILY)
    origin, timestamp = (rows[name].to_numpy() for name in ("origin", "timestamp"))
    cuts = list(regressors._forward_cuts(origin, timestamp))
    assert len(cuts) == 3
    for early, late in cuts:
        assert timestamp[early].max() <= origin[late].min()
    assert len(np.unique(np.concatenate([late for _, late in cuts]))) == sum(len(late) for _, late in cuts)


def test_too_little_history_for_held_out_errors_is_said():
    frame = daily_panel(items=1, days=24)
    with pytest.raises(ValueError, match="use random_forest"):
        forecast(RIDGE, frame)
    assert len(forecast(DAILY, frame)) == 10


def test_a_column_without_any_value_is_no_obstacle():
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2)).astype(np.float32)
    X[:, 1] = np.nan
    day = np.datetime64("2024-01-01") + np.arange(300)
    model, _ = regressors.fit_calibrated(BOOSTING.model, X, X[:, 0], day, day + 1)
    assert np.corrcoef(model.locate(X)[:, 0], X[:, 0])[0, 1] > 0.9


def test_the_list_is_what_scikit_learn_has_and_a_model_file_holds():
    """Both ways: what is listed can be stored, and what can be stored is listed, wrappers and the deprecated aside."""
    from sklearn.utils import all_estimators

    random = np.random.default_rng(0)
    X = random.random((80, 3))
    y = X[:, 0] + 0.1 * random.random(80) + 1
    stored = set()
    for name, maker in all_estimators("regressor"):
        path = f"{maker.__module__.partition('._')[0]}.{name}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                fitted = maker().fit(X, y)
                found = model_file.loads(model_file.dumps({"model": fitted}))["model"]
            except (TypeError, ValueError):  # it wraps another, is for one or many columns, or cannot be stored
                assert path not in regressors.OTHERS, path
                continue
            np.testing.assert_allclose(found.predict(X), fitted.predict(X))
        stored.add(path)
    wrappers = {"sklearn.compose.TransformedTargetRegressor"}
    deprecated = {"sklearn.linear_model.PassiveAggressiveRegressor"}
    named = {path for path in regressors.NAMED.values() if path.startswith("sklearn.")}
    assert stored - wrappers - deprecated == regressors.OTHERS | named


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("oracle", "random_forest, extra_trees, hist_gradient_boosting"),
        ("sklearn.neighbors.KNeighborsRegressor", "a model file can hold"),
        ("os.system", "not known"),
    ],
)
def test_what_cannot_be_stored_or_is_no_regressor_is_refused(kind, words):
    with pytest.raises(ValueError, match=words):
        regressors.import_path(kind)


def test_unknown_parameters_name_the_known():
    with pytest.raises(ValueError, match=r"Ridge has no parameter alfa; it has alpha"):
        regressors.build(ModelSettings("sklearn.linear_model.Ridge", {"alfa": 1}))


def test_a_forest_by_its_import_path_is_the_forest():
    rows = features.training_rows(daily_panel(), DAILY)
    by_path = replace(DAILY, model=replace(DAILY.model, kind="sklearn.ensemble.RandomForestRegressor"))
    pd.testing.assert_frame_equal(
        fitting.fit(rows, by_path).predict(daily_panel()), fitting.fit(rows, DAILY).predict(daily_panel())
    )


def test_the_accelerated_forest_forecasts_alike():
    pytest.importorskip("sklearnex", reason="the extra `intelex` is not installed")
    frame = daily_panel(items=8, days=220)
    origin = frame["timestamp"].max() - pd.Timedelta(days=10)
    rows = features.training_rows(frame, DAILY, origin)
    columns = ["mean", *DAILY.quantile_columns]

    def table(seed: int = 0, accelerator: str | None = None) -> np.ndarray:
        task = replace(DAILY, model=replace(DAILY.model, seed=seed, accelerator=accelerator))
        return fitting.fit(rows, task).predict(frame, origin)[columns].to_numpy()

    assert "sklearnex" not in type(regressors.forest(DAILY.model)).__module__, "being installed chooses nothing"
    quick = table(accelerator="intelex")
    plain, others = table(), [table(seed) for seed in (1, 2, 3)]
    noise = np.mean([np.abs(other / plain - 1).mean() for other in others])
    assert not np.array_equal(quick, plain)
    assert np.abs(quick / plain - 1).mean() < 1.5 * noise


def test_an_accelerator_that_is_not_installed_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearnex.ensemble", None)
    with pytest.raises(MissingExtraError) as caught:
        regressors.forest(replace(DAILY.model, accelerator="intelex"))
    assert caught.value.advice == ("pip install 'mlops-assets[intelex]'",)
    with pytest.raises(UsageError, match="'warp' is not known"):
        regressors.forest(replace(DAILY.model, accelerator="warp"))


def test_a_task_without_an_accelerator_says_nothing_of_it():
    assert "accelerator" not in DAILY.to_dict()["model"]
    quick = replace(DAILY, model=replace(DAILY.model, accelerator="intelex"))
    assert quick.to_dict()["model"]["accelerator"] == "intelex"
    assert Task.from_dict(quick.to_dict()) == quick


@pytest.mark.parametrize(("said", "threads"), [(None, 1), ("3", 3)])
def test_boosted_trees_are_fitted_and_asked_in_one_thread_unless_the_environment_says_in_how_many(
    said, threads, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    seen = []

    class Noting:
        """The mean; notes in how many threads boosted trees would work in its place."""

        def fit(self, X, y):
            seen.append(_openmp_effective_n_threads())
            self.mean = y.mean()
            return self

        def predict(self, X):
            seen.append(_openmp_effective_n_threads())
            return np.full(len(X), self.mean)

    random = np.random.default_rng(0)
    days = pd.date_range("2024-01-01", periods=400, unit="us").to_numpy()
    X, y = random.random((400, 3)), random.random(400)
    with threadpool_limits(3, user_api="openmp"):
        made, _ = regressors.fit_calibrated(ModelSettings("noting"), X, y, days, days, own=Noting)
        made.locate(X)
    assert {*seen} == {threads}
    assert len(seen) > 5
    assert regressors.build(ModelSettings("lightgbm")).get_params()["n_jobs"] == 1
