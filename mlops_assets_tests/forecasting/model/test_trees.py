import numpy as np
import pytest

from mlops_assets.forecasting.model import trees as module
from mlops_assets.forecasting.model.trees import Trees, known_codes


def test_compact_trees_send_rows_where_scikit_learn_does():
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    X = random.integers(0, 30, size=(800, 6)).astype(np.float32)
    X[random.random(X.shape) < 0.2] = np.nan
    X[:, 5] = np.nan_to_num(X[:, 5])
    y = np.where(np.isnan(X[:, 0]), 3, X[:, 0]) + random.normal(size=800)
    codes = known_codes(X)
    model = RandomForestRegressor(10, min_samples_leaf=2, random_state=0).fit(codes, y)
    trees = Trees.of(model.estimators_, codes, y.astype(np.float32))
    np.testing.assert_allclose(trees.mean[trees.locate(X)].mean(axis=1), model.predict(codes), rtol=1e-5, atol=1e-6)
    assert trees.missing_left[np.isin(trees.feature, range(5))].all()
    never_missing = trees.missing_left[trees.feature == 5]
    assert 0 < never_missing.mean() < 1, "what was never missing goes where most rows went, not where the lowest did"


def test_few_rows_fall_into_the_leaves_that_scikit_learn_finds(monkeypatch: pytest.MonkeyPatch):
    random = np.random.default_rng(1)
    nodes = 15  # of each tree: a full one of four levels, and one that is a leaf only
    inner = np.arange(nodes) < nodes // 2
    left = np.where(inner, 2 * np.arange(nodes) + 1, -1)
    trees = Trees(
        start=np.array([0, nodes, nodes + 1, 2 * nodes + 1]),
        left=np.concatenate([left, [-1], left]).astype(np.int32),
        right=np.concatenate([np.where(inner, left + 1, -1), [-1], np.where(inner, left + 1, -1)]).astype(np.int32),
        feature=np.where(np.concatenate([inner, [False], inner]), random.integers(0, 3, 31), -2).astype(np.int16),
        threshold=random.integers(-1, 9, 31).astype(np.int16),
        missing_left=random.random(31) < 0.5,
        mean=np.zeros(17, np.float32),
        samples=np.zeros((17, 1), np.float16),
    )
    X = random.integers(-1, 9, (400, 3)).astype(np.float32)
    X[random.random(X.shape) < 0.2] = np.nan
    walked = trees.locate(X)
    monkeypatch.setattr(module, "FEW", 0)
    np.testing.assert_array_equal(walked, trees.locate(X))
    assert len(np.unique(walked)) > 10
